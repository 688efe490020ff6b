"""The row of ``/proc/PID/maps`` as text in any dialect, as listings and logs have it.

Upper-case digits, tabs, the rows of kernels without offset, device and inode; how today's kernels write it
is in `kernel_row_text`.
"""

import re
from typing import NamedTuple

from vmdiff.importers.procfs.kernel_row_text import name_of
from vmdiff.model import Kind, Mapping
from vmdiff.model.mapping import ADDRESS_LIMIT

_BLANKS = r"[ \t\xa0]"
_ADDRESS = "(?:0x)?([0-9a-fA-F]{1,17})"
_RANGE = f"{_ADDRESS}-{_ADDRESS}"
_ROW_AT_ALL = re.compile(r"(?:0x)?[0-9a-fA-F]{1,17}[-\s]")
_ROW = re.compile(
    rf"{_RANGE}\s+([rR-][wW-][xX-][pPsS])\s+([0-9a-fA-F]{{1,16}})\s+"
    rf"([0-9a-fA-F]{{1,8}}):([0-9a-fA-F]{{1,8}})\s+([0-9]{{1,20}})(?:{_BLANKS}+(.*))?",
    re.DOTALL,
)
# The first smaps (2005) and crash reports of other systems tell no offset, device and inode.
_BRIEF = re.compile(rf"{_RANGE}\s+([rR-][wW-][xX-][ps]?)\s+([/\[].*)", re.DOTALL)
# gperftools writes START-END: PATH (@OFFSET) into its profiles.
_LIBRARY = re.compile(rf"{_RANGE}:\s+([/\[].*)", re.DOTALL)
_AT_OFFSET = re.compile(r"\s\(@([0-9a-fA-F]{1,16})\)$")
_ONE_ADDRESS = re.compile(
    r"([0-9a-fA-F]{4,16})\s+([r-][w-][x-][ps])\s+[0-9a-fA-F]{1,16}\s+[0-9a-f]+:[0-9a-f]+\s+[0-9]{1,20}(?:\s+(.*))?"
)
_EMPTY = re.compile(rf"{_ADDRESS}-(?:0x)?\1\s+[rR-][wW-][xX-][pPsS]\s.*", re.DOTALL)
_REMARKS_AFTER_DELETED = re.compile(r"(/SYSV[0-9a-f]{8}) \(deleted\)(?: \([a-z]+=\w+\))+")

_FIELDS = (
    r"[0-9a-f]{1,17}-[0-9a-f]{1,17}",
    r"[r-][w-][x-][ps]",
    r"[0-9a-f]{1,16}",
    r"[0-9a-f]+:[0-9a-f]+",
    r"[0-9]+",
)
_CUT = (
    r"[0-9a-f]{3,17}(?:-[0-9a-f]{0,17})?",
    r"r?-?w?-?x?-?[ps]?",
    r"[0-9a-f]{0,16}",
    r"[0-9a-f:]{0,17}",
    r"[0-9]{0,20}",
)


class MapsRow(NamedTuple):
    """A row taken apart; None is what it does not tell."""

    start: int
    end: int | None
    perms: str
    offset: int | None
    device: str | None
    inode: str | None
    name: str

    def mapping(self) -> Mapping:
        """Return its mapping, the kind left open."""
        name = name_of(self.name.rstrip(" \t\xa0").encode("utf-8", "surrogateescape"))
        return tidied(
            Mapping(
                start=self.start,
                end=self.end,
                perms=self.perms,
                offset=self.offset,
                device=self.device,
                inode=self.inode,
                path=name.path,
                deleted=name.deleted,
                path_hex=name.path_hex,
            )
        )


def read_row(text: str) -> MapsRow | None:
    """Read a row in any dialect; None if the line is none, or an impossible one."""
    if not _ROW_AT_ALL.match(text):
        return None
    row = _dialect(text)
    if row is None or "\0" in row.name:
        return None
    end = row.start + 1 if row.end is None else row.end
    return row if row.start < end <= ADDRESS_LIMIT else None


def is_empty_range(text: str) -> bool:
    """Return whether a line is a row of a mapping that ends where it starts."""
    return _EMPTY.fullmatch(text) is not None


def kernel_row(text: str) -> Mapping | None:
    """Read a row with all its fields, as crash reports copy them; None if the line is none."""
    row = read_row(text)
    return row.mapping() if row and row.inode is not None and row.end is not None else None


def _dialect(text: str) -> MapsRow | None:
    if found := _ROW.fullmatch(text):
        start, end, perms, offset, major, minor, inode, name = found.groups()
        device = f"{int(major, 16):02x}:{int(minor, 16):02x}"
        inode = str(int(inode))
        return MapsRow(
            int(start, 16), int(end, 16), perms.lower(), int(offset, 16), device, inode, name or ""
        )
    if found := _BRIEF.fullmatch(text):
        start, end, perms, name = found.groups()
        return MapsRow(int(start, 16), int(end, 16), perms.lower().ljust(4, "?"), None, None, None, name)
    if found := _LIBRARY.fullmatch(text):
        start, end, name = found.groups()
        name = name.rstrip()
        at = _AT_OFFSET.search(name)
        if at:
            name = name[: at.start()].rstrip()
        return MapsRow(int(start, 16), int(end, 16), "????", int(at[1], 16) if at else None, None, None, name)
    if found := _ONE_ADDRESS.fullmatch(text):
        return MapsRow(int(found[1], 16), None, found[2], None, None, None, found[3] or "")
    return None


def tidied(mapping: Mapping) -> Mapping:
    """Undo the dialects of single kernels: OpenVZ's and IA-64's ``(deleted)``, the offsets of old ones.

    What has an inode and no name is a file whose name was lost on the way.
    """
    path = mapping.path
    if path is None and mapping.inode not in {None, "0"} and mapping.device not in {None, "00:00"}:
        return mapping._replace(kind=Kind.FILE)
    if path is None or path.startswith("["):
        named_for_users = path is None or path.startswith(("[heap", "[stack", "[anon:"))
        if mapping.offset and mapping.inode == "0" and mapping.device == "00:00" and named_for_users:
            return mapping._replace(offset=0)
    elif path.startswith("(deleted)/"):
        return mapping._replace(path=path.removeprefix("(deleted)"), deleted=True)
    elif found := _REMARKS_AFTER_DELETED.fullmatch(path):
        return mapping._replace(path=found[1], deleted=True)
    return mapping


def is_beginning(text: str) -> bool:
    """Return whether a line may be a row that was cut off: some whole fields, then part of one."""
    words = text[:200].split()
    if not words or len(words) > len(_CUT) or len(text) > 100:
        return False
    whole = all(re.fullmatch(field, word) for field, word in zip(_FIELDS, words[:-1], strict=False))
    return whole and re.fullmatch(_CUT[len(words) - 1], words[-1]) is not None
