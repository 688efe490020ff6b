r"""Read ``/proc/PID/smaps`` and ``/proc/PID/maps`` as today's kernels write them: strictly, and fast.

A process may have 65,530 mappings and 45 MB of smaps, so the text is read in pieces, one regular
expression takes a header and the lines after it, and what follows the bounds is decoded once for all
mappings that have the same: with one more expression that is built from the first record's keys, so
that the keys of kernels to come are read as fast as today's. (A loop over the lines takes six times
as long.)

Facts: Documentation/filesystems/proc.rst; fs/proc/task_mmu.c. The only escape in a name is
``\012`` for a newline; names may hold any other byte. Sizes are given in kB of 1024 bytes.
"""

import re
import struct
from binascii import unhexlify
from collections import abc
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, compress
from operator import attrgetter
from typing import NamedTuple, TypeVar

from vmdiff.errors import ListingError
from vmdiff.importers.procfs.kernel_row_text import EXPECTED, HEADER_REST, name_of
from vmdiff.model import (
    DERIVED,
    KNOWN_COUNTERS,
    NOTHING,
    PAGE_SIZES,
    Content,
    Kind,
    Mapping,
    Scalar,
    Values,
    at_offset,
    content,
    kind_of,
    place,
)
from vmdiff.model.mapping import KNOWN_KEYS

LONGEST_KEY = 64  # characters; the kernel's have up to 15
_KEY = rb"[A-Za-z_]\w{0,%d}" % (LONGEST_KEY - 1)
# The bounds, the rest of the header, and the lines after it.
_TO_END = rb"[^\n]*+\n"
_START = rb"^([0-9a-f]{1,17}-[0-9a-f]{1,17}) ([^\n]*+)\n"
_RECORD = re.compile(_START + rb"((?:" + _KEY + rb":" + _TO_END + rb")*)", re.MULTILINE)
_GROUPS = 3
_HEADER = b"%b %b\n"
_DIGITS = 16  # of a number of 64 bits
_NUMBER_OR_0 = rb"(?:0|([1-9][0-9]{0,19}))"  # as the kernel writes numbers, without group for 0
_LINE = re.compile(rb"^(" + _KEY + rb"):[ \t]*([^\n]*)\n", re.MULTILINE)
_QUANTITY = re.compile(rb"([0-9]{1,20})(?:[ \t]+([A-Za-z]+))?[ \t]*")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Keys whose values are left out where they say nothing new: only as the kernel spells them.
_SPELLED = {"size": b"Size", "kernel_page_size": b"KernelPageSize", "mmu_page_size": b"MMUPageSize"}

_OFFSET = re.compile(rb"[0-9a-f]{1,16}")

_LONGEST = 1 << 20  # bytes of one record
_LAYOUTS = 8  # expressions; a kernel has one or two
_WORTH_IT = 64 << 10  # bytes: a small process is read before the expression would be built
_REMEMBERED = 4096  # records; in a process where all differ remembering more costs memory only

KB = 1024

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Report(NamedTuple):
    """What the lines after a header report: *keys* are all but the size, None if they are no kernel's.

    *names* are those of the counters and attributes, each with the factor of its unit.
    """

    keys: tuple[bytes, ...] | None
    names: tuple[tuple[str, int], ...]


class _RecordLines(NamedTuple):
    """The lines after a header, taken apart."""

    values: abc.Mapping[str, Scalar]
    flags: tuple[str, ...] | None
    report: _Report


class _Known(NamedTuple):
    """What follows the bounds, taken apart; *executable* is the path if it may be run."""

    content: Content
    report: _Report
    executable: str | None


_NO_LINES = _RecordLines(NOTHING, None, _Report((), ()))


class Listing(NamedTuple):
    """What a listing says: *mappings* in its order, and the names of what it reports of each.

    *layout* are the header lines: what the same process's ``maps`` holds, if nothing moves.
    *uniform*: every mapping reports the same keys, each once and as kernels since 3.8 write them, so that
    what is left out is 0 and not unknown.
    """

    mappings: tuple[Mapping, ...]
    counters: tuple[str, ...]
    attributes: tuple[str, ...]
    layout: bytes
    uniform: bool


def parse(
    chunks: Iterable[bytes],
    *,
    source: str,
    page_size: int | None = 4096,
    records: "KnownRecords | None" = None,
) -> Listing:
    """Read a listing that arrives in pieces; *source* only names the place in errors.

    Counters are bytes. Zeros are left out, and so are page sizes that equal *page_size* (None: no page size
    is left out): what their absence means is written in ``docs/format.md``. *records* are those of other
    listings of the same kernel, whose page size counts.

    Raises:
        ListingError: a line is neither a header nor a ``Key: value`` after one.
    """
    decode = _Decoder(records or KnownRecords(page_size))
    headers: list[bytes] = []
    mappings: list[Mapping] = []
    for piece in _pieces(chunks, source):
        headers.append(piece.headers())
        try:
            contents = list(map(decode.__getitem__, zip(piece.rests, piece.blocks, strict=True)))
        except _NoRecordError as error:
            raise piece.refusal(error, source) from error
        numbers = _numbers(piece.bounds)
        mappings += place(numbers[::2], numbers[1::2], contents)
    return Listing(
        _with_images(mappings, decode.executable),
        tuple(decode.counters),
        tuple(decode.attributes),
        b"".join(headers),
        decode.uniform,
    )


def _numbers(bounds: list[bytes]) -> Sequence[int]:
    """Read bounds, such as ``7f00-7f80``: their numbers in turn.

    Where all have as many digits, as nearly always, they are read together: in a third of the time.
    """
    if not bounds:
        return ()
    text, count = b"-".join(bounds), 2 * len(bounds)
    width = text.index(b"-")
    alike = len(text) == count * (width + 1) - 1 and text[width :: width + 1] == b"-" * (count - 1)
    if not alike or width > _DIGITS:
        return [int(number, 16) for number in text.split(b"-")]
    zeros = b"0" * (_DIGITS - width)
    return struct.unpack(f">{count}Q", unhexlify(zeros + text.replace(b"-", zeros)))


@lru_cache(maxsize=256)
def snake_case(key: str) -> str:
    """Write a key of smaps in snake_case: ``Private_Dirty``, ``SwapPss``, ``MMUPageSize``."""
    if key == "THPeligible":
        return "thp_eligible"
    name = "_".join(_WORDS.split(key)).lower().replace("__", "_")
    return f"smaps_{name}" if name in KNOWN_KEYS - set(KNOWN_COUNTERS) else name


class _Form(NamedTuple):
    """What records look like: *lines* is how many each has, 0 if that differs."""

    pattern: re.Pattern[bytes]
    lines: int


_ANY_FORM = _Form(_RECORD, 0)
_HEADER_ALONE = _Form(re.compile(_START + rb"()", re.MULTILINE), 1)


class _TextPiece(NamedTuple):
    """The whole records at the beginning of a text, by column: see `_RECORD`.

    *length* is where they end; *line* is the number of the first line.
    """

    text: bytes
    length: int
    line: int
    form: _Form
    bounds: list[bytes]
    rests: list[bytes]
    blocks: list[bytes]

    def headers(self) -> bytes:
        if self.form.lines == 1:
            return self.text[: self.length]
        return b"".join(map(_HEADER.__mod__, zip(self.bounds, self.rests, strict=True)))

    def lines(self) -> int:
        """Count the lines that are in records."""
        if self.form.lines:
            return self.form.lines * len(self.blocks)
        return sum(map(self._lines_of, self.blocks))

    def _lines_of(self, block: bytes) -> int:
        return self.form.lines or 1 + block.count(b"\n")

    def refusal(self, error: "_NoRecordError", source: str) -> ListingError:
        """Point at the first record of this kind."""
        line = self.line
        for record in zip(self.rests, self.blocks, strict=True):
            if record == error.record:
                break
            line += self._lines_of(record[1])
        return ListingError(source, line, EXPECTED, error.found.decode(errors="replace"))


def _pieces(chunks: Iterable[bytes], source: str) -> Iterator[_TextPiece]:
    """Cut the text into records, piece by piece.

    The last record of a piece waits for the next piece, which may hold more of its lines.
    """
    text, line = b"", 1
    usual: _Form | None = None
    for chunk in chain(chunks, (None,)):
        text += chunk or b""
        usual = usual or _usual(text)
        piece = _cut(text, line, usual, ended=chunk is None) if usual else None
        piece = piece or _cut(text, line, _ANY_FORM, ended=chunk is None)
        if piece is None:
            raise _misfit(text, line, source)
        yield piece
        line += piece.lines()
        text = text[piece.length :]


def _cut(text: bytes, line: int, form: _Form, *, ended: bool) -> _TextPiece | None:
    """Cut what is whole of a text into records of one form; None if it is not all of that form."""
    # In columns, which are taken apart without a loop, and with what stands between the records.
    *parts, left = form.pattern.split(text)
    between, *columns = (parts[at :: 1 + _GROUPS] for at in range(1 + _GROUPS))
    length = len(text)
    if ended:
        between.append(left)
    elif parts:
        header = _HEADER % tuple([column.pop() for column in columns][:2])
        length = text.rfind(b"\n" + header) + 1
    else:
        between.append(left if b"\n" in left else b"")
        length = 0
    if any(between) or len(text) - length >= _LONGEST:
        return None
    return _TextPiece(text, length, line, form, *columns)


def _usual(text: bytes) -> _Form | None:
    """Return the form of records with as many lines as the first: found in half the time.

    It passes over the size, which the bounds tell already: so blocks are alike whatever the size. Where
    another record has more or fewer lines the form does not fit, and any is looked for.
    """
    first = _RECORD.match(text) if len(text) >= _WORTH_IT else None
    if first is None or first.end() == len(text):
        return None
    block = first[3]
    if not block:
        return _HEADER_ALONE
    if not block.startswith(b"Size:") or not _ends_in_flags(block):
        return None
    lines = block.count(b"\n")
    others = _TO_END * (lines - 2)
    pattern = _START + rb"Size:" + _TO_END + rb"(" + others + rb"VmFlags:" + _TO_END + rb")"
    return _Form(re.compile(pattern, re.MULTILINE), 1 + lines)


def _ends_in_flags(block: bytes) -> bool:
    return block.rpartition(b"VmFlags:")[0].endswith(b"\n") and block.count(b"VmFlags:") == 1


def _misfit(text: bytes, line: int, source: str) -> ListingError:
    """Point at the first line that is part of no record."""
    end = 0
    for found in _RECORD.finditer(text):
        if found.start() != end:
            break
        end = found.end()
    found_there = text[end : end + 200].decode(errors="replace")
    return ListingError(source, line + text.count(b"\n", 0, end), EXPECTED, found_there)


class _NoRecordError(Exception):
    """What follows the bounds is no header, or a line after it is no ``Key: value``."""

    def __init__(self, rest: bytes, block: bytes, found: bytes) -> None:
        self.record = (rest, block)
        self.found = found


_Fields = tuple[str, Kind, int, str, str, str | None, bool, str | None]


def _header(rest: bytes) -> _Fields | None:
    """Read what follows the bounds: the fields of `Mapping` from perms to path_hex."""
    found = HEADER_REST.fullmatch(rest)
    if found is None:
        return None
    perms = found[1].decode().lower()
    path, deleted, path_hex = name_of(found[5] or b"")
    device, inode = found[3].decode(), found[4].decode()
    kind = kind_of(path, perms)
    return perms, kind, int(found[2], 16), device, inode, path, deleted, path_hex


def _with_images(mappings: list[Mapping], executable: set[str]) -> tuple[Mapping, ...]:
    """Make private mappings of files that are executable somewhere `Kind.IMAGE`."""
    if executable:
        named = compress(range(len(mappings)), map(attrgetter("path"), mappings))
        for index in [at for at in named if mappings[at].path in executable]:
            mappings[index] = _as_image(mappings[index])
    return tuple(mappings)


def _as_image(mapping: Mapping) -> Mapping:
    kind = kind_of(mapping.path, mapping.perms, image=True)
    return mapping if kind is mapping.kind else mapping._replace(kind=kind)


class KnownRecords:
    """Decodes what follows the bounds, each distinct text once, however many listings have it.

    The processes of a machine map the same libraries, and those that were forked have most counters in
    common; so has a process with itself a moment ago. What is kept is bounded; nothing in it depends on the
    listing that it was first found in. *before* are those of earlier listings, of which what is met again
    is kept.
    """

    def __init__(self, page_size: int | None, before: "KnownRecords | None" = None) -> None:
        self._alike: dict[tuple[bytes, ...], _Known] = {}  # by header without the offset, and block
        self._before = {} if before is None else before._alike
        self._page_size = page_size
        self._layouts: list[_Layout] = [] if before is None else before._layouts
        self._header = lru_cache(maxsize=_REMEMBERED)(_header)
        self._block = lru_cache(maxsize=_REMEMBERED)(self._decode)
        self._flags = lru_cache(maxsize=_REMEMBERED)(
            lambda text: tuple(text.decode(errors="backslashreplace").split())
        )

    def of(self, rest: bytes, block: bytes, alike: tuple[bytes, ...]) -> _Known:
        """Decode a record but for its offset: those that differ in nothing else have *alike* in common."""
        return self._alike.get(alike) or _remember(
            self._alike, alike, self._before.get(alike) or self._fresh(rest, block)
        )

    def _fresh(self, rest: bytes, block: bytes) -> _Known:
        fields = self._header(rest)
        if fields is None:
            raise _NoRecordError(rest, block, rest)
        decoded = self._block(block)
        if decoded is None:
            raise _NoRecordError(rest, block, block)
        path = fields[5] if fields[0][2] == "x" else None
        found = content(Mapping(0, 0, *fields, flags=decoded.flags, values=decoded.values))
        return _Known(found, decoded.report, path)

    def _decode(self, block: bytes) -> _RecordLines | None:
        """Read the lines after a header; None if one is no ``Key: value``."""
        if not block:
            return _NO_LINES
        for layout in self._layouts:
            if found := layout.pattern.fullmatch(block):
                *numbers, flags = found.groups()
                found_there = zip(layout.report.names, numbers, strict=True)
                values = {name: int(number) * factor for (name, factor), number in found_there if number}
                return _RecordLines(Values(values), self._flags(flags), layout.report)
        if len(self._layouts) < _LAYOUTS and (new := _layout(block, self._page_size)):
            self._layouts.append(new)
            return self._decode(block)
        return self._slowly(block)

    def _slowly(self, block: bytes) -> _RecordLines | None:
        """Read a block line by line: keys and values that no expression foresees are kept as they are."""
        values: dict[str, Scalar] = {}
        flags = None
        lines = _LINE.findall(block)
        if len(lines) != block.count(b"\n"):
            return None
        names = []
        for key, text in lines:
            if key == b"VmFlags":
                flags = self._flags(text)
                continue
            name = snake_case(key.decode())
            value, factor = _value(text)
            names.append((name, factor))
            values[name] = value
        values.pop("size", None)
        ordinary = dict.fromkeys(PAGE_SIZES, self._page_size)
        told = {name: value for name, value in values.items() if value != ordinary.get(name, 0)}
        return _RecordLines(Values(told), flags, _Report(None, tuple(names)))


def _remember(known: dict[_Key, _Value], key: _Key, found: _Value) -> _Value:
    """Keep what was found, and forget the rest where that is much."""
    if len(known) > _REMEMBERED:
        known.clear()
    known[key] = found
    return found


class _Decoder(dict[tuple[bytes, bytes], Content]):
    """Decodes the records of one listing, by header and block; gathers the keys and images there were."""

    def __init__(self, records: KnownRecords) -> None:
        super().__init__()
        self.counters: dict[str, None] = {}  # in the kernel's order
        self.attributes: dict[str, None] = {}
        self.executable: set[str] = set()
        self._reports: set[tuple[bytes, ...] | None] = set()
        self._last: _Report | None = None
        self._records = records

    @property
    def uniform(self) -> bool:
        """Whether every mapping reports the same keys, as kernels write them."""
        return len(self._reports) <= 1 and None not in self._reports

    def __missing__(self, record: tuple[bytes, bytes]) -> Content:
        """Decode a record that is not known yet."""
        rest, block = record
        perms, offset, names = (*rest.split(b" ", 2), b"", b"")[:3]
        if _OFFSET.fullmatch(offset) is None:
            raise _NoRecordError(rest, block, rest)
        alike, report, executable = self._records.of(rest, block, (perms, names, block))
        if report is not self._last:
            self._note(report)
        if executable is not None:
            self.executable.add(executable)
        number = int(offset, 16)
        found = at_offset(alike, number)
        return found if number else _remember(self, record, found)

    def _note(self, report: _Report) -> None:
        self._last = report
        self._reports.add(report.keys)
        for name, factor in report.names:
            known = self.counters if factor == KB and name not in PAGE_SIZES else self.attributes
            if name not in DERIVED and name not in self.counters and name not in self.attributes:
                known[name] = None


class _Layout(NamedTuple):
    """The lines of a block, foreseen: all are numbers, but for the flags at the end.

    *pattern* gives a number as None where it is as good as absent.
    """

    pattern: re.Pattern[bytes]
    report: _Report


def _layout(block: bytes, page_size: int | None) -> _Layout | None:
    """Build the expression for all blocks with the keys and units of this one."""
    lines = _LINE.findall(block)
    if not lines or lines[-1][0] != b"VmFlags":
        return None
    pattern, keys, names, factors = [], [], [], []
    for key, text in lines[:-1]:
        found = _QUANTITY.fullmatch(text)
        if found is None or found[2] not in {None, b"kB"} or key == b"VmFlags":
            return None
        unit = rb" kB" if found[2] else b""
        name = snake_case(key.decode())
        if (name in PAGE_SIZES and not unit) or _SPELLED.get(name, key) != key:
            return None
        if name == "size":  # the bounds say it
            number = rb"[0-9]+"
        else:
            number = _page_size(page_size) if name in PAGE_SIZES else _NUMBER_OR_0
            keys.append(key)
            names.append(name)
            factors.append(KB if unit else 1)
        pattern.append(re.escape(key) + rb":[ \t]+" + number + unit + rb"\n")
    if len(set(names)) != len(names):
        return None
    whole = re.compile(b"".join(pattern) + rb"VmFlags:([^\n]*)\n")
    if not whole.fullmatch(block):  # a number is written otherwise than the kernel does
        return None
    return _Layout(whole, _Report(tuple(keys), tuple(zip(names, factors, strict=True))))


def _page_size(ordinary: int | None) -> bytes:
    """Return the expression for a page size, without group for the one that is as good as absent."""
    return (
        rb"(0|[1-9][0-9]{0,19})" if ordinary is None else rb"(?:%d|(0|[1-9][0-9]{0,19}))" % (ordinary // KB)
    )


def _value(text: bytes) -> tuple[Scalar, int]:
    """Read a value: kB as bytes, other units as unknown, bare numbers and texts as they are."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return text.decode(errors="backslashreplace"), 1
    if found[2] is None:
        return int(found[1]), 1
    return (int(found[1]) * KB if found[2] == b"kB" else None), KB
