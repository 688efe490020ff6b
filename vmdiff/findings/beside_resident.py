"""What resident memory does not tell: how much of it is freed, a peak between two snapshots, page tables."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.units import signed, size


def freed_but_resident(comparison: Comparison) -> Found:
    """Find memory that was given back by MADV_FREE, which counts as resident until it is needed."""
    total, grown = comparison.totals.get("lazy_free"), delta(comparison, "lazy_free")
    if total is None or total.after is None or grown is None or grown < NOTEWORTHY:
        return
    message = (
        f"{size(total.after)} of what is resident has been freed (MADV_FREE), and counts until the kernel"
        " needs it: that much is not in use"
    )
    yield Finding("freed-but-resident", "info", message, (f"lazy_free {signed(grown)}",))


def peak_between(comparison: Comparison) -> Found:
    """Find a peak that neither snapshot shows."""
    before, after = comparison.before.process, comparison.after.process
    if before.start_ticks is None or (before.pid, before.start_ticks) != (after.pid, after.start_ticks):
        return
    sides = [side.total("rss") for side in (comparison.before, comparison.after)]
    if (
        after.peak_rss is None
        or before.peak_rss is None
        or None in sides
        or after.peak_rss <= before.peak_rss
    ):
        return
    highest = max(side or 0 for side in sides)
    if after.peak_rss - highest >= max(NOTEWORTHY, highest // 10):
        message = f"between the two, resident has been as high as {size(after.peak_rss)}"
        yield Finding("peak-between", "info", message, (f"peak_rss {size(after.peak_rss)}",))


def page_tables(comparison: Comparison) -> Found:
    """Find page tables that grew: memory that no mapping shows.

    Precondition: they grew by far more than the memory that came needs in any case, 8 bytes for each page of
    4 KiB; by that much they grow with every process.
    """
    before, after = comparison.before.process.page_tables, comparison.after.process.page_tables
    came = max(0, delta(comparison, "rss") or 0)
    if before is None or after is None or after - before < max(NOTEWORTHY, came // 100):
        return
    message = f"page tables grew by {size(after - before)}: memory of the kernel that no mapping shows"
    yield Finding("page-tables", "info", message, (f"page_tables {size(before)} to {size(after)}",))
