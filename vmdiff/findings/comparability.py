"""How far the snapshots can be trusted, and compared."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import Finding, Found, listed
from vmdiff.model import Snapshot


def unsteady_sides(comparison: Comparison) -> Found:
    """Report for each side what `unsteady` reports."""
    for side, snapshot in (("before", comparison.before), ("after", comparison.after)):
        for finding in unsteady(snapshot):
            yield Finding(finding.id, finding.severity, f"{side}: {finding.message}", finding.evidence)


def unsteady(snapshot: Snapshot) -> Found:
    """Find a snapshot during which the layout moved, or one that was read with doubts."""
    doubts = snapshot.origin.doubts
    if snapshot.origin.consistent is False:
        message = "the layout moved while it was read: it may show no single instant"
        yield Finding("inconsistent-snapshot", "warning", message, doubts)
    elif doubts:
        more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
        yield Finding("doubts", "info", f"{doubts[0]}{more}", doubts)


def different_counters(comparison: Comparison) -> Found:
    """Find counters that only one side measured: their change is unknown, not nothing."""
    before, after = comparison.before.counters, comparison.after.counters
    for side, here, there in (("before", before, after), ("after", after, before)):
        names = [name for name in here if name not in there]  # those that matter come first
        if names and comparison.before.mappings and comparison.after.mappings:
            message = f"only “{side}” measured {listed(names)}: what changed in them is unknown"
            yield Finding("different-counters", "warning", message, tuple(names))


def different_runs(comparison: Comparison) -> Found:
    """Find snapshots whose addresses have nothing to do with each other."""
    if comparison.match == "structure":
        message = f"compared as different runs, matched by structure: {comparison.reason}"
        yield Finding("different-runs", "info", message.removesuffix(": "), (comparison.reason,))
