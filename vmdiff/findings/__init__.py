"""What the changes mean: one sentence each, with what it rests on.

A finding never guesses: it is there only where the figures of the comparison prove it, and its
evidence says which. Each rule states its precondition; `tests/findings` has for each a program in which
the sentence would be tempting, and false. Names in messages are as the kernel wrote them; a view makes
them harmless.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import (
    beside_mappings,
    beside_resident,
    comparability,
    deleted_files,
    file_pages,
    fork_sharing,
    freed_and_kept,
    growth,
    huge_pages,
    inner_accounts,
    library_gaps,
    limits,
    locked_pages,
    runtime_areas,
    swap_moves,
    writable_code,
    written_and_zero,
)
from vmdiff.findings.finding import Finding, Severity
from vmdiff.model import Snapshot

if TYPE_CHECKING:
    from vmdiff.series.trends import Trend

__all__ = [
    "COMPARISON_RULES",
    "SNAPSHOT_RULES",
    "Finding",
    "Severity",
    "find",
    "find_in",
    "find_over_time",
]

# What holds of one snapshot, and is news to a comparison if it did not hold before.
_STATES = (
    limits.mapping_count,
    limits.limits,
    deleted_files.deleted_files,
    deleted_files.deleted_data,
    deleted_files.unmapped_files,
    library_gaps.library_gaps,
)


def _came_true(comparison: Comparison) -> Iterator[Finding]:
    """Yield what `_STATES` find after, and did not before."""
    for rule in _STATES:
        if found := list(rule(comparison.after)):
            known = {(finding.id, finding.message) for finding in rule(comparison.before)}
            yield from (finding for finding in found if (finding.id, finding.message) not in known)


COMPARISON_RULES: tuple[Callable[[Comparison], Iterator[Finding]], ...] = (
    comparability.unsteady_sides,
    comparability.different_counters,
    _came_true,
    freed_and_kept.in_use_growth,
    freed_and_kept.freed_and_kept,
    freed_and_kept.unread,
    inner_accounts.account_growth,
    growth.heap_growth,
    growth.owner_growth,
    runtime_areas.off_heap,
    runtime_areas.class_metadata,
    runtime_areas.wasm_memory,
    growth.many_arenas,
    writable_code.writable_code,
    swap_moves.swapped_out,
    file_pages.file_backed_growth,
    file_pages.file_pages_written,
    file_pages.lazily_read_file,
    growth.large_blocks,
    growth.new_threads,
    growth.reservation,
    beside_resident.freed_but_resident,
    huge_pages.huge_pages,
    huge_pages.hugetlb,
    fork_sharing.became_shared,
    fork_sharing.sharing_broken,
    beside_resident.peak_between,
    beside_resident.page_tables,
    locked_pages.locked,
    written_and_zero.written_pages,
    written_and_zero.pages_not_compared,
    comparability.different_runs,
)
SNAPSHOT_RULES: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (
    comparability.unsteady,
    limits.mapping_count,
    freed_and_kept.kept_now,
    freed_and_kept.unread_now,
    limits.limits,
    deleted_files.deleted_files,
    deleted_files.deleted_data,
    deleted_files.unmapped_files,
    library_gaps.library_gaps,
    written_and_zero.zeros_in_memory,
    written_and_zero.zeros_in_huge_pages,
    written_and_zero.repeated_pages,
    beside_mappings.page_cache,
    beside_mappings.graphics_memory,
)

_ORDER: tuple[Severity, ...] = ("warning", "notice", "info")


def find(comparison: Comparison) -> tuple[Finding, ...]:
    """Return what there is to say about a comparison, warnings first."""
    return _ordered([finding for rule in COMPARISON_RULES for finding in rule(comparison)])


def find_in(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Return what there is to say about one snapshot, warnings first."""
    return _ordered([finding for rule in SNAPSHOT_RULES for finding in rule(snapshot)])


def find_over_time(trend: "Trend") -> tuple[Finding, ...]:
    """Return what there is to say about a series, warnings first."""
    from vmdiff.findings.over_time import TREND_RULES  # what judges a series, which a comparison is not

    return _ordered([finding for rule in TREND_RULES for finding in rule(trend)])


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: (_ORDER.index(one.severity), one.id == "doubts")))
