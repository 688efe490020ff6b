"""What the changes mean: one sentence each, with what it rests on.

A finding never guesses: it is there only where the figures of the comparison show it, and its
evidence says which. Names in messages are as the kernel gave them; a view makes them harmless.
"""

from collections.abc import Callable, Iterator

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import growth, limits, state, trust
from vmdiff.findings.finding import Finding, Severity
from vmdiff.model import Snapshot

__all__ = ["COMPARISON_RULES", "SNAPSHOT_RULES", "Finding", "Severity", "find", "find_in"]

COMPARISON_RULES: tuple[Callable[[Comparison], Iterator[Finding]], ...] = (
    trust.unsteady_sides,
    trust.different_counters,
    limits.of_after,
    growth.heap_growth,
    growth.owner_growth,
    growth.many_arenas,
    growth.writable_code,
    state.swapped_out,
    growth.file_backed_growth,
    growth.lazily_read_file,
    growth.large_blocks,
    growth.new_threads,
    growth.reservation,
    state.freed_but_resident,
    state.huge_pages,
    state.sharing_broken,
    state.peak_between,
    state.page_tables,
    state.locked,
    trust.different_runs,
)
SNAPSHOT_RULES: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (
    trust.unsteady,
    limits.mapping_count,
    limits.limits,
    limits.deleted_files,
    limits.library_gaps,
)

_ORDER: tuple[Severity, ...] = ("warning", "notice", "info")


def find(comparison: Comparison) -> tuple[Finding, ...]:
    """Give what there is to say about a comparison, warnings first."""
    return _ordered([finding for rule in COMPARISON_RULES for finding in rule(comparison)])


def find_in(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Give what there is to say about one snapshot, warnings first."""
    return _ordered([finding for rule in SNAPSHOT_RULES for finding in rule(snapshot)])


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
