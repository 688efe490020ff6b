"""Read the memory map that AddressSanitizer and its sisters print: ``==PID==Process memory map follows:``.

Facts: compiler-rt's ``sanitizer_posix.cpp`` (DumpProcessMap: bounds and name, no permissions, no offsets)
and ``sanitizer_mac.cpp`` (``Process module map``: path, architecture, UUID); ``asan_mapping.h`` for where the
shadow lies and ``asan_allocator.h`` for the heap. Those addresses are only defaults, so owners are likely.
"""

import re
from collections.abc import Sequence

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.gdb import kind_without_permissions
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Kind, Mapping, Owner, Process, Snapshot, owner

EXPECTED = "0xSTART-0xEND [PATH]"

_TITLE = re.compile(
    r"(?:==(?:[\w.:-]{1,80}==)?([0-9]{1,10})==\s?)?Process (?:memory|module) map(?: follows)?:"
)
_END = re.compile(r"(?:==(?:[\w.:-]{1,80}==)?[0-9]{1,10}==\s?)?End of (?:process memory|module) map\.?")
_ERROR = re.compile(r"==(?:[\w.:-]{1,80}==)?([0-9]{1,10})==\s?(?:ERROR|WARNING|FATAL): (\w{1,40}Sanitizer)")
_ROW = re.compile(r"(0x[0-9a-f]{6,16})-(0x[0-9a-f]{6,17})(?:[\s:]+(.*))?", re.DOTALL)
_OF_REPORT = re.compile(r"==(?:[\w.:-]{1,80}==)?[0-9]{1,10}==")
_MODULE = re.compile(r"(.*) \((\w{1,20})\) <?([0-9A-Fa-f-]{32,36})>?")
_BEGINNING = re.compile(r"0x[0-9a-f]{0,16}(?:-(?:0x?[0-9a-f]{0,16})?)?")

# AddressSanitizer on Linux x86-64: asan_mapping.h's table, and the allocator's space.
_SHADOW = ((0x7FFF7000, 0x10007FFF8000),)
_HEAP = ((0x600000000000, 0x640000000000), (0x500000000000, 0x540000000000))


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the maps; rows above a map's title belong to none."""
    found = []
    title = None
    for first, stop in find_sections(lines, _mark):
        title = next((index for index in range(first, stop) if _TITLE.search(lines[index].text[:200])), None)
        if title is not None:
            found.append((first, stop))
    return found


def _mark(text: str) -> Mark | None:
    if _ERROR.match(text) or _TITLE.match(text):
        return Mark(LineRole.BEGIN)
    if _END.match(text):
        return Mark(LineRole.END)
    if _OF_REPORT.match(text):
        return Mark(LineRole.MORE)
    found = _ROW.fullmatch(text)
    if found is not None and (start := hexadecimal(found[1])) is not None:
        return Mark(LineRole.ROW, start)
    return Mark(LineRole.MORE) if text and _BEGINNING.fullmatch(text) else None


def parse(section: Section) -> Snapshot:
    """Read the map.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "sanitizer")
    tool = pid = None
    ended = False
    for line in section.lines:
        text = line.text
        if (row := _ROW.fullmatch(text)) is not None:
            _add(draft, line, row)
        elif found := _ERROR.match(text):
            pid, tool = found[1], found[2]
            draft.know(line)
        elif found := _TITLE.match(text):
            pid = found[1] or pid
            draft.know(line)
        elif _END.match(text):
            ended = True
            draft.know(line)
        elif _OF_REPORT.match(text):
            draft.know(line)
        elif text.startswith("0x"):
            draft.could_not_read(line)
        elif not draft.rows and not text[:1].isdigit():  # the report's error, backtrace and shadow
            draft.know(line)
    if not ended:
        draft.doubt("the line that ends the map is missing: it may be cut short")
    draft.doubt("the listing tells no permissions")
    draft.process = Process(pid=int(pid) if pid else None)
    _name(draft, tool)
    return draft.snapshot(EXPECTED, kinds=False)


def _add(draft: Draft, line: Line, row: re.Match[str]) -> None:
    start, end = hexadecimal(row[1]), hexadecimal(row[2])
    if start is None or end is None or start >= end:
        draft.could_not_read(line)
        return
    path, build_id = (row[3] or "").strip() or None, None
    if path is not None and (module := _MODULE.fullmatch(path)):
        path, build_id = module[1], module[3].replace("-", "").lower()
    deleted = path is not None and path.endswith(" (deleted)")
    if path is not None and deleted:
        path = path.removesuffix(" (deleted)")
    draft.add(
        line,
        Mapping(
            start, end, "????", Kind.ANONYMOUS, None, None, None, path, deleted=deleted, build_id=build_id
        ),
    )


def _name(draft: Draft, tool: str | None) -> None:
    """Set the kinds of the mappings and, where the sanitizer keeps its own memory, their owners."""
    pieces: dict[str, int] = {}
    for row in draft.rows:
        if row.mapping.path:
            pieces[row.mapping.path] = pieces.get(row.mapping.path, 0) + 1
    shadowed = tool in {None, "AddressSanitizer"} and any(
        row.mapping.start == 0x7FFF7000 for row in draft.rows
    )
    for index, row in enumerate(draft.rows):
        mapping = row.mapping
        kind = kind_without_permissions(mapping.path, pieces)
        whose = _owner(mapping) if shadowed and mapping.path is None else None
        draft.rows[index] = row._replace(mapping=mapping._replace(kind=kind, owner=whose))


def _owner(mapping: Mapping) -> Owner | None:
    if mapping.start is None or mapping.end is None:
        return None
    for name, places in (("sanitizer shadow", _SHADOW), ("sanitizer heap", _HEAP)):
        for low, high in places:
            if low <= mapping.start < mapping.end <= high:
                place = f"{low:x}-{high:x}, where AddressSanitizer keeps it on x86-64"
                return owner(name, "shape", f"within {place}")
    return None


FORMAT = TextFormat(
    "sanitizer",
    hint=re.compile(r"Process (?:memory|module) map(?: follows)?:"),
    mark=_mark,
    parse=parse,
    find=find,
    embeds=("system-map",),
)
