"""Text as people paste it: decoded, stripped of what mail and issue trackers add, cut into listings."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from vmdiff.errors import InputError, ListingError

# What a kernel wrote is read otherwise (`TextFormat.quick`); here 60,000 mappings, quoted, are 46 MB.
LONGEST_TEXT = 1 << 27  # bytes
MOST_LINES = 6_000_000

# Quoting and indentation; a pasted "> " may have become "&gt; ", and two texts in one hold a second BOM.
_AROUND = r"(?:[ \t\r\xa0\ufeff>]|&gt;)*+"
_WRAPPING = re.compile(_AROUND)
_WRAPPED = re.compile(r"^[ \t\r\xa0\ufeff>&]", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+")
_LEFT_OUT = frozenset(
    {"and", "cut", "deleted", "elided", "etc", "lines", "many", "mappings", "more", "omitted", "removed"}
    | {"rows", "skipped", "snip", "snipped", "truncated"}
)
_LONGEST_FILLER = 200


def at_line_start(pattern: str) -> re.Pattern[str]:
    """Compile the hint of a format: a *pattern* at the start of any line, whatever is put around it."""
    return re.compile(rf"^{_AROUND}(?:{pattern})", re.MULTILINE)


class Line(NamedTuple):
    """A line without quoting, indentation and line end; *number* counts from 1 in the text as given."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """The lines that are one listing, and what the text they come from is called in errors."""

    source: str
    lines: Sequence[Line]

    def refusal(self, line: Line, expected: str) -> ListingError:
        """Give the error to raise about a line."""
        return ListingError(self.source, line.number, expected, line.text)


class Role(Enum):
    """What a line is in a listing."""

    BEGIN = "begin"  # a title or a header: a listing starts here, at the latest
    ROW = "row"
    MORE = "more"  # belongs to what is before it
    END = "end"  # a total: a row after it is of another listing


class Mark(NamedTuple):
    """The role of a line; a row has a *start* (None: untold), and *last* names what no process has twice."""

    role: Role
    start: int | None = None
    last: str = ""


def decode(data: bytes, source: str) -> str:
    """Decode UTF-8 or, by its mark or its zeros, UTF-16; bytes that are neither become surrogates.

    Raises:
        InputError: there is more of it than any listing has.
    """
    if len(data) > LONGEST_TEXT:
        raise InputError(
            f"{source}: {len(data):,} bytes are more than vmdiff reads of a text ({LONGEST_TEXT:,})"
        )
    encoding = _encoding(data[:4096])
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    return data.decode(encoding, errors).removeprefix("\ufeff")


def printable(text: str) -> str:
    r"""Write bytes that are no UTF-8 as ``\xff``: no document can hold them as they are."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unwrap(text: str, source: str) -> list[Line]:
    r"""Cut a text into lines and take off what was put around them: quoting, indentation, ``\r``.

    Only a newline ends a line: file names may hold form feeds and U+2028.

    Raises:
        InputError: there are more lines than any listing has.
    """
    if text.count("\n") > MOST_LINES:
        raise InputError(f"{source}: more lines than vmdiff reads of a text ({MOST_LINES:,})")
    texts = text.removesuffix("\n").split("\n")
    if "\r" in text:
        texts = [line.removesuffix("\r") for line in texts]
    if _WRAPPED.search(text):
        texts = [line[_wrapping(line) :] for line in texts]
    return [Line(number, line) for number, line in enumerate(texts, 1)]


def is_elision(text: str) -> bool:
    """Tell whether a line says that lines were left out: ``...``, ``[snip]``, ``<12 more lines>``."""
    if len(text) > _LONGEST_FILLER:
        return False
    words = {word for word in _WORD.findall(text.lower()) if not word.isdigit()}
    return words <= _LEFT_OUT and bool(words or ".." in text or "…" in text)


def find_sections(lines: Sequence[Line], mark: Callable[[str], Mark | None]) -> list[tuple[int, int]]:
    """Find the listings of one format: half-open ranges of indices into *lines*.

    *mark* gives the role of a line, None for one that is nothing in this format. A new listing starts
    at a header after rows, after a total, and where the addresses start over. What has neither rows nor
    totals is none.
    """
    tracks: list[_Track] = []
    foreign = False  # a line since the last one of ours that is neither filler nor elision
    for index, line in enumerate(lines):
        found = mark(line.text)
        if found is None:
            foreign = foreign or not _is_filler(line.text)
            continue
        if not tracks or tracks[-1].ends_before(found, foreign=foreign):
            unsure = bool(tracks) and tracks[-1].is_unsure_of(found, foreign=foreign)
            tracks.append(_Track(index, unsure=unsure))
        tracks[-1].take(index, found)
        foreign = False
    return [(track.first, track.stop) for track in _whole(_rejoined(tracks))]


@dataclass(slots=True)
class _Track:
    """A listing while it is being found; *unsure* whether it does not belong to the one before."""

    first: int
    unsure: bool = False
    stop: int = 0
    rows: int = 0
    begun: bool = False
    ended: bool = False
    lowest: int | None = None  # the start of its first row
    latest: int = -1
    highest: int = -1
    ascending: bool = True
    complete: bool = False
    once: set[int | str] = field(default_factory=set)  # what no process has twice

    def take(self, index: int, mark: Mark) -> None:
        self.stop = index + 1
        self.begun = self.begun or mark.role is Role.BEGIN
        self.ended = self.ended or mark.role is Role.END
        if mark.role is Role.ROW:
            self.rows += 1
            if mark.start is not None:
                self._goes_to(mark.start)
            self.complete = bool(mark.last)
            self.once.add(mark.last)

    def _goes_to(self, start: int) -> None:
        self.lowest = start if self.lowest is None else self.lowest
        self.ascending = self.ascending and start >= self.highest
        self.latest = start
        self.highest = max(self.highest, start)
        self.once.add(start)

    def ends_before(self, mark: Mark, *, foreign: bool) -> bool:
        if mark.role is Role.BEGIN:
            return self.rows > 0 or self.ended
        if mark.role is Role.END:
            return self.ended and not self.begun
        if mark.role is Role.ROW:
            return (self.ended and self.rows > 0) or self._starts_over(mark, foreign=foreign)
        return False

    def _starts_over(self, mark: Mark, *, foreign: bool) -> bool:
        if mark.start is None or self.lowest is None or mark.start >= self.latest:
            return False
        return foreign or mark.start == self.lowest or self.is_unsure_of(mark, foreign=foreign)

    def is_unsure_of(self, mark: Mark, *, foreign: bool) -> bool:
        """Tell whether only its address speaks for a row to start another listing."""
        if mark.start is None or self.lowest is None or foreign or mark.start == self.lowest:
            return False
        sorted_so_far = self.ascending and self.rows > 1 and mark.start < self.latest
        return sorted_so_far and not self.ended and (self.complete or mark.start < self.lowest)

    def join(self, other: "_Track") -> None:
        self.stop, self.rows, self.ended = other.stop, self.rows + other.rows, other.ended
        self.once |= other.once


def _rejoined(tracks: Sequence[_Track]) -> Iterator[_Track]:
    """Join again what was cut on a suspicion and has nothing twice: then the listing was not in order."""
    held: _Track | None = None
    for track in tracks:
        if held is not None and track.unsure and not (held.once & track.once) - {""}:
            held.join(track)
            continue
        if held is not None:
            yield held
        held = track
    if held is not None:
        yield held


def _whole(tracks: Iterable[_Track]) -> Iterator[_Track]:
    """Leave out headers without a listing, but give one that sorting put last back to its listing."""
    held: _Track | None = None
    for track in tracks:
        if track.rows or track.ended:
            if held is not None:
                yield held
            held = track
        elif held is not None and not held.begun:
            held.stop, held.begun = track.stop, True
    if held is not None:
        yield held


def _is_filler(text: str) -> bool:
    """Tell whether a line stands for nothing, or for lines left out: blanks, rulers, dots."""
    return len(text) <= _LONGEST_FILLER and (not _WORD.search(text) or is_elision(text))


def _wrapping(line: str) -> int:
    found = _WRAPPING.match(line)
    return found.end() if found else 0


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 4 and even < odd // 8:
        return "utf-16-le"
    if even > len(head) // 4 and odd < even // 8:
        return "utf-16-be"
    return "utf-8"
