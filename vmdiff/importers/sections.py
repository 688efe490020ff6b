"""A text cut into listings: where each begins and ends, and what a line is in it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from vmdiff.errors import ListingError
from vmdiff.importers.pasted.lines import Line, is_elision, is_filler


@dataclass(frozen=True, slots=True)
class Section:
    """The lines that are one listing, and what the text they come from is called in errors."""

    source: str
    lines: Sequence[Line]

    def refusal(self, line: Line, expected: str) -> ListingError:
        """Return the error to raise about a line."""
        return ListingError(self.source, line.number, expected, line.text)


class LineRole(Enum):
    """The role of a line in a listing."""

    BEGIN = "begin"  # a title or a header: a listing starts here, at the latest
    ROW = "row"
    MORE = "more"  # belongs to what is before it
    END = "end"  # a total: a row after it is of another listing


class Mark(NamedTuple):
    """The role of a line; a row has a *start* (None: unknown).

    *once* names what no listing has twice (``[stack]``, a title). *first*: a row begins a listing.
    *attached*: a line says nothing without a row before it.
    """

    role: LineRole
    start: int | None = None
    once: str = ""
    first: bool = False
    attached: bool = False


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
        if found is None or (found.attached and not tracks):
            foreign = foreign or not is_filler(line.text)
            continue
        if not tracks or tracks[-1].ends_before(found, foreign=foreign):
            unsure = bool(tracks) and tracks[-1].is_unsure_of(found, foreign=foreign)
            adjacent = bool(tracks) and tracks[-1].stop == index
            tracks.append(_Track(index, unsure=unsure, adjacent=adjacent))
        tracks[-1].take(index, found)
        foreign = False
    return [(track.first, track.stop) for track in _whole(_rejoined(tracks))]


def with_elisions(lines: Sequence[Line], found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Extend listings over the marks for omitted lines right before and after them (``...``, ``[snip]``)."""
    extended: list[tuple[int, int]] = []
    floor = 0
    for index, (first, stop) in enumerate(found):
        ceiling = found[index + 1][0] if index + 1 < len(found) else len(lines)
        above = _reach(lines, range(first - 1, floor - 1, -1))
        below = _reach(lines, range(stop, ceiling))
        floor = stop if below is None else below + 1
        extended.append((first if above is None else above, floor))
    return extended


def _reach(lines: Sequence[Line], indices: Iterable[int]) -> int | None:
    """Return the last index of an elision that only fillers stand before."""
    reached = None
    for index in indices:
        text = lines[index].text
        if text.strip() and is_elision(text):
            reached = index
        elif not is_filler(text):
            break
    return reached


@dataclass(slots=True)
class _Track:
    """A listing while it is being found.

    *unsure*: only an address speaks against its being one with the listing before, which ends on the line
    above if *adjacent*.
    """

    first: int
    unsure: bool = False
    adjacent: bool = False
    stop: int = 0
    rows: int = 0
    begun: bool = False
    ended: bool = False
    lowest: int | None = None  # the start of its first row
    latest: int = -1
    highest: int = -1
    ascending: bool = True
    complete: bool = False
    continued: bool = False  # the last line belongs to a row before it
    once: set[int | str] = field(default_factory=set)  # seen of what no listing has twice

    def take(self, index: int, mark: Mark) -> None:
        self.stop = index + 1
        self.begun = self.begun or mark.role is LineRole.BEGIN
        self.ended = self.ended or mark.role is LineRole.END
        self.continued = mark.role is LineRole.MORE
        if mark.role is LineRole.ROW:
            self.rows += 1
            if mark.start is not None:
                self._goes_to(mark.start)
            self.complete = bool(mark.once)
            self.once.add(mark.once)
        elif mark.role is not LineRole.MORE:
            self.once.add(mark.once or mark.role.value)

    def _goes_to(self, start: int) -> None:
        self.lowest = start if self.lowest is None else self.lowest
        self.ascending = self.ascending and start >= self.highest
        self.latest = start
        self.highest = max(self.highest, start)
        self.once.add(start)

    def ends_before(self, mark: Mark, *, foreign: bool) -> bool:
        if mark.role is LineRole.BEGIN:
            return self.rows > 0 or self.ended
        if mark.role is LineRole.END:
            return self.ended and not self.begun
        if mark.role is LineRole.ROW:
            return (self.rows > 0 and (self.ended or mark.first)) or self._starts_over(mark, foreign=foreign)
        return False

    def _starts_over(self, mark: Mark, *, foreign: bool) -> bool:
        if mark.start is None or self.lowest is None:
            return False
        if mark.start in self.once and (foreign or (mark.start == self.latest and self.continued)):
            return True  # the same mapping again, later
        if mark.start >= self.latest:
            return False
        return foreign or mark.start == self.lowest or self.is_unsure_of(mark, foreign=foreign)

    def is_unsure_of(self, mark: Mark, *, foreign: bool) -> bool:
        """Return whether only its address speaks for a row to start another listing."""
        if mark.start is None or self.lowest is None or foreign or mark.start == self.lowest:
            return False
        sorted_so_far = self.ascending and self.rows > 1 and mark.start < self.latest
        return sorted_so_far and not self.ended and (self.complete or mark.start < self.lowest)

    def join(self, other: "_Track") -> None:
        self.stop, self.rows, self.ended = other.stop, self.rows + other.rows, other.ended
        self.once |= other.once
        self.begun = self.begun or other.begun


def _rejoined(tracks: Sequence[_Track]) -> Iterator[_Track]:
    """Join again what was cut on a suspicion and has nothing twice: then the listing was sorted otherwise."""
    held: _Track | None = None
    for track in tracks:
        if held is not None and (track.unsure or track.adjacent) and not (held.once & track.once) - {""}:
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
