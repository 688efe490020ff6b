"""``/proc/PID/stat``, taken apart: the one file of a process that everybody may read."""

import re
from typing import NamedTuple

_STAT = re.compile(r"([0-9]{1,10}) \((.*)\) (\S) ([0-9 -]+)\n?", re.DOTALL)
_AT = {"parent": 0, "flags": 5, "minor_faults": 6, "major_faults": 8, "start_ticks": 18}
_COUNTED = frozenset(_AT.values())


class Stat(NamedTuple):
    """What ``stat`` says of the process itself."""

    pid: int
    name: str
    state: str
    parent: int
    flags: int
    minor_faults: int
    major_faults: int
    start_ticks: int


def stat_of(text: str | None) -> Stat | None:
    """Read ``stat``; the name in it may hold anything, so fields count from the last bracket."""
    found = _STAT.fullmatch(text or "")
    told = found[4].split() if found else []
    if (
        found is None
        or len(told) < 19
        or any(not told[at].isdigit() or len(told[at]) > 20 for at in _COUNTED)
    ):
        return None
    return Stat(int(found[1]), found[2], found[3], **{name: int(told[at]) for name, at in _AT.items()})


def _is_count(text: str) -> bool:
    return text.isdigit() and len(text) <= 20
