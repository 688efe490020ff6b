"""Read the CSV file of Sysinternals VMMap: the regions of a Windows process, or its summary by type.

Facts: VMMap's help (Details View) and the files that ``vmmap -p PID out.csv`` writes: every cell is quoted,
sizes are KB with separators of thousands, zeros are left out, addresses are hexadecimal. A region is followed
by its blocks, with indented addresses: a block is a mapping, and so is a region without any.
"""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import Host, Kind, Mapping, Owner, Process, Scalar, Snapshot, owner

EXPECTED = '"ADDRESS","TYPE","SIZE",..., as the header above names them'

_COLUMNS = {
    "Total WS": "rss",
    "Private WS": "private_resident",
    "Shareable WS": "shareable_resident",
    "Shared WS": "shared_resident",
    "Locked WS": "locked",
    "Committed": "committed",
    "Private": "private_committed",
}
_CELLS = re.compile(r'"?[^",]{1,40}"?(?:[,;\t].*)')
_PROCESS = re.compile(r'"?(Process Name|Process|PID|Computer|Date)"?[:,]"?,?\s?"?(.{1,300}?)"?,*')
_KINDS = {
    "Image": Kind.IMAGE,
    "Mapped File": Kind.FILE,
    "Shareable": Kind.SHARED_MEMORY,
    "Free": None,
    "Unusable": Kind.RESERVED,
}
_OWNERS = {
    "Heap": "windows heap",
    "Managed Heap": "managed heap",
    "Stack": "thread stack",
    "Thread Stack": "thread stack",
    "Page Table": "kernel",
}
_PRIVATE = ("Private Data", "Heap", "Stack", "Thread Stack", "Managed Heap")
_PROTECTIONS = {
    "Read": "r--",
    "Read/Write": "rw-",
    "Execute": "--x",
    "Execute/Read": "r-x",
    "Execute/Read/Write": "rwx",
    "Copy on write": "rw-",
    "Execute/Copy on write": "rwx",
    "No access": "---",
    "No Access": "---",
    "Reserved": "---",
    "Read/Write/Guard": "rw-",
}
_THREAD = re.compile(r"Thread(?: ID)?:? ([0-9]{1,10})")


class _CsvTable(NamedTuple):
    """The columns of the table of regions (*addresses*) or of types."""

    names: tuple[str, ...]
    addresses: bool


def _cells(text: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter="\t" if "\t" in text and "," not in text else ","), [])
    except csv.Error:
        return []


def _table(text: str) -> _CsvTable | None:
    if "Total WS" not in text or "Size" not in text:
        return None
    names = tuple(cell.strip() for cell in _cells(text))
    return _CsvTable(names, names[0] == "Address") if names[:1] in (("Address",), ("Type",)) else None


def _mark(text: str) -> Mark | None:
    if table := _table(text):
        return Mark(LineRole.BEGIN, once="Address" if table.addresses else "Type")
    if "," not in text and "\t" not in text:
        return None
    if (found := _PROCESS.fullmatch(text)) and found[1] != "Date":
        return Mark(LineRole.BEGIN, once="process")
    cells = _cells(text)
    start = hexadecimal(cells[0].strip()) if len(cells) > 5 and len(cells[0].strip()) >= 8 else None
    return Mark(LineRole.ROW) if start is not None and text.count('"') > 9 else None


def _find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the file's listing: from the first line about the process or its summary to the last cell."""
    heads = [index for index, line in enumerate(lines) if _table(line.text) is not None]
    if not heads:
        return []
    first = next((i for i, line in enumerate(lines[: heads[0]]) if _PROCESS.fullmatch(line.text)), heads[0])
    last = max(i for i, line in enumerate(lines) if i in heads or _CELLS.fullmatch(line.text.strip()))
    return [(first, last + 1)]


def parse(section: Section) -> Snapshot:
    """Read the regions, or where there are none the types.

    Raises:
        ListingError: regions overlap, or no line is one.
    """
    draft = Draft(section, "windows-vmmap", host=Host(system="Windows"))
    table: _CsvTable | None = None
    regions: list[tuple[Line, dict[str, str]]] = []
    types: list[tuple[Line, dict[str, str]]] = []
    facts: dict[str, str] = {}
    for line in section.lines:
        if found_table := _table(line.text):
            table = found_table
            draft.know(line)
        elif table is None and (found := _PROCESS.fullmatch(line.text)):
            facts[found[1]] = found[2].strip()
            draft.know(line)
        elif table is not None and (cells := _cells(line.text)) and len(cells) > 2:
            row = dict(zip(table.names, cells, strict=False))
            (regions if table.addresses else types).append((line, row))
            draft.know(line)
    pid = facts.get("PID", "")
    name = facts.get("Process Name") or facts.get("Process")
    draft.process = Process(pid=int(pid) if pid.isdigit() and len(pid) < 11 else None, name=name)
    _name_counters(draft, table)
    if regions:
        _add_regions(draft, regions)
    else:
        _add_types(draft, types)
    return draft.snapshot(EXPECTED, kinds=False)


def _name_counters(draft: Draft, table: _CsvTable | None) -> None:
    if table:
        draft.counters.update(dict.fromkeys(_COLUMNS[name] for name in table.names if name in _COLUMNS))
        draft.attributes["region_type"] = None


def _add_regions(draft: Draft, regions: Sequence[tuple[Line, dict[str, str]]]) -> None:
    """Add the blocks; a region whose blocks follow is their sum."""
    for (line, row), after in zip(regions, [*regions[1:], None], strict=True):
        start, size = hexadecimal(row["Address"].strip()), _kilobytes(row.get("Size", ""))
        if row.get("Type") == "Free":
            continue
        if start is None or not size:
            draft.could_not_read(line)
            continue
        if (
            after is not None
            and not _is_block(row)
            and _is_block(after[1])
            and _within(after[1], start, size)
        ):
            continue
        draft.add(line, _mapping(row)._replace(start=start, end=start + size))


def _is_block(row: dict[str, str]) -> bool:
    return row["Address"].startswith(" ")


def _within(row: dict[str, str], start: int, size: int) -> bool:
    at = hexadecimal(row["Address"].strip())
    return at is not None and start <= at < start + size


def _add_types(draft: Draft, types: Sequence[tuple[Line, dict[str, str]]]) -> None:
    """Add a mapping without addresses for each type; the first row is their sum."""
    for line, row in types:
        if row["Type"] in {"Free", "Unusable"}:
            continue
        mapping = _mapping(row)
        size = _kilobytes(row.get("Size", ""))
        if row["Type"] == "Total":
            draft.rollup["size"] = size
            continue
        draft.add(line, mapping._replace(values={**mapping.values, "size": size}))
    draft.doubt("a summary: one row stands for all regions of a type, without addresses or permissions")


def _mapping(row: dict[str, str]) -> Mapping:
    type_ = row.get("Type", "").strip()
    details = row.get("Details", "").strip()
    protection = _PROTECTIONS.get(row.get("Protection", "").strip(), "???")
    values: dict[str, Scalar] = {
        counter: _kilobytes(row[column]) or 0 for column, counter in _COLUMNS.items() if column in row
    }
    values["region_type"] = type_
    kind = _KINDS.get(type_) or (Kind.RESERVED if protection == "---" else Kind.ANONYMOUS)
    path = details if re.match(r"[A-Za-z]:\\|\\\\|\\Device\\", details) else None
    sharing = (
        "p" if type_.startswith(("Private Data", "Heap", "Stack", "Thread Stack", "Managed Heap")) else "?"
    )
    return Mapping(
        None,
        None,
        protection + sharing,
        kind,
        None,
        None,
        None,
        path,
        owner=_owner(type_, details),
        values=values,
    )


def _owner(type_: str, details: str) -> Owner | None:
    name = next((name for prefix, name in _OWNERS.items() if type_.startswith(prefix)), None)
    if name is None:
        return None
    thread = _THREAD.search(details)
    tid = int(thread[1]) if thread and name == "thread stack" else None
    return owner(name, "name", f"VMMap's type is {type_}", label=details or None, tid=tid)


def _kilobytes(text: str) -> int | None:
    digits = re.sub(r"[\s,.'\xa0\u202f]", "", text)
    return int(digits) << 10 if digits.isascii() and digits.isdigit() and len(digits) < 16 else None


FORMAT = TextFormat(
    "windows-vmmap",
    hint=re.compile(r"\"?(?:Address|Type)\"?,\"?(?:Type|Size)\"?,.*Total WS"),
    mark=_mark,
    parse=parse,
    find=_find,
    expected=EXPECTED,
)
