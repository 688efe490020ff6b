r"""What a kernel writes after the bounds in a row of ``/proc/PID/maps``, in bytes.

Facts: fs/proc/task_mmu.c, show_map_vma(). The only escape in a name is ``\012`` for a newline; names
may hold any other byte.
"""

import re
from typing import NamedTuple

from vmdiff.model import DELETED

EXPECTED = "START-END PERMS OFFSET MAJOR:MINOR INODE [PATH]"

HEADER_REST = re.compile(
    rb"([r-][w-][x-][pPsS]) ([0-9a-f]{1,16}) ([0-9a-f]{1,8}:[0-9a-f]{1,8}) ([0-9]{1,20})(?: +(.*))?",
    re.DOTALL,
)

_DELETED = DELETED.encode()


class MappingName(NamedTuple):
    """The name of a mapping as the kernel wrote it, taken apart."""

    path: str | None
    deleted: bool
    path_hex: str | None


def name_of(raw: bytes, *, escaped: bool = True) -> MappingName:
    """Take a name apart: undo the escape, take `` (deleted)`` off, keep bytes that are no UTF-8 in hex."""
    deleted = raw.endswith(_DELETED)
    exact = raw.removesuffix(_DELETED)
    if escaped:
        exact = exact.replace(b"\\012", b"\n")
    if not exact:
        return MappingName(None, deleted, None)
    try:
        return MappingName(exact.decode(), deleted, None)
    except UnicodeDecodeError:
        return MappingName(exact.decode(errors="backslashreplace"), deleted, exact.hex())
