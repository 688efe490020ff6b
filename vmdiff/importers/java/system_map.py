"""Read what ``jcmd PID System.map`` (and ``-XX:+PrintMemoryMapAtExit``) of JDK 24 and later writes.

Facts: HotSpot's ``os/*/memMapPrinter_*.cpp`` for Linux, macOS and Windows. Sizes are in
bytes. The tags come from native memory tracking, so without it nobody's memory is named; several tags are
joined by a comma. The header names the columns, which differ between systems and versions.
"""

import re
from collections.abc import Sequence

from vmdiff import units
from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.java.nmt_tags import tagged
from vmdiff.importers.numbers import amount, hexadecimal, whole
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Host, Kind, Mapping, Process, Scalar, Snapshot

EXPECTED = "FROM-TO VSIZE PROT RSS HUGETLB PGSZ NOTES INFO FILE"

_LINUX = ("vsize", "prot", "rss", "hugetlb", "pgsz", "notes", "info", "file")

_HEADER = re.compile(r"from {2,60}to {2,60}[a-z]")
_RANGE = re.compile(r"(0x[0-9a-f]{1,16}) ?- ?(0x[0-9a-f]{1,17})\s{1,80}(\S.*)", re.DOTALL)
_ROW_TAIL = re.compile(r"(?:[0-9]{1,20} {1,60})?[r-][w-][x-](?:[sp-]|/[r-][w-][x-]|[cgnW]{1,4})?\s")
_PERMS = re.compile(r"([r-][w-][x-])(?:([sp-])|/[r-][w-][x-]|[cgnW]{1,4})?")
_PID = re.compile(r"([0-9]{1,10}):")
_TOTAL = re.compile(r"\s{0,40}([A-Za-z ]{2,20}):\s{1,10}([0-9]{1,20})\b")
_LEGEND = re.compile(r"from, to, vsize: |vm info: |NMT is disabled")
_PATH = re.compile(r"/|[A-Za-z]:\\|\\\\")

_COUNTERS = {"rss": "rss", "hugetlb": "private_hugetlb"}
_ROLLUP = {"vsize": "size", "rss": "rss", "swapped out": "swap", "hugetlb": "private_hugetlb"}
_SYSTEMS = {"hugetlb": "Linux", "share": "macOS", "state": "Windows"}
_MORE_TOTALS = frozenset({"committed", "shared", "using thp", "reserved", "private", "peak rss"})
# macOS's share modes, and Windows's types of memory behind the letter for committed or reserved.
_SHARING = {"cow": "p", "pvt": "p", "p/a": "p", "shr": "s", "tsh": "s", "s/a": "s"} | {
    "c-img": "p",
    "c-pvt": "p",
    "r-pvt": "p",
    "c-map": "s",
    "r-map": "s",
}
_KINDS = {"img": Kind.IMAGE, "map": Kind.SHARED_MEMORY, "pvt": Kind.ANONYMOUS}


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the listings of this format."""
    return find_sections(lines, _mark)


def _mark(text: str) -> Mark | None:
    if text == "Memory mappings:" or _HEADER.match(text):
        return Mark(LineRole.BEGIN)
    if _LEGEND.match(text) or _PID.fullmatch(text):
        return Mark(LineRole.MORE)
    if found := _RANGE.fullmatch(text):
        start = hexadecimal(found[1])
        fits = start is not None and _ROW_TAIL.match(found[3])
        return Mark(LineRole.ROW, start) if fits else None
    if (total := _TOTAL.match(text)) and total[1] == "Number of mappings":
        return Mark(LineRole.END)
    return Mark(LineRole.MORE) if total and (total[1] in _ROLLUP or total[1] in _MORE_TOTALS) else None


def parse(section: Section) -> Snapshot:
    """Read the table.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "system-map")
    columns: Sequence[str] = _LINUX
    stated: int | None = None
    for line in section.lines:
        if found := _RANGE.fullmatch(line.text):
            _row(draft, line, found, columns)
        elif _HEADER.match(line.text):
            columns = tuple(line.text.replace("/", " ").split()[2:])
            draft.know(line)
        elif (total := _TOTAL.match(line.text)) and total[1] == "Number of mappings":
            stated = int(total[2])
            draft.know(line)
        else:
            _fact(draft, line)
    draft.host = Host(system=next((name for column, name in _SYSTEMS.items() if column in columns), None))
    _compare(draft, stated)
    return draft.snapshot(EXPECTED, kinds="state" not in columns)


def _row(draft: Draft, line: Line, found: re.Match[str], columns: Sequence[str]) -> None:
    start, end = hexadecimal(found[1]), hexadecimal(found[2])
    words = found[3].split(None, len(columns) - 1)
    cells = dict(zip(columns, (word.strip() for word in words), strict=False))
    perms = _PERMS.fullmatch(cells.get("prot", ""))
    if perms is None or start is None or end is None or start >= end:
        draft.could_not_read(line)
        return
    values: dict[str, Scalar] = {}
    for column, name in _COUNTERS.items():
        if column in cells:
            values[name] = whole(cells[column])
            draft.counters[name] = None
    if whole(cells.get("vsize", "")) not in (None, end - start):
        draft.doubt("vsize is not that of the addresses, which were taken", [line.number])
    _attributes(draft, cells, values)
    info, path = _info(cells)
    draft.add(
        line,
        Mapping(
            start,
            end,
            perms[1] + _sharing(perms[2], cells),
            _kind(cells),
            offset=_offset(cells),
            device=None,
            inode=None,
            path=path,
            owner=tagged(info, f"System.map names it {info}"),
            values=values,
        ),
    )


def _attributes(draft: Draft, cells: dict[str, str], values: dict[str, Scalar]) -> None:
    if page := amount(cells.get("pgsz", "")):
        values["kernel_page_size"] = page[0]
    if cells.get("notes", "-") != "-":
        values["notes"] = cells["notes"]
    for column, name in (("share", "sharing"), ("state", "state")):
        if cells.get(column, "-").strip("-"):
            values[name] = cells[column]
    draft.attributes.update(dict.fromkeys(name for name in values if name not in _COUNTERS.values()))


def _sharing(letter: str | None, cells: dict[str, str]) -> str:
    return letter if letter in {"s", "p"} else _SHARING.get(cells.get("share") or cells.get("state", ""), "?")


def _kind(cells: dict[str, str]) -> Kind:
    """Name what is behind memory where Windows tells; a name would tell elsewhere."""
    state, _, type_ = cells.get("state", "").partition("-")
    return Kind.RESERVED if state == "r" else _KINDS.get(type_, Kind.ANONYMOUS)


def _offset(cells: dict[str, str]) -> int | None:
    """Return the offset where a column has it (macOS: from the start of the allocation; only of files)."""
    return hexadecimal(cells["offset"]) if "offset" in cells and "/" in cells.get("file", "") else None


def _info(cells: dict[str, str]) -> tuple[str, str | None]:
    """Return a row's tags and its path; on macOS they share a column, the system's own tags in brackets."""
    if "info" in cells or "vminfo" not in cells:
        path = cells.get("file", "-")
        return cells.get("info", "-"), None if path in {"", "-"} else path
    text = f"{cells['vminfo']} {cells.get('file', '')}".strip()
    if _PATH.match(text):
        return "-", text
    tag, _, path = text.partition(" ")
    return ("-" if tag.startswith("[") else tag), path.strip() or None


def _fact(draft: Draft, line: Line) -> None:
    text = line.text.strip()
    if found := _PID.fullmatch(text):
        draft.process = Process(pid=int(found[1]))
        draft.know(line)
    elif text.startswith("NMT is disabled"):
        draft.doubt("native memory tracking was off, so the machine's own memory is not named", [line.number])
    elif (total := _TOTAL.match(line.text)) and total[1] in _ROLLUP:
        if len(total[2]) <= 19:
            draft.rollup[_ROLLUP[total[1]]] = int(total[2])
            draft.know(line)
    elif text.startswith("0x"):
        draft.could_not_read(line)
    elif text == "Memory mappings:" or _LEGEND.match(text) or (total and total[1] in _MORE_TOTALS):
        draft.know(line)


def _compare(draft: Draft, stated: int | None) -> None:
    """Record a doubt where the rows do not add up to the totals below them."""
    if stated is not None and stated != len(draft.rows):
        draft.doubt(f"the listing counts {stated:,} mappings, its rows are {len(draft.rows):,}")
    for name in ("size", "rss"):
        said = draft.rollup.get(name)
        values = [
            m.size if name == "size" else m.values.get(name) for m in (row.mapping for row in draft.rows)
        ]
        found = sum(value for value in values if isinstance(value, int))
        if said is not None and said != found:
            draft.doubt(
                f"the rows' {name} adds up to {units.size(found)}, the listing says {units.size(said)}"
            )


FORMAT = TextFormat(
    "system-map",
    hint=re.compile(r"0x[0-9a-f]{8,16} ?- ?0x[0-9a-f]{8,16}\s{1,40}[0-9]{0,20} {0,20}[r-][w-][x-]"),
    mark=_mark,
    parse=parse,
)
