"""Read FreeBSD ``procstat -v PID`` and ``procstat vm PID``.

Facts: procstat(1); FreeBSD's ``usr.bin/procstat/procstat_vm.c``. RES and PRES count pages, of the mapping
and of the whole object behind it; REF and SHD count that object's users, which says nothing of this
process. No column tells whether writes are shared: a copy-on-write mapping (flag C) is private, of the
others it is unknown.
CheriBSD adds capability rights to the protection, guards (type ``gd``), and rows of several processes
in one address space.
"""

import re
from collections.abc import Iterator, Sequence

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Host, Kind, Mapping, Owner, Process, Scalar, Snapshot, images, owner
from vmdiff.model.kind import kind_of

EXPECTED = "PID START END PRT RES PRES REF SHD FLAG TP [PATH]"

PAGE = 4096  # the base page of every released FreeBSD platform

_HEADER = re.compile(r"PID\s+START\s+END\s+PRT\s")
_ROW = re.compile(
    r"\s{0,40}([0-9]{1,10})\s{1,40}(0x[0-9a-f]{1,16})\s{1,40}(0x[0-9a-f]{1,17})\s{1,40}([r-][w-][x-][A-Za-z-]{0,9})"
    r"\s{1,40}([0-9]{1,15})\s{1,40}([0-9]{1,15})\s{1,40}([0-9]{1,15})\s{1,40}([0-9]{1,15})"
    r"\s{1,40}([A-Za-z-]{1,12})\s{1,40}([a-z?-]{2})(?:\s(.*))?"
)
_LOOKS_LIKE_ONE = re.compile(r"\s{0,40}[0-9]{1,10}\s{1,40}0x[0-9a-f]")
_ATTRIBUTES = ("object_type", "map_flags", "protection")


def _mark(text: str) -> Mark | None:
    """Return the role of a line in a listing of this format."""
    if _HEADER.match(text.lstrip()):
        return Mark(LineRole.BEGIN)
    if found := _ROW.fullmatch(text):
        return Mark(LineRole.ROW, int(found[2], 16))
    return Mark(LineRole.MORE) if _LOOKS_LIKE_ONE.match(text) else None


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the listings; rows of another process begin one where the addresses go back."""
    return [
        (cuts[index], cuts[index + 1])
        for first, stop in find_sections(lines, _mark)
        for cuts in [[first, *_changes(lines[first:stop], first), stop]]
        for index in range(len(cuts) - 1)
    ]


def _changes(lines: Sequence[Line], first: int) -> Iterator[int]:
    pid, latest = None, 0
    for index, line in enumerate(lines, first):
        if found := _ROW.fullmatch(line.text):
            start = int(found[2], 16)
            if pid is not None and found[1] != pid and start < latest:
                yield index
            pid, latest = found[1], start


def parse(section: Section) -> Snapshot:
    """Read the rows of a listing.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    counters = dict.fromkeys(("rss", "object_rss"))
    draft = Draft(section, "procstat", counters=counters, attributes=dict.fromkeys(_ATTRIBUTES))
    pids: dict[int, int] = {}
    for line in section.lines:
        if found := _ROW.fullmatch(line.text):
            pids.setdefault(int(found[1]), line.number)
            draft.add(line, _mapping(line, found, section))
        elif _HEADER.match(line.text.lstrip()):
            draft.know(line)
        elif _LOOKS_LIKE_ONE.match(line.text):
            draft.could_not_read(line)
    _settle_page_size(draft)
    if len(pids) > 1:
        several = ", ".join(map(str, list(pids)[:9]))
        draft.doubt(f"rows of processes {several} in one address space", list(pids.values())[1:])
    draft.process = Process(pid=min(pids, key=lambda pid: pids[pid], default=None))
    _name_images(draft)
    return draft.snapshot(EXPECTED, kinds=False)


def _mapping(line: Line, found: re.Match[str], section: Section) -> Mapping:
    start, end = hexadecimal(found[2]), hexadecimal(found[3])
    if start is None or end is None or start >= end:
        raise section.refusal(line, "a range that ends above its start")
    protection, flags, type_ = found[4], found[9], found[10]
    path = (found[11] or "").strip() or None
    perms = protection[:3] + ("p" if "C" in flags else "?")
    values: dict[str, Scalar] = {
        "rss": int(found[5]) * PAGE,
        "object_rss": int(found[6]) * PAGE,
        "object_type": type_,
        "map_flags": flags,
        "protection": protection,
    }
    kind = _kind(type_, flags, path, perms)
    return Mapping(start, end, perms, kind, None, None, None, path, owner=_owner(type_, flags), values=values)


def _kind(type_: str, flags: str, path: str | None, perms: str) -> Kind:
    if type_ == "gd" or "G" in flags:
        return Kind.RESERVED
    if type_ in {"dv", "md"}:
        return Kind.DEVICE
    if type_ == "ph":  # the page with signal code and time that the kernel shares with everybody
        return Kind.KERNEL
    if type_ in {"sw", "df"} and path:
        return Kind.SHARED_MEMORY
    if "D" in flags and path is None:  # grows down
        return Kind.STACK
    return kind_of(path, perms)


def _owner(type_: str, flags: str) -> Owner | None:
    if type_ == "gd" or "G" in flags:
        return owner("guard page", "name", f"procstat's type is {type_}, its flags are {flags}")
    return None


def _name_images(draft: Draft) -> None:
    """Make images of the files that are run somewhere."""
    run = images((row.mapping.path, row.mapping.perms) for row in draft.rows)
    for index, row in enumerate(draft.rows):
        if row.mapping.kind is Kind.FILE and row.mapping.path in run:
            draft.rows[index] = row._replace(mapping=row.mapping._replace(kind=Kind.IMAGE))


def _settle_page_size(draft: Draft) -> None:
    """Set the page size, which turns pages into bytes, if the bounds prove it."""
    bounds = [bound for row in draft.rows for bound in (row.mapping.start, row.mapping.end) if bound]
    proven = any(bound % (2 * PAGE) for bound in bounds)
    draft.host = Host(system="FreeBSD", page_size=PAGE if proven else None)
    if draft.rows and not proven:
        draft.doubt(f"RES is in pages, whose size the listing does not tell; taken as {PAGE} bytes")


FORMAT = TextFormat(
    "procstat",
    hint=re.compile(r"0x[0-9a-f]{1,16}\s{1,40}[r-][w-][x-]\S{0,9}\s{1,40}[0-9]"),
    mark=_mark,
    parse=parse,
    find=find,
)
