"""Memory that is locked, so that it can never be swapped out or dropped."""

from operator import attrgetter

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found
from vmdiff.model import Snapshot
from vmdiff.units import signed, size

_LOCKED = "lo"  # of VmFlags


def locked(comparison: Comparison) -> Found:
    """Find memory that was locked, or came where all is locked.

    Precondition: mappings with the flag ``lo`` hold more memory than before. The counter ``Locked`` is a
    share (PSS), which grows when another process that shares the memory ends; up to Linux 4.18 it is
    that of all memory.
    """
    before, after = (held(side, "rss") for side in (comparison.before, comparison.after))
    if before is None or after is None or after - before < NOTEWORTHY:
        return
    message = f"{size(after - before)} more is locked in memory"
    yield Finding("locked", "info", message, (f"rss of locked mappings {signed(after - before)}",))


def held(snapshot: Snapshot, counter: str) -> int | None:
    """Return a counter over all locked mappings; None where flags or counter were not read."""
    flags = set(map(attrgetter("flags"), snapshot.mappings))  # few: most mappings have the same
    if snapshot.total(counter) is None or None in flags:
        return None
    locked = {some for some in flags if _LOCKED in some}
    held = [mapping for mapping in snapshot.mappings if mapping.flags in locked] if locked else []
    return sum(snapshot.value(mapping, counter) or 0 for mapping in held)
