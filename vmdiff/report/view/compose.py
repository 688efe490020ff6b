"""What a view says, chosen once: words, figures, signs, units, order and folding.

A renderer takes a `ComparisonView` or a `SnapshotView` and dresses it; it decides nothing about what
is said. Every text in here has been through `wording.printable` and is one line.

One invariant: in every table the cells of the rows and of the folds add up to the cells of the total
(where they are known), and the total equals the headline.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vmdiff.answer import answer, summary
from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.totals import side_totals
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.options import By, ViewOptions
from vmdiff.report.view.change_rows import changes_table
from vmdiff.report.view.fact_words import Fact, facts
from vmdiff.report.view.figures import HEADLINE, NARROW, Cell, Column, columns_of, value_of
from vmdiff.report.view.group_rows import changed_groups, held_groups_table, usual_groups
from vmdiff.report.view.mapping_rows import mappings_table
from vmdiff.report.view.tables import Role, Row, Table, summed_row

__all__ = [
    "NARROW",
    "Cell",
    "Column",
    "ComparisonView",
    "Figure",
    "Remark",
    "Role",
    "Row",
    "SnapshotView",
    "Table",
    "of_comparison",
    "of_snapshot",
    "summed_row",
    "usual_groups",
    "value_of",
    "who",
]


class Figure(NamedTuple):
    """A line of the headline, in bytes; None is unknown. *note* is what else is known of it.

    The figure of one snapshot is what it is *after*.
    """

    name: str
    before: int | None
    after: int | None
    note: str = ""

    @property
    def delta(self) -> int | None:
        """After less before, None where one is unknown."""
        return None if self.before is None or self.after is None else self.after - self.before


class Remark(NamedTuple):
    """A finding in words that are harmless to show."""

    id: str
    severity: str
    message: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Everything that a report about two snapshots says."""

    title: str
    when: str
    match: str
    answer: str
    figures: tuple[Figure, ...]
    counts: str
    faults: str
    remarks: tuple[Remark, ...]
    groups: Table | None
    table: Table
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """Everything that a report about one snapshot says."""

    title: str
    when: str
    answer: str
    figures: tuple[Figure, ...]
    counts: str
    remarks: tuple[Remark, ...]
    groups: Table | None
    table: Table


_SAID_BY_THE_ANSWER = frozenset({"heap-growth", "owner-growth"})


def _is_said(finding: Finding) -> bool:
    """Return whether the answer says as much: that an owner grew, or that its growth is in use."""
    return finding.id in _SAID_BY_THE_ANSWER or finding.message.endswith("more is in use")


def of_comparison(
    comparison: Comparison, findings: Sequence[Finding], options: ViewOptions
) -> ComparisonView:
    """Choose the words for a comparison.

    Raises:
        ConditionError: the counter to sort by is not known.
    """
    columns = columns_of(side_totals(comparison.totals), options)
    groups, table = _comparison_tables(comparison, columns, options)
    return ComparisonView(
        title=_title(comparison),
        when=_when(comparison),
        match=_match(comparison),
        answer=wording.printable(answer(comparison).sentence),
        figures=tuple(_figures(comparison.before, comparison.after)),
        counts=_counts(comparison),
        faults=_faults(comparison),
        remarks=_remarks([finding for finding in findings if not _is_said(finding)]),
        groups=groups,
        table=table,
        facts=facts(comparison.process, all_threads=_list_all_threads(comparison)),
    )


def of_snapshot(snapshot: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> SnapshotView:
    """Choose the words for one snapshot.

    Raises:
        ConditionError: the counter to sort by is not known.
    """
    columns = columns_of((snapshot.totals,), options, partly=_partly_known(snapshot))
    groups, table = _snapshot_tables(snapshot, columns, options)
    taken = wording.moment(snapshot.taken_at) if snapshot.taken_at else "taken at an unknown time"
    return SnapshotView(
        title=who(snapshot),
        when=taken
        + (f", from {wording.printable(snapshot.origin.source)}" if snapshot.origin.source else ""),
        answer=wording.printable(summary(snapshot).sentence),
        figures=tuple(_held(snapshot)),
        counts=_inventory(snapshot),
        remarks=_remarks(findings),
        groups=groups,
        table=table,
    )


def _partly_known(snapshot: Snapshot) -> frozenset[str]:
    """Return the counters that have no total, but are known of some mappings."""
    unknown = [counter for counter in snapshot.counters if snapshot.total(counter) is None]
    return frozenset(
        counter
        for counter in unknown
        if any(snapshot.value(mapping, counter) is not None for mapping in snapshot.mappings)
    )


def _comparison_tables(
    comparison: Comparison, columns: tuple[Column, ...], options: ViewOptions
) -> tuple[Table | None, Table]:
    """Return the short table of groups, if any, and the table that was asked for."""
    if options.by is None:
        by = usual_groups(comparison.before, comparison.after)
        groups = changed_groups(comparison, columns, by, options)
        return groups if groups.rows else None, changes_table(comparison, columns, options)
    if options.by is By.MAPPING:
        return None, changes_table(comparison, columns, options)
    return None, changed_groups(comparison, columns, options.by, options)


def _snapshot_tables(
    snapshot: Snapshot, columns: tuple[Column, ...], options: ViewOptions
) -> tuple[Table | None, Table]:
    if options.by is None:
        groups = held_groups_table(snapshot, columns, usual_groups(snapshot), options)
        return groups if groups.rows else None, mappings_table(snapshot, columns, options)
    if options.by is By.MAPPING:
        return None, mappings_table(snapshot, columns, options)
    return None, held_groups_table(snapshot, columns, options.by, options)


def _list_all_threads(comparison: Comparison) -> bool:
    """Return whether both sides list every thread: a tombstone shows the one that crashed."""
    return "tombstone" not in (comparison.before.origin.source, comparison.after.origin.source)


def who(snapshot: Snapshot) -> str:
    """Name the process of a snapshot: ``redis-server (pid 812)``, with the label if it has one."""
    process = snapshot.process
    text = wording.name(process.name) if process.name else "a process"
    if process.pid is not None:
        text += f" (pid {process.pid})" if process.name else f" {process.pid}"
    return f"{text}, {_quoted(snapshot.label)}" if snapshot.label else text


def _quoted(label: str) -> str:
    return f"‘{wording.name(label)}’"


# ---- the headline


def _title(comparison: Comparison) -> str:
    before, after = who(comparison.before), who(comparison.after)
    if before == after:
        return before
    one, other = comparison.before, comparison.after
    if (one.process.pid, one.process.name) == (other.process.pid, other.process.name) and one.label:
        unlabelled = who(one.model_copy(update={"label": None}))
        if other.label:
            return f"{unlabelled}: {_quoted(one.label)} → {_quoted(other.label)}"
    return f"{before} → {after}"


def _when(comparison: Comparison) -> str:
    before, after = comparison.before.taken_at, comparison.after.taken_at
    if before is None or after is None:
        return ""
    seconds = (after - before).total_seconds()
    if seconds < 0:
        return f"{wording.moment(before)}; “after” was taken {wording.span(-seconds)} EARLIER"
    return f"{wording.moment(before)}, and {wording.span(seconds)} later"


def _match(comparison: Comparison) -> str:
    """Return why these are of one address space, where they are not of one process."""
    if comparison.match == "structure":
        return ""  # a finding says so
    before, after = comparison.before.process, comparison.after.process
    same = before.pid == after.pid and before.start_ticks == after.start_ticks is not None
    return "" if same else wording.printable(comparison.reason)


def _figures(before: Snapshot, after: Snapshot) -> Iterator[Figure]:
    for column in HEADLINE:
        values = [value_of(side.totals, column.counter) for side in (before, after)]
        notes = [_stated(side, column.counter) for side in (before, after)]
        yield Figure(column.name, values[0], values[1], _stated_note(*notes))


def _held(snapshot: Snapshot) -> Iterator[Figure]:
    """Yield the headline of one snapshot; nothing is known of a *before*."""
    for column in HEADLINE:
        stated = _stated(snapshot, column.counter)
        note = f"stated total: {stated}" if stated else ""
        yield Figure(column.name, None, value_of(snapshot.totals, column.counter), note)


def _stated_note(before: str, after: str) -> str:
    if before and after:
        return f"stated total: {before}" if before == after else f"stated total: {before} → {after}"
    return f"stated total before: {before}" if before else after and f"stated total after: {after}"


def _stated(snapshot: Snapshot, counter: str) -> str:
    """Return the total that the kernel or the listing itself states, where it is another by 1 % or more."""
    stated, total = value_of(snapshot.rollup or {}, counter), value_of(snapshot.totals, counter)
    if stated is None or stated == total or (total is not None and abs(stated - total) * 100 < stated):
        return ""
    return wording.size(stated)


_COUNTED = ((ChangeName.NEW, "new"), (ChangeName.REMOVED, "gone"), (ChangeName.GROWN, "grown"))


_TOTALS_ONLY = "no mappings, only the totals that the listing states"


def _counts(comparison: Comparison) -> str:
    """Count the changes; recounted ones are not among the changed, since nothing became of them."""
    for side, snapshot in (("before", comparison.before), ("after", comparison.after)):
        if not snapshot.mappings and snapshot.rollup:
            return f"{side} has {_TOTALS_ONLY}"
    tally = dict.fromkeys(ChangeName, 0)
    for change in comparison.changes:
        tally[change.change] += 1
    unchanged = comparison.unchanged + tally.pop(ChangeName.RECOUNTED)
    counted = [f"{tally.pop(name):,} {word}" for name, word in _COUNTED]
    if shrunk := tally.pop(ChangeName.SHRUNK):
        counted.append(f"{shrunk:,} shrunk")
    return ", ".join([*counted, f"{sum(tally.values()):,} changed", f"{unchanged:,} unchanged"])


def _faults(comparison: Comparison) -> str:
    """Return the page faults between the two, which explain pages that came on first use."""
    one, other = comparison.before.process, comparison.after.process
    if (one.pid, one.start_ticks) != (other.pid, other.start_ticks) or other.start_ticks is None:
        return ""
    pairs = (("minor", one.minor_faults, other.minor_faults), ("major", one.major_faults, other.major_faults))
    told = [
        f"{now - then:,} {name}"
        for name, then, now in pairs
        if then is not None and now is not None and now >= then
    ]
    return f"page faults: {', '.join(told)}" if told else ""


def _inventory(snapshot: Snapshot) -> str:
    if not snapshot.mappings and snapshot.rollup:
        return _TOTALS_ONLY
    parts = [wording.plural(len(snapshot.mappings), "mapping")]
    if snapshot.process.threads is not None:
        parts.append(wording.plural(len(snapshot.process.threads), "thread"))
    return ", ".join(parts)


def _remarks(findings: Sequence[Finding]) -> tuple[Remark, ...]:
    return tuple(
        Remark(
            finding.id,
            finding.severity,
            wording.printable(finding.message),
            tuple(wording.printable(str(seen)) for seen in finding.evidence),
        )
        for finding in findings
    )
