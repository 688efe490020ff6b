"""Memory that went to swap: it looks freed and is not."""

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.units import signed, size


def swapped_out(comparison: Comparison) -> Found:
    """Find resident memory that went to swap.

    Precondition: the figures of single regions prove it (see `proved`). Memory that was freed while other
    memory went to swap has the same totals.
    """
    resident, swap = delta(comparison, "rss"), delta(comparison, "swap")
    if resident is None or swap is None or resident > -NOTEWORTHY:
        return
    out = proved(comparison)
    if out >= NOTEWORTHY:
        part = size(min(out, -resident))
        message = f"resident fell by {size(-resident)}, but {part} of that was swapped out, not freed"
        yield Finding("swapped-out", "notice", message, (f"rss {signed(resident)}", f"swap {signed(swap)}"))


def proved(comparison: Comparison) -> int:
    """Return the bytes that were resident before and are in swap now, as far as the figures prove it."""
    return sum(_swapped_out(comparison, change) for change in comparison.changes)


def _swapped_out(comparison: Comparison, change: Change) -> int:
    """Return what one region proves.

    Pages that were absent before may be those that are in swap after, while others were freed; so only
    what exceeds the absent ones is proved to have been resident.
    """
    resident, swap = change.delta.get("rss"), change.delta.get("swap")
    if not change.before or not resident or not swap or resident > 0 or swap < 0:
        return 0
    sums = comparison.before.sums(change.before)
    held = (sums.get("rss") or 0) + (sums.get("swap") or 0)
    absent = max(0, (sums.get("size") or 0) - held)
    return max(0, min(-resident, swap - absent))
