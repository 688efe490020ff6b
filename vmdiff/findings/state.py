"""What became of memory that was there: swapped out, freed but still counted, shared no longer."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.units import signed, size

_HUGE = 2 << 20


def swapped_out(comparison: Comparison) -> Found:
    """Find resident memory that went to swap: it looks freed and is not."""
    resident, swap = delta(comparison, "rss"), delta(comparison, "swap")
    if resident is None or swap is None or swap < NOTEWORTHY or resident > -NOTEWORTHY:
        return
    out = min(swap, -resident)
    message = f"resident fell by {size(-resident)}, but {size(out)} of that was swapped out, not freed"
    yield Finding("swapped-out", "notice", message, (f"rss {signed(resident)}", f"swap {signed(swap)}"))


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


def huge_pages(comparison: Comparison) -> Found:
    """Find growth that came in huge pages, of which a touch makes 2 MiB resident."""
    huge, resident = delta(comparison, "anon_huge_pages"), delta(comparison, "rss")
    if huge is None or resident is None or huge < _HUGE or huge * 2 < resident:
        return
    message = f"{size(huge)} of the growth came in huge pages: resident counts all of a page, used or not"
    yield Finding(
        "huge-pages", "info", message, (f"anon_huge_pages {signed(huge)}", f"rss {signed(resident)}")
    )


def sharing_broken(comparison: Comparison) -> Found:
    """Find pages that were shared and were copied when they were written to, as after a fork."""
    shared, private = delta(comparison, "shared_dirty"), delta(comparison, "private_dirty")
    if comparison.match != "address" or shared is None or private is None:
        return
    copied = min(-shared, private)
    if copied >= NOTEWORTHY:
        message = f"{size(copied)} that was shared with other processes, as after a fork, has become private"
        evidence = (f"shared_dirty {signed(shared)}", f"private_dirty {signed(private)}")
        yield Finding("sharing-broken", "info", message, evidence)


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
    """Find page tables that grew: memory that no mapping shows."""
    before, after = comparison.before.process.page_tables, comparison.after.process.page_tables
    if before is None or after is None or after - before < NOTEWORTHY:
        return
    message = (
        f"page tables grew by {size(after - before)}: memory of the kernel, on top of all that is listed"
    )
    yield Finding("page-tables", "info", message, (f"page_tables {size(before)} to {size(after)}",))


def locked(comparison: Comparison) -> Found:
    """Find memory that was locked, so that it can never be swapped out or dropped."""
    grown = delta(comparison, "locked")
    if grown is not None and grown >= NOTEWORTHY:
        message = f"{size(grown)} more is locked in memory"
        yield Finding("locked", "info", message, (f"locked {signed(grown)}",))
