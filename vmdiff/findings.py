"""What the changes mean: one sentence each, with what it rests on.

A finding never guesses: it is there only where the figures of the comparison show it, and its
evidence says which. Names in messages are as the kernel gave them; a view makes them harmless.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from vmdiff.comparison import Change, ChangeName, Comparison, Group
from vmdiff.model import Kind, Snapshot, add
from vmdiff.units import signed, size

Severity = Literal["info", "notice", "warning"]

NOTEWORTHY = 1 << 20  # bytes below which growth is not worth a sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about what the changes mean. *evidence* are the figures it rests on, in words."""

    id: str
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()


def find(comparison: Comparison) -> tuple[Finding, ...]:
    """Give what there is to say about a comparison, warnings first."""
    found = [finding for rule in COMPARISON_RULES for finding in rule(comparison)]
    return _ordered(found)


def find_in(snapshot: Snapshot) -> tuple[Finding, ...]:
    """Give what there is to say about one snapshot, warnings first."""
    return _ordered([finding for rule in SNAPSHOT_RULES for finding in rule(snapshot)])


_ORDER = ("warning", "notice", "info")


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


def _unsteady_sides(comparison: Comparison) -> Iterator[Finding]:
    for side, snapshot in (("before", comparison.before), ("after", comparison.after)):
        for finding in _unsteady(snapshot):
            yield Finding(finding.id, finding.severity, f"{side}: {finding.message}", finding.evidence)


def _unsteady(snapshot: Snapshot) -> Iterator[Finding]:
    """A snapshot during which the layout moved, or one that was read with doubts."""
    doubts = snapshot.origin.doubts
    if snapshot.origin.consistent is False:
        message = "the layout moved while it was read: it may show no single instant"
        yield Finding("inconsistent-snapshot", "warning", message, doubts)
    elif doubts:
        more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
        yield Finding("doubts", "info", f"{doubts[0]}{more}", doubts)


def _different_counters(comparison: Comparison) -> Iterator[Finding]:
    """Counters that only one side measured: their change is unknown, not nothing."""
    sides = (set(comparison.before.counters), set(comparison.after.counters))
    for side, only in (("before", sides[0] - sides[1]), ("after", sides[1] - sides[0])):
        if only and comparison.before.mappings and comparison.after.mappings:
            names = sorted(only)
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            message = f"only “{side}” measured {some}: what changed in them is unknown"
            yield Finding("different-counters", "warning", message, tuple(names))


def _reservation(comparison: Comparison) -> Iterator[Finding]:
    """Address space that nobody can touch: it costs no memory."""
    virtual, able = _delta(comparison, "size"), _delta(comparison, "accessible")
    if virtual is None or able is None or virtual - able < NOTEWORTHY:
        return
    reserved = virtual - able
    if reserved * 2 < virtual:
        return
    message = f"{size(reserved)} of the {signed(virtual)} virtual is reserved, not usable: it costs no memory"
    yield Finding("reservation", "info", message, (f"accessible {signed(able)}", f"size {signed(virtual)}"))


_FILE_KINDS = (Kind.IMAGE, Kind.FILE)


def _file_backed_growth(comparison: Comparison) -> Iterator[Finding]:
    """Resident growth that is file pages: the kernel can take them back without writing anything."""
    resident = _delta(comparison, "rss")
    from_files = _kinds(comparison, _FILE_KINDS, "rss")
    written = _kinds(comparison, _FILE_KINDS, "private_dirty")
    if resident is None or from_files is None or from_files < NOTEWORTHY or from_files * 2 < resident:
        return
    if written is None or written * 10 > from_files:
        return
    message = (
        f"{size(from_files)} of what became resident is pages of files, read through their mappings:"
        " the kernel can drop them at any time without writing anything"
    )
    evidence = (f"resident in files {signed(from_files)}", f"of that written to {signed(written)}")
    yield Finding("file-backed-growth", "info", message, evidence)


def _lazily_read_file(comparison: Comparison) -> Iterator[Finding]:
    """A file mapped anew of which hardly anything was read yet."""
    largest = max(filter(_is_new_file, comparison.changes), key=_growth, default=None)
    if largest is None or _growth(largest) < NOTEWORTHY:
        return
    resident = largest.delta.get("rss")
    if resident is None or resident * 10 > _growth(largest):
        return
    message = (
        f"{largest.path} is mapped but hardly read: {size(resident)} of {size(_growth(largest))} resident;"
        " its pages come when they are touched"
    )
    evidence = (f"size {signed(_growth(largest))}", f"rss {signed(resident)}")
    yield Finding("lazily-read-file", "info", message, evidence)


def _is_new_file(change: Change) -> bool:
    return change.change is ChangeName.NEW and change.kind in _FILE_KINDS and change.path is not None


def _growth(change: Change) -> int:
    return change.delta.get("accessible") or 0


_MALLOC = ("malloc heap", "malloc arena", "malloc large block")


def _heap_growth(comparison: Comparison) -> Iterator[Finding]:
    """Growth of the memory that malloc hands out."""
    groups = [group for group in comparison.grouped("owner") if group.name in (*_MALLOC, "(heap)")]
    grown = _added(groups, "rss")
    usable = _added(groups, "accessible")
    resident = _delta(comparison, "rss")
    if grown is None or usable is None or resident is None or grown < NOTEWORTHY or grown * 2 < resident:
        return
    message = f"malloc's memory grew: {size(grown)} of the {signed(resident)} resident"
    evidence = tuple(f"{g.name}: rss {_in_words(g, 'rss')}, size {_in_words(g, 'size')}" for g in groups)
    yield Finding("heap-growth", "notice", message, evidence)


def _in_words(group: Group, counter: str) -> str:
    delta = group.totals[counter].delta
    return "unknown" if delta is None else signed(delta)


def _kinds(comparison: Comparison, kinds: tuple[Kind, ...], counter: str) -> int | None:
    return _added([group for group in comparison.grouped("kind") if group.name in kinds], counter)


def _added(groups: list[Group], counter: str) -> int | None:
    return add(group.totals[counter].delta if counter in group.totals else None for group in groups)


def _delta(comparison: Comparison, counter: str) -> int | None:
    total = comparison.totals.get(counter)
    return None if total is None else total.delta


COMPARISON_RULES: tuple[Callable[[Comparison], Iterator[Finding]], ...] = (
    _unsteady_sides,
    _different_counters,
    _heap_growth,
    _file_backed_growth,
    _lazily_read_file,
    _reservation,
)
SNAPSHOT_RULES: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (_unsteady,)
