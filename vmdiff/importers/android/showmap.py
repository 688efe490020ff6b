"""Android's ``showmap``, with ``-a``, ``-v`` and ``-t``: a table whose columns its second header line names.

Facts: showmap.c (Android 4 to 9), libmeminfo/tools/showmap.cpp (since 10). Without ``-a`` and ``-v`` a row
is the sum of all mappings of one name, and memory without a name right after a library counts as the
library's. Their number (``#``) has stayed at 1 since Android 10. The totals count what ``-t`` leaves out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.procfs.fast_reader import snake_case
from vmdiff.importers.procfs.kernel_row_text import name_of
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import Mapping, Scalar, Snapshot, owner
from vmdiff.model.mapping import ADDRESS_LIMIT

EXPECTED = "a row of showmap: as many numbers as its header has columns, and a name"

_HEADER = re.compile(r"(?:addr\s+addr\s+)?size\s+RSS\s+PSS\s+(?:clean\s+dirty\s+){2}.*\bobject\s*")
_FIRST_HEADER = re.compile(r"(?:start\s+end\s+)?virtual\s+(?:\w+\s+){2,20}\w*\s*")
_ANY_ROW = re.compile(r"(?:[0-9a-f]{4,16}\s+){0,2}(?:[0-9]{1,15}\s+){7}")
_TOTAL_ROW = re.compile(r"(?:[0-9]{1,15}\s+){7,20}(?:---\s+)?TOTAL\s*")
_PAIRS = {  # words that stand for another counter each time they are met
    "clean": ("shared_clean", "private_clean"),
    "dirty": ("shared_dirty", "private_dirty"),
    "PmdMapped": ("shmem_pmd_mapped", "file_pmd_mapped"),
    "Hugetlb": ("shared_hugetlb", "private_hugetlb"),
    "HugePages": ("anon_huge_pages",),
    "swapPSS": ("swap_pss",),
    "RSS": ("rss",),
    "PSS": ("pss",),
}
_NOT_AMOUNTS = frozenset({"#", "flags", "object", "addr"})
_BSS = " [bss]"
_TOTAL = "TOTAL"


class _ShowmapColumns(NamedTuple):
    """The amounts by name, whether addresses come before them, and whether a row is one mapping."""

    names: tuple[str, ...]
    addresses: bool
    counted: bool


def _columns(header: str) -> _ShowmapColumns:
    words = header.split()
    names: list[str] = []
    for word in words:
        if word not in _NOT_AMOUNTS:
            known = _PAIRS.get(word, (snake_case(word),))
            names.append(next((name for name in known if name not in names), known[-1]))
    return _ShowmapColumns(tuple(names), words[0] == "addr", "#" in words)


def _find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the tables: from a header to the total, before which the header is repeated."""
    found: list[tuple[int, int]] = []
    first: int | None = None
    stop = 0
    for index, line in enumerate(lines):
        if _HEADER.fullmatch(line.text):
            if first is not None and not _leads_to_total(lines, index) and stop > first + 1:
                found.append((first, stop))
                first = None
            first, stop = (index, index + 1) if first is None else (first, index + 1)
        elif first is not None and _ANY_ROW.match(line.text):
            stop = index + 1
            if _TOTAL_ROW.fullmatch(line.text):
                found.append((first, stop))
                first = None
    return [*found, (first, stop)] if first is not None and stop > first + 1 else found


def _leads_to_total(lines: Sequence[Line], header: int) -> bool:
    return any(_TOTAL_ROW.fullmatch(line.text) for line in lines[header + 1 : header + 4])


class _ShowmapRow(NamedTuple):
    """A row, taken apart; *sizes* are bytes by column."""

    start: int | None
    end: int | None
    sizes: dict[str, int]
    perms: str
    name: str


def _rows(section: Section, columns: _ShowmapColumns, draft: Draft) -> Iterator[tuple[Line, _ShowmapRow]]:
    for line in section.lines:
        if row := _row(line.text, columns):
            yield line, row
        elif _HEADER.fullmatch(line.text) or _FIRST_HEADER.fullmatch(line.text):
            draft.know(line)
        elif _ANY_ROW.match(line.text):
            draft.could_not_read(line)


def _row(text: str, columns: _ShowmapColumns) -> _ShowmapRow | None:
    words = text.split(maxsplit=2)
    start = end = None
    if columns.addresses and not _TOTAL_ROW.fullmatch(text):
        if len(words) < 3 or not all(re.fullmatch("[0-9a-f]{1,16}", word) for word in words[:2]):
            return None
        start, end, text = int(words[0], 16), int(words[1], 16), words[2]
    count = len(columns.names) + columns.counted
    fields = text.split(maxsplit=count)
    numbers, rest = fields[:count], fields[count:]
    if len(numbers) < count or not all(_is_number(number) for number in numbers):
        return None
    if start is not None and end is not None and not start < end <= ADDRESS_LIMIT:
        return None
    name = rest[0].rstrip() if rest else ""
    perms, name = _flags(name)
    sizes = {column: int(number) << 10 for column, number in zip(columns.names, numbers, strict=False)}
    return _ShowmapRow(start, end, sizes, perms, name)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _flags(name: str) -> tuple[str, str]:
    """Split off the permissions that ``-v`` prints before the name."""
    found = re.match(r"([r-][w-][x-])(?:\s+|$)", name)
    return (f"{found[1]}?", name[found.end() :]) if found else ("????", name)


def _mapping(row: _ShowmapRow) -> Mapping:
    values: dict[str, Scalar] = {**row.sizes}
    if row.start is not None:
        del values["size"]
    bss = row.name.endswith(_BSS)
    name = name_of(row.name.removesuffix(_BSS).encode("utf-8", "surrogateescape"))
    mapping = Mapping(row.start, row.end, row.perms, offset=None, device=None, inode=None, values=values)
    if bss:
        evidence = f"showmap calls it so: it has no name and starts where {name.path} ends"
        return mapping._replace(owner=owner("bss", "shape", evidence))
    path = None if name.path == "[anon]" else name.path
    return mapping._replace(path=path, deleted=name.deleted, path_hex=name.path_hex)


def parse(section: Section) -> Snapshot:
    """Read one table of showmap.

    Raises:
        ListingError: its rows overlap, or none of them can be read.
    """
    draft = Draft(section, "showmap")
    header = next(line.text for line in section.lines if _HEADER.fullmatch(line.text))
    columns = _columns(header)
    draft.counters = dict.fromkeys(name for name in columns.names if name != "size")
    totals: dict[str, int] = {}
    for line, row in _rows(section, columns, draft):
        if row.name == _TOTAL:
            totals = row.sizes
            draft.know(line)
        else:
            draft.add(line, _mapping(row))
    if not columns.addresses:
        draft.doubt("showmap without -a tells no addresses")
    if columns.counted:
        draft.doubt(
            "each row is the sum of all mappings of one name, and memory without a name right after a library"
            " counts as the library's"
        )
    draft.compare_totals(totals)
    return draft.snapshot(EXPECTED)


def _mark(text: str) -> Mark | None:
    """Return the role of a line; only the header tells these rows from other numbers."""
    return Mark(LineRole.BEGIN) if _HEADER.fullmatch(text) else None


FORMAT = TextFormat(
    "showmap",
    hint=re.compile(r"size[ \t]+RSS[ \t]+PSS[ \t]+clean"),
    mark=_mark,
    parse=parse,
    find=_find,
    exact=True,
)
