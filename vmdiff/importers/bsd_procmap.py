"""Read OpenBSD's ``procmap`` and NetBSD's ``pmap -a``: start and last address, size, protection, file.

Facts: OpenBSD's ``usr.sbin/procmap/procmap.c`` and NetBSD's ``usr.bin/pmap/pmap.c``, from which it was
made. The second address is that of the last byte. Behind the protection stand letters for what it allows:
``p`` for a copy-on-write mapping among them. NetBSD's other styles are read as ``maps`` (``-l``) and as
Solaris's pmap (the default).
"""

import re

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import Mapping, Snapshot

EXPECTED = "START-LAST SIZEk OFFSET PROTECTION (MAXIMUM) I/W/A DEVICE INODE - FILE"

_HEADER = re.compile(r"Start\s+End\s+Size\s+Offset\s+rwx\S*\s+RWX\s+I/W/A\b.*")
_ROW = re.compile(
    r"([0-9a-f]{6,16})-([0-9a-f]{6,16})\s{1,20}([0-9]{1,16})k\s{1,20}([0-9a-f]{6,16})\s{1,20}"
    r"([r-][w-][x-])(\S{1,8})\s{1,20}\(([r-][w-][x-])\)\s{1,20}[0-9]{1,3}/[0-9]{1,5}/[0-9]{1,3}"
    r"\s{1,20}([0-9a-f]{1,8}[:,][0-9a-f]{1,8})\s{1,20}([0-9]{1,20})\s-\s(.*)"
)
_TOTAL = re.compile(r"\s{0,80}total\s{1,80}([0-9]{1,16})k\s{0,20}", re.IGNORECASE)
_VNODE = re.compile(r"\s\[0x[0-9a-f]{1,16}\]$")
_NAMES = {"[ heap ]": "[heap]", "[ stack ]": "[stack]"}


def _mark(text: str) -> Mark | None:
    if _HEADER.fullmatch(text):
        return Mark(LineRole.BEGIN, once="header")
    if found := _ROW.fullmatch(text):
        return Mark(LineRole.ROW, hexadecimal(found[1]))
    return Mark(LineRole.END, once="total") if _TOTAL.fullmatch(text) else None


def parse(section: Section) -> Snapshot:
    """Read the table.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "procmap")
    totals: dict[str, int] = {}
    for line in section.lines:
        if found := _ROW.fullmatch(line.text):
            _add(draft, line, found)
        elif found := _TOTAL.fullmatch(line.text):
            totals["accessible"] = int(found[1]) << 10  # dump_vm_map_entry: "no access allowed, don't count"
            draft.know(line)
        elif _HEADER.fullmatch(line.text):
            draft.know(line)
    draft.compare_totals(totals, lambda mapping, _: mapping.accessible)
    return draft.snapshot(EXPECTED)


def _add(draft: Draft, line: Line, found: re.Match[str]) -> None:
    start, last = int(found[1], 16), int(found[2], 16)
    if start >= last:
        draft.could_not_read(line)
        return
    name = _VNODE.sub("", found[10].strip())
    sharing = "p" if "p" in found[6] else "s" if "s" in found[6] else "?"
    draft.attributes["max_perms"] = None
    draft.add(
        line,
        Mapping(
            start,
            last + 1,
            found[5] + sharing,
            offset=int(found[4], 16),
            device=found[8].replace(",", ":"),
            inode=str(int(found[9])),
            path=_NAMES.get(name, None if name.startswith("[") else name or None),
            values={"max_perms": found[7]},
        ),
    )


FORMAT = TextFormat(
    "procmap",
    hint=re.compile(r"\([r-][w-][x-]\)\s{1,20}[0-9]{1,3}/[0-9]{1,5}/[0-9]{1,3}\s"),
    mark=_mark,
    parse=parse,
)
