"""``/proc/PID/maps``, ``smaps`` and ``smaps_rollup`` as text that has been through other hands.

`fast_reader` parses what a kernel writes, fast and strictly. This reader takes a line at a time:
any kernel since 2.6, any order and any keys, quoted, indented, wrapped, cut, pasted among prose.

Facts: fs/proc/task_mmu.c; proc(5). Android's kernels add ``Name:`` lines; the kernels before 2.6.29 print the
address of a private anonymous mapping as its offset; those of 4.14 to 4.18 print Pss as Locked.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from pydantic import ValidationError

from vmdiff.errors import ListingError
from vmdiff.importers.draft import Draft, with_kinds
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.pasted.lines import Line, printable
from vmdiff.importers.pasted.prefixes import at_line_start
from vmdiff.importers.procfs import fast_reader
from vmdiff.importers.procfs.fast_reader import LONGEST_KEY, snake_case
from vmdiff.importers.procfs.kernel_row_text import EXPECTED
from vmdiff.importers.procfs.maps_row import MapsRow, is_empty_range, read_row, tidied
from vmdiff.importers.procfs.process_files import STATUS_KEYS
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import (
    DERIVED,
    KNOWN_COUNTERS,
    LONGEST_STRING,
    MOST_MAPPINGS,
    PAGE_SIZES,
    Host,
    Mapping,
    Origin,
    Process,
    Scalar,
    Snapshot,
)
from vmdiff.model.mapping import ADDRESS_LIMIT

_BLANKS = r"[ \t\xa0]"
_KEY = re.compile(
    rf"([A-Za-z_]\w{{0,{LONGEST_KEY - 1}}}):{_BLANKS}*+"
    rf"(?:([0-9]{{1,20}})(?:{_BLANKS}+([A-Za-z]{{1,8}}))?|(\S{{0,64}})){_BLANKS}*"
)
# Keys of /proc/PID/status and /proc/meminfo, which people paste beside: they say nothing of a mapping.
_IS_OF_OTHERS = re.compile(
    r"Vm(?!Flags)[A-Z]|Rss(?:Anon|File|Shmem)$|HugetlbPages$|(?:Mem|High|Low|Commit)[A-Z_]\w*"
    r"|Swap(?:Total|Free)$|HugePages_|Committed_AS$"
    r"|(?:Buffers|Cached|Active|Inactive|Unevictable|Mlocked|Dirty|AnonPages|Mapped|Shmem|Slab|Hugepagesize)$"
    r"|(?:KReclaimable|SReclaimable|SUnreclaim|KernelStack|PageTables|NFS_Unstable|Bounce|WritebackTmp|Percpu)$"
    r"|Hugetlb$|MAPPED_LIBRARIES$|Name$|DirectMap|Vmalloc|Cma|SwapCached$|Threads$|Pid$|PPid$|Tgid$|FDSize$|Uid$|Gid$|State$|Groups$"
)
_LONGEST_FLAG = 16  # characters; today's have two
_FLAGS = re.compile(rf"VmFlags:((?:{_BLANKS}+\S{{1,{_LONGEST_FLAG}}}){{0,200}}){_BLANKS}*")
_NAME = re.compile(rf"Name:{_BLANKS}*([\[/].*)", re.DOTALL)  # in /proc/PID/status it is a bare word
_NAME_ALONE = re.compile(r"/\S.*|\[[a-z]\S*\]", re.DOTALL)
_COMMAND = re.compile(
    r".{0,200}?/proc/([0-9]{1,10})/(?:task/[0-9]+/)?s?maps(?:_rollup)?\s*(?:[|>].{0,200}|<==)?"
)
_NEARLY = re.compile(
    r"[0-9a-fA-F]{6,17}[-+][0-9a-fA-F]\S*(?:\s|$)"
    r"|\S{0,40}[-+]\S{1,40}\s+[r-][w-][x-][ps]\s"
    r"|-?[0-9a-f]{4,16}(?:\s+[r-][w-][x-][ps]\s.*)?$"
)
_ONCE = re.compile(r"\[(?:stack|vdso|vsyscall)\]$")
_SHORT = 120
_AS_WRITTEN = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][ps] ", re.MULTILINE)
_NUMBER = "(?:[0-9a-f]{2}|[1-9a-f][0-9a-f]{2,7})"  # %02x
_DEVICE = re.compile(f"{_NUMBER}:{_NUMBER}")
_INODE = re.compile("0|[1-9][0-9]{0,19}")
_ROLLUP = "[rollup]"
_PASTED = re.compile(  # what mail and trackers leave at the end of a row, and rows joined by paste
    rb"(?:<br ?/?>|</[a-z]{1,10}>|`{3}|\{noformat\}|\{code\})[ \t]*$"
    rb"|[ \t][0-9a-f]{4,17}-[0-9a-f]{4,17} [r-][w-][x-][ps] ",
    re.MULTILINE | re.IGNORECASE,
)
_ODD = re.compile(rb"\.\.\.\n|\nVmFlags:(?!(?: +[!-~]{1,%d}){0,200} *\n)" % _LONGEST_FLAG)
_KEY_BEHIND = re.compile(rb"^[0-9a-f]+-[^\n]* [A-Z]\w+:[ \t]+[0-9]+ kB$", re.MULTILINE)  # joined by awk
_DETAIL: dict[str, Literal["maps", "smaps"]] = {"maps": "maps", "smaps": "smaps"}
_KEYS = re.compile(rb"^(\w{1,%d}):" % LONGEST_KEY, re.MULTILINE)
_OF_SMAPS = {*KNOWN_COUNTERS, *PAGE_SIZES, "thp_eligible", "protection_key"}
_SIZE = re.compile(rb"^Size:[ \t]+([0-9]{1,16}) kB$", re.MULTILINE)
_PAGE_SIZE = re.compile(rb"^KernelPageSize:[ \t]+([0-9]{1,20}) kB$", re.MULTILINE)


@dataclass(slots=True)
class _SmapsRecord:
    """A row of maps and the lines of smaps after it."""

    line: Line
    header: MapsRow
    values: dict[str, Scalar] = field(default_factory=dict)
    flags: tuple[str, ...] | None = None
    name: str = ""


class _LineBelow(NamedTuple):
    """A line after a header: a key with its value, flags, a name, or one that is only nearly a header."""

    key: str = ""
    value: Scalar = None
    counts: bool = False
    flags: tuple[str, ...] | None = None
    name: str = ""
    nearly: bool = False


def _mark(text: str) -> Mark | None:
    """Return the role of a line; one that is nearly a header is kept with its neighbours, to be reported."""
    if header := read_row(text):
        rollup = header.name.strip() == _ROLLUP
        return Mark(LineRole.ROW, header.start, _ROLLUP if rollup else _once(header.name), first=rollup)
    if is_empty_range(text):
        return Mark(LineRole.ROW)
    if part := _part(text):
        return Mark(LineRole.MORE, attached=not part.nearly)
    return Mark(LineRole.BEGIN) if _COMMAND.fullmatch(text) else None


def _part(text: str) -> _LineBelow | None:
    """Read a line that is no header; most of them are the same over and over."""
    return _short_part(text) if len(text) < _SHORT else _any_part(text)


def _any_part(text: str) -> _LineBelow | None:
    if found := _FLAGS.fullmatch(text):
        return _LineBelow(flags=tuple(printable(found[1]).split()))
    if found := _NAME.fullmatch(text):
        return _LineBelow(name=found[1])
    if (found := _KEY.fullmatch(text)) and not _is_of_others(found[1]):
        return _keyed(*found.groups())
    if _NAME_ALONE.fullmatch(text):
        return _LineBelow(name=text)
    return _LineBelow(nearly=True) if _NEARLY.match(text) else None


_short_part = lru_cache(maxsize=4096)(_any_part)


def _is_of_others(key: str) -> bool:
    """Return whether a key belongs to another file than smaps."""
    return key in STATUS_KEYS or bool(_IS_OF_OTHERS.match(key))


def _keyed(key: str, number: str | None, unit: str | None, text: str | None) -> _LineBelow:
    """Read a key and its value: kB as bytes, other units as unknown, bare numbers and words as they are."""
    name = snake_case(key)
    counts = unit is not None and name not in PAGE_SIZES
    if number is None:
        known = name in KNOWN_COUNTERS
        return _LineBelow(name, None if known else printable(text or ""), counts=known)
    if unit is None and name in PAGE_SIZES:
        return _LineBelow(name)
    size = int(number) << 10 if unit == "kB" else ADDRESS_LIMIT + 1
    return _LineBelow(name, int(number) if unit is None else size if size <= ADDRESS_LIMIT else None, counts)


def _once(name: str) -> str:
    found = _ONCE.search(name)
    return found[0] if found else ""


class _ProcTextReader:
    """Reads one listing line by line into a draft."""

    def __init__(self, section: Section, name: str) -> None:
        self.draft = Draft(section, name, _DETAIL.get(name))
        self.records: list[_SmapsRecord] = []
        self._record: _SmapsRecord | None = None  # to which a key belongs
        self._joined: list[int] = []
        self._orphans: list[int] = []

    def read(self) -> None:
        """Read all lines, then say what was strange about them."""
        for line in self.draft.section.lines:
            self._line(line)
        self._refuse_half_ranges()
        if self._orphans:
            self.draft.doubt("of a mapping whose own row is missing, not read", self._orphans)
        if self._joined:
            self.draft.doubt("a name on a line of its own was joined to the line before it", self._joined)

    def _refuse_half_ranges(self) -> None:
        """Drop headers with one address that no key follows: those are no smaps, but broken maps."""
        read, self.records = self.records, []
        for record in read:
            if record.header.end is None and not record.values:
                self.draft.could_not_read(record.line)
            else:
                self.records.append(record)
        self.draft.unread.sort()

    def _line(self, line: Line) -> None:
        text = line.text
        if header := read_row(text):
            self._record = _SmapsRecord(line, header)
            self.records.append(self._record)
        elif is_empty_range(text):
            self.draft.doubt("an empty range, which no mapping has: left out", [line.number])
        elif part := _part(text):
            self._take(line, part)
        elif found := _COMMAND.fullmatch(text):
            self.draft.process = Process(pid=int(found[1]))
            self.draft.know(line)

    def _take(self, line: Line, part: _LineBelow) -> None:
        """Add what a line says to the record before it."""
        if part.nearly:
            self._record = None
            self.draft.could_not_read(line)
        elif self._record is None and not part.name:
            self._orphans.append(line.number)
        elif self._record is None or (part.name == line.text and not self._lacks_a_name(line)):
            return
        elif part.key in self._record.values or (part.flags is not None and self._record.flags is not None):
            self._record = None
            self._orphans.append(line.number)
        elif part.key:
            self._note(part)
            self._record.values[part.key] = part.value
        elif part.flags is not None:
            self._record.flags = part.flags
        else:
            if part.name == line.text:
                self._joined.append(line.number)
            self._record.name = self._record.name or part.name
        self.draft.know(line)

    def _lacks_a_name(self, line: Line) -> bool:
        record = self._record
        return record is not None and not record.header.name and record.line.number == line.number - 1

    def _note(self, part: _LineBelow) -> None:
        name, draft = part.key, self.draft
        if name not in draft.counters and name not in draft.attributes and name not in DERIVED:
            (draft.counters if part.counts else draft.attributes)[name] = None


def _mapping(record: _SmapsRecord) -> Mapping:
    header = record.header
    values = dict(record.values)
    if header.end is not None:
        values.pop("size", None)
    named = header if header.name.strip(" \t\xa0") else header._replace(name=record.name)
    return named.mapping()._replace(flags=record.flags, values=values)


def parse(section: Section) -> Snapshot:
    """Read one listing of maps, smaps or smaps_rollup.

    Raises:
        ListingError: its mappings overlap, or none of its lines can be read.
    """
    name = _is_called(section.lines)
    reader = _ProcTextReader(section, name)
    reader.read()
    draft = reader.draft
    if name == "smaps_rollup":
        return _rollup(draft, reader.records)
    for record in reader.records:
        draft.add(record.line, _mapping(record))
    _say_what_is_missing(draft, reader.records)
    mappings = [row.mapping for row in draft.rows]
    for lie in _lies(mappings):
        draft.doubt(lie)
    draft.host = Host(page_size=_page_size(mapping.values.get("kernel_page_size") for mapping in mappings))
    return draft.snapshot(EXPECTED)


def _rollup(draft: Draft, records: Sequence[_SmapsRecord]) -> Snapshot:
    """The kernel's totals of a process without its mappings."""
    stated = records[0].values if records else {}
    for record in records:
        draft.know(record.line)
    for name in draft.counters:
        value = stated.get(name)
        draft.rollup[name] = value if isinstance(value, int) else None
    draft.attributes.clear()
    return draft.snapshot(EXPECTED)


def _say_what_is_missing(draft: Draft, records: Sequence[_SmapsRecord]) -> None:
    """Record a doubt for headers with less than the kernel writes, and records that contradict theirs."""
    brief = [record.line.number for record in records if record.header.inode is None]
    if brief:
        draft.doubt("tells less than Linux's maps do: what is missing is unknown", brief)
    cut = [record.line.number for record in records if record.header.name.endswith(("...", "…"))]
    if cut:
        draft.doubt("the name was cut short", cut)
    wrong = [record.line.number for record in records if not _size_fits(record)]
    if wrong:
        draft.doubt("the Size that is stated is not the length of the range; the range was taken", wrong)
    short = [record.line.number for record in records if draft.counters.keys() - record.values.keys()]
    if short:
        draft.doubt("does not report all that other mappings do: that is unknown", short)


def _size_fits(record: _SmapsRecord) -> bool:
    end, size = record.header.end, record.values.get("size")
    return end is None or not isinstance(size, int) or size == end - record.header.start


def _lies(mappings: Iterable[Mapping]) -> list[str]:
    """Return what a kernel is known to print wrongly: Pss as Locked, in mappings that are not locked too."""
    claims = [(mapping.values.get("locked"), mapping) for mapping in mappings if mapping.values.get("locked")]
    if not claims or any(locked != mapping.values.get("pss") for locked, mapping in claims):
        return []
    if any(mapping.flags is None or "lo" in mapping.flags for _, mapping in claims):
        return []
    return ["Locked is Pss, in mappings that are not locked: kernels 4.14 to 4.18 print so"]


def _page_size(sizes: Iterable[Scalar]) -> int | None:
    """Infer the host's page size: the smallest that backs a mapping."""
    return min((size for size in sizes if isinstance(size, int) and size), default=None)


def quick(data: bytes, source: str) -> Snapshot | None:
    """Read what a kernel wrote and nobody touched; None where that is not what it is."""
    if not _AS_WRITTEN.match(data) or b"\r" in data or b"\0" in data or not data.endswith(b"\n"):
        return None
    name = "smaps" if b"\nRss:" in data[:4096] else "maps"
    if data.count(b"\n") > MOST_MAPPINGS:
        _refuse_too_many(data, source)
    page_size = _page_size({int(size) << 10 for size in set(_PAGE_SIZE.findall(data))})
    try:
        listing = fast_reader.parse([data], source=source, page_size=page_size)
    except ListingError:
        return None
    if not _is_plain(name, data, listing):
        return None
    mappings = tuple(map(tidied, listing.mappings))
    if mappings != listing.mappings:
        mappings = tuple(with_kinds(mappings))
    origin = Origin(
        source=name,
        detail=_DETAIL[name],
        doubts=tuple(_lies(mappings)),
        counters=listing.counters,
        attributes=listing.attributes,
    )
    try:
        return Snapshot(origin=origin, host=Host(page_size=page_size), mappings=mappings)
    except ValidationError:
        return None


def _refuse_too_many(data: bytes, source: str) -> None:
    """Refuse more mappings than any process has before they are read one by one.

    Raises:
        ListingError: there are that many.
    """
    for number, header in enumerate(_AS_WRITTEN.finditer(data)):
        if number == MOST_MAPPINGS:
            line = data.count(b"\n", 0, header.start()) + 1
            raise ListingError(source, line, f"at most {MOST_MAPPINGS:,} mappings", header[0].decode())


def _is_plain(name: str, data: bytes, listing: fast_reader.Listing) -> bool:
    """Return whether every record reports the same keys, so that a counter left out is 0, and sizes fit."""
    sizes = _SIZE.findall(data)
    keys = (*listing.counters, *listing.attributes)
    if not listing.mappings or not listing.uniform:
        return False
    if (
        _ODD.search(data)
        or _PASTED.search(data)
        or len(_KEY_BEHIND.findall(data)) * 2 > len(listing.mappings)
        or not _is_backed_as_printed(listing.mappings)
    ):
        return False
    if (name == "smaps") != bool(keys) or (name == "smaps") != (b"\nVmFlags:" in data):
        return False
    if "name" in listing.attributes or listing.mappings[0].path == _ROLLUP:
        return False
    if not set(keys) <= _OF_SMAPS and any(_is_of_others(key.decode()) for key in set(_KEYS.findall(data))):
        return False
    blocks = {id(mapping.values): mapping.values for mapping in listing.mappings}.values()
    if any(not isinstance(value, int) or value > ADDRESS_LIMIT for one in blocks for value in one.values()):
        return False  # a number with something else on its line, or one that is none
    if data.count(b"\nSize:") != len(sizes) or len(sizes) not in {0, len(listing.mappings)}:
        return False
    return not sizes or sum(map(int, sizes)) << 10 == sum(mapping.size or 0 for mapping in listing.mappings)


def _is_backed_as_printed(mappings: Sequence[Mapping]) -> bool:
    """Return whether devices, inodes and where names begin are as the kernel prints them."""
    devices = {mapping.device or "" for mapping in mappings}
    inodes = {mapping.inode or "" for mapping in mappings}
    names = {mapping.path or "/" for mapping in mappings}
    numbers = all(map(_DEVICE.fullmatch, devices)) and all(map(_INODE.fullmatch, inodes))
    return numbers and not any(name[0].isspace() or len(name) > LONGEST_STRING for name in names)


def _is_called(lines: Sequence[Line]) -> str:
    """Name the format of a listing by its first header and whether any key follows a header."""
    headers = (header for line in lines if (header := read_row(line.text)))
    first = next(headers, None)
    if first is not None and first.name.strip() == _ROLLUP:
        return "smaps_rollup"
    return "smaps" if any(_KEY.fullmatch(line.text) for line in lines) else "maps"


FORMAT = TextFormat(
    "maps or smaps",
    hint=at_line_start(r"(?:0x)?[0-9a-fA-F]{1,17}-(?:0x)?[0-9a-fA-F]{1,17}[:\s]|[A-Za-z]\w*:[ \t]+[0-9]+ kB"),
    mark=_mark,
    parse=parse,
    quick=quick,
    nearly=_NEARLY,
    expected=EXPECTED,
    exact=True,
)
