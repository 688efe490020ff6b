"""What became of memory that was there, and what no mapping shows."""

from collections.abc import Iterable

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.units import signed, size

_HUGE = 2 << 20


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
    """Find growth that came in huge pages, of which a touch makes 2 MiB resident.

    Precondition: half of the growth or more is proved to be in huge pages: in each region only what
    exceeds all that was resident there before, for khugepaged and MADV_COLLAPSE make huge pages of
    memory that was there.
    """
    resident = delta(comparison, "rss")
    came = came_huge(comparison, comparison.changes)
    if resident is None or came < _HUGE or not came <= resident <= came * 2:
        return
    message = f"{size(came)} of the growth came in huge pages: resident counts all of a page, used or not"
    yield Finding(
        "huge-pages", "info", message, (f"anon_huge_pages {signed(came)}", f"rss {signed(resident)}")
    )


def came_huge(comparison: Comparison, changes: Iterable[Change]) -> int:
    """Return the bytes of some changes that are proved to have come in huge pages."""
    return sum(_came_huge(comparison, change) for change in changes)


def _came_huge(comparison: Comparison, change: Change) -> int:
    grew, huge = change.delta.get("rss"), change.delta.get("anon_huge_pages")
    if grew is None or huge is None or grew <= 0 or huge <= 0:
        return 0
    before = comparison.before.sums(change.before).get("rss") or 0
    after = comparison.after.sums(change.after).get("anon_huge_pages") or 0
    return max(0, min(grew, after - before))


def hugetlb(comparison: Comparison) -> Found:
    """Find memory of hugetlbfs, which the kernel counts in none of its totals of a process.

    Precondition: the counters of hugetlb pages grew.
    """
    grew = sum(delta(comparison, name) or 0 for name in ("private_hugetlb", "shared_hugetlb"))
    if grew >= NOTEWORTHY:
        message = (
            f"{size(grew)} more in hugetlb pages: they are part of resident here; ps and top leave them out"
        )
        yield Finding("hugetlb", "info", message, (f"private and shared hugetlb {signed(grew)}",))


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
