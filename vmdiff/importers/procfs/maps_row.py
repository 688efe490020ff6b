"""Rows of ``/proc/PID/maps`` as crash reports copy them into their text."""

import re

from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.procfs.fast_reader import name_of
from vmdiff.model import Mapping

EXPECTED = "START-END PERMS OFFSET MAJOR:MINOR INODE [PATH]"

_ROW = re.compile(
    r"([0-9a-f]{1,17})-([0-9a-f]{1,17}) {1,4}([r-][w-][x-][ps]) {1,4}([0-9a-f]{1,16}) {1,4}"
    r"([0-9a-f]{2,8}:[0-9a-f]{2,8}) {1,8}([0-9]{1,20})(?:[ \t](.*))?",
    re.DOTALL,
)
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


def kernel_row(text: str) -> Mapping | None:
    """Read a row, its kind left open; None if the line is none."""
    found = _ROW.fullmatch(text)
    if found is None:
        return None
    start, end = hexadecimal(found[1]), hexadecimal(found[2])
    if start is None or end is None or start >= end:
        return None
    path, deleted, path_hex = name_of((found[7] or "").strip(" \t").encode(errors="surrogateescape"))
    offset = int(found[4], 16)
    if found[6] == "0" and offset == start:  # what kernels before 2.6.29 print where there is no file
        offset = 0
    return Mapping(
        start,
        end,
        found[3],
        offset=offset,
        device=found[5],
        inode=str(int(found[6])),
        path=path,
        deleted=deleted,
        path_hex=path_hex,
    )


def is_beginning(text: str) -> bool:
    """Tell whether a line may be a row that was cut off: some whole fields, then part of one."""
    words = text[:200].split()
    if not words or len(words) > len(_CUT) or len(text) > 100:
        return False
    whole = all(re.fullmatch(field, word) for field, word in zip(_FIELDS, words[:-1], strict=False))
    return whole and re.fullmatch(_CUT[len(words) - 1], words[-1]) is not None
