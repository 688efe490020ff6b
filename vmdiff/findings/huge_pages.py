"""Growth in huge pages, transparent ones and those of hugetlbfs."""

from collections.abc import Iterable

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.units import signed, size

_HUGE = 2 << 20


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
