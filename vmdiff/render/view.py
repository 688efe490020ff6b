"""What a view says, chosen once: words, figures, signs, units, order and folding.

A renderer takes a `ComparisonView` or a `SnapshotView` and dresses it; it decides nothing about what
is said. Every text in here has been through `words.printable` and is one line.

One invariant: in every table the cells of the rows and of the folds add up to the cells of the total
(where they are known), and the total equals the headline.
"""

import sys
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from vmdiff.comparison import Change, ChangeName, Comparison, Counts, Group, Total
from vmdiff.errors import ConditionError
from vmdiff.findings import Finding
from vmdiff.model import MIXED, Kind, Mapping, Snapshot, add
from vmdiff.render import words
from vmdiff.render.facts import Fact, facts
from vmdiff.render.options import By, ViewOptions

NARROW = 100  # columns of text below which three figures a row are enough
UNTOUCHED = 1 << 20  # a mapping smaller than this is not worth a word about how little is resident


class Column(NamedTuple):
    """A column of figures: what it is called, and the counter it shows."""

    name: str
    counter: str


VIRTUAL = Column("virtual", "size")
RESIDENT = Column("resident", "rss")
PRIVATE = Column("private", "private")
SWAP = Column("swap", "swap")
HEADLINE = (VIRTUAL, RESIDENT, PRIVATE, SWAP)
_BY_NAME = {column.name: column for column in HEADLINE}

_HOW_TO_SEE = "--all shows them"
_UNSPLIT = "of several owners in one mapping"

# Figures that are sums of the kernel's counters.
_SUMS = {"private": ("private_clean", "private_dirty")}


class Role(StrEnum):
    """What a row stands for."""

    CHANGE = "change"
    CROWD = "crowd"  # several changes that are alike
    MAPPING = "mapping"
    GROUP = "group"
    FOLD = "fold"  # the rest, counted
    TOTAL = "total"


class Cell(NamedTuple):
    """A figure in bytes (None: unknown) and how it is written; zero is blank."""

    value: int | None
    text: str


Item = Change | Mapping | Group
Totals = abc.Mapping[str, Total]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. *members* are what a crowd or a fold stands for (see `Table.unfold`).

    *word* is the name of the change, *title* what it is about, *note* what is remarkable about it,
    *where* its addresses, *why* what its pairing or its owner rests on.
    """

    role: Role
    title: str
    cells: tuple[Cell, ...]
    word: str = ""
    perms: str = ""
    note: str = ""
    where: str = ""
    why: str = ""
    kind: str = ""
    owner: str = ""
    path: str = ""
    count: int = 1
    item: Item | None = None
    members: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the order to show them, then the folds, then the total."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folds: tuple[Row, ...]
    total: Row
    dress: Callable[[Any], Row] = field(repr=False)
    signed: bool = True  # whether its figures are changes

    def unfold(self, row: Row) -> Iterator[Row]:
        """Yield the rows that a crowd or a fold stands for, in their order."""
        return map(self.dress, row.members)


class Figure(NamedTuple):
    """A line of the headline, in bytes; None is unknown. *note* is what else is known of it."""

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
    figures: tuple[Figure, ...]
    counts: str
    remarks: tuple[Remark, ...]
    groups: Table | None
    table: Table


def of_comparison(
    comparison: Comparison, findings: Sequence[Finding], options: ViewOptions
) -> ComparisonView:
    """Choose the words for a comparison.

    Raises:
        ConditionError: the counter to sort by is not known.
    """
    columns = _columns(comparison.totals, options)
    groups, table = _comparison_tables(comparison, columns, options)
    return ComparisonView(
        title=_title(comparison),
        when=_when(comparison),
        match=_match(comparison),
        figures=tuple(_figures(comparison.before, comparison.after)),
        counts=_counts(comparison),
        faults=_faults(comparison),
        remarks=_remarks(findings),
        groups=groups,
        table=table,
        facts=facts(comparison.process),
    )


def of_snapshot(snapshot: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> SnapshotView:
    """Choose the words for one snapshot.

    Raises:
        ConditionError: the counter to sort by is not known.
    """
    # A snapshot is shown as what it would be beside itself: the same code folds its groups.
    alone = Comparison(snapshot, snapshot, "address", "", (), ())
    columns = _columns(alone.totals, options)
    groups, table = _snapshot_tables(alone, columns, options)
    taken = words.moment(snapshot.taken_at) if snapshot.taken_at else "taken at an unknown time"
    return SnapshotView(
        title=who(snapshot),
        when=taken + (f", from {words.printable(snapshot.origin.source)}" if snapshot.origin.source else ""),
        figures=tuple(_figures(snapshot, snapshot)),
        counts=_inventory(snapshot),
        remarks=_remarks(findings),
        groups=groups,
        table=table,
    )


def who(snapshot: Snapshot) -> str:
    """Name the process of a snapshot: ``redis-server (pid 812)``, with the label if it has one."""
    process = snapshot.process
    text = words.name(process.name) if process.name else "a process"
    if process.pid is not None:
        text += f" (pid {process.pid})" if process.name else f" {process.pid}"
    return f"{text}, {words.name(snapshot.label)!r}" if snapshot.label else text


# ---- the headline


def _title(comparison: Comparison) -> str:
    before, after = who(comparison.before), who(comparison.after)
    if before == after:
        return before
    one, other = comparison.before, comparison.after
    if (one.process.pid, one.process.name) == (other.process.pid, other.process.name) and one.label:
        unlabelled = who(one.model_copy(update={"label": None}))
        if other.label:
            return f"{unlabelled}: {words.name(one.label)!r} → {words.name(other.label)!r}"
    return f"{before} → {after}"


def _when(comparison: Comparison) -> str:
    before, after = comparison.before.taken_at, comparison.after.taken_at
    if before is None or after is None:
        return ""
    seconds = (after - before).total_seconds()
    if seconds < 0:
        return f"{words.moment(before)}; “after” was taken {words.span(-seconds)} EARLIER"
    return f"{words.moment(before)}, and {words.span(seconds)} later"


def _match(comparison: Comparison) -> str:
    """Say how the two were matched, where that is not what everybody expects."""
    reason = words.printable(comparison.reason)
    if comparison.match == "structure":
        return "matched by structure" + (f": {reason}" if reason else "")
    before, after = comparison.before.process, comparison.after.process
    same = before.pid == after.pid and before.start_ticks == after.start_ticks is not None
    return "" if same else reason


def _figures(before: Snapshot, after: Snapshot) -> Iterator[Figure]:
    for column in HEADLINE:
        values = [value_of(side.totals, column.counter) for side in (before, after)]
        notes = [
            _stated(side, column.counter, value) for side, value in zip((before, after), values, strict=True)
        ]
        note = notes[0] if notes[0] == notes[1] else " → ".join(note or "?" for note in notes)
        yield Figure(column.name, values[0], values[1], f"listing states {note}" if note else "")


def _stated(snapshot: Snapshot, counter: str, value: int | None) -> str:
    """Give what the listing itself states as the total, where the rows do not tell."""
    if value is not None or not snapshot.rollup:
        return ""
    stated = value_of(snapshot.rollup, counter)
    return "" if stated is None else words.size(stated)


_COUNTED = ((ChangeName.NEW, "new"), (ChangeName.REMOVED, "gone"), (ChangeName.GROWN, "grown"))


def _counts(comparison: Comparison) -> str:
    """Count the changes; recounted ones are not among the changed, since nothing became of them."""
    tally = dict.fromkeys(ChangeName, 0)
    for change in comparison.changes:
        tally[change.change] += 1
    unchanged = comparison.unchanged + tally.pop(ChangeName.RECOUNTED)
    counted = [f"{tally.pop(name):,} {word}" for name, word in _COUNTED]
    if shrunk := tally.pop(ChangeName.SHRUNK):
        counted.append(f"{shrunk:,} shrunk")
    return ", ".join([*counted, f"{sum(tally.values()):,} changed", f"{unchanged:,} unchanged"])


def _faults(comparison: Comparison) -> str:
    """Give the page faults between the two, which explain pages that came on first use."""
    one, other = comparison.before.process, comparison.after.process
    if (one.pid, one.start_ticks) != (other.pid, other.start_ticks) or other.start_ticks is None:
        return ""
    pairs = (("minor", one.minor_faults, other.minor_faults), ("major", one.major_faults, other.major_faults))
    told = [f"{now - then:,} {name}" for name, then, now in pairs if then is not None and now is not None]
    return f"page faults: {', '.join(told)}" if told else ""


def _inventory(snapshot: Snapshot) -> str:
    parts = [words.plural(len(snapshot.mappings), "mapping")]
    if snapshot.process.threads is not None:
        parts.append(words.plural(len(snapshot.process.threads), "thread"))
    return ", ".join(parts)


def _remarks(findings: Sequence[Finding]) -> tuple[Remark, ...]:
    return tuple(
        Remark(
            finding.id,
            finding.severity,
            words.printable(finding.message),
            tuple(words.printable(str(seen)) for seen in finding.evidence),
        )
        for finding in findings
    )


# ---- figures and columns


def value_of(counts: Counts, counter: str) -> int | None:
    """Give a counter, or a figure such as ``private`` that is a sum of some; None where unknown."""
    if parts := _SUMS.get(counter):
        return add(counts.get(part) for part in parts)
    return counts.get(counter)


def _columns(totals: Totals, options: ViewOptions) -> tuple[Column, ...]:
    """Choose the columns: what is known, swap where there is any, and what is sorted by."""
    sort = _sort_column(totals, options)
    columns = [column for column in HEADLINE if _speaks(totals, column)]
    if options.width < NARROW and len(columns) > 3 and sort != PRIVATE:
        columns.remove(PRIVATE)
    if sort is not None and sort not in columns:
        columns.append(sort)
    return tuple(columns)


def _speaks(totals: Totals, column: Column) -> bool:
    """Say whether both sides know the column throughout, and whether it says anything."""
    parts = [totals.get(name, Total(None, None)) for name in _SUMS.get(column.counter, (column.counter,))]
    if any(part.delta is None for part in parts):
        return False
    return column != SWAP or any(part.before or part.after for part in parts)


def _sort_column(totals: Totals, options: ViewOptions) -> Column | None:
    """Give the column to sort by, None for the usual order or that of the addresses."""
    wanted = options.sort
    if wanted is None or wanted == "address":
        return None
    for column in HEADLINE:
        if wanted in column:
            return column
    if wanted not in totals:
        known = ", ".join([*_BY_NAME, "address", *totals])
        raise ConditionError(f"no counter {wanted!r} to sort by; there are {known}")
    return Column(wanted.replace("_", " "), wanted)


def _cells(columns: Iterable[Column], value: Callable[[str], int | None], *, sign: bool) -> tuple[Cell, ...]:
    figures = (value(column.counter) for column in columns)
    return tuple(Cell(figure, words.cell(figure, sign=sign)) for figure in figures)


# ---- the tables of a comparison


def _comparison_tables(
    comparison: Comparison, columns: tuple[Column, ...], options: ViewOptions
) -> tuple[Table | None, Table]:
    """Give the short table of groups, if any, and the table that was asked for."""
    if options.by in (None, By.MAPPING):
        groups = None
        if options.by is None:
            by = usual_groups(comparison.before, comparison.after)
            groups = _delta_groups(comparison, columns, by, ViewOptions())
        return groups, _changes(comparison, columns, options)
    return None, _delta_groups(comparison, columns, options.by, options)


def usual_groups(*snapshots: Snapshot) -> By:
    """Group by owner where owners were looked for, else by kind."""
    found = any(
        snapshot.origin.owners or any(mapping.owner for mapping in snapshot.mappings)
        for snapshot in snapshots
    )
    return By.OWNER if found else By.KIND


def _changes(comparison: Comparison, columns: tuple[Column, ...], options: ViewOptions) -> Table:
    picked, folds = _sift_changes(comparison, options)
    dress = partial(_change_row, columns)
    rows = _rows(picked, options, _sort_column(comparison.totals, options))
    limit = _limit(options)
    shown, hidden = rows[:limit], [change for row in rows[limit:] for change in row]
    if hidden:
        folds.insert(0, ("…", words.plural(len(hidden), "more change"), hidden))
    return Table(
        title="changes",
        columns=columns,
        rows=tuple(dress(row[0]) if len(row) == 1 else _crowd_row(columns, row) for row in shown),
        folds=tuple(_fold(columns, word, text, members) for word, text, members in folds if members),
        total=_total(columns, comparison.totals, "total"),
        dress=dress,
    )


_Folds = list[tuple[str, str, list[Change]]]


def _sift_changes(comparison: Comparison, options: ViewOptions) -> tuple[list[Change], _Folds]:
    """Separate what gets a row from what is only counted."""
    picked: list[Change] = []
    recounted: list[Change] = []
    small: list[Change] = []
    others: list[Change] = []
    sort = _sort_column(comparison.totals, options)
    folds_recounted = not options.show_all and (sort is None or sort in HEADLINE)
    for change in comparison.changes:
        if options.only and not options.only.matches_any(change.mappings):
            others.append(change)
        elif folds_recounted and change.change is ChangeName.RECOUNTED:
            recounted.append(change)
        elif options.minimum and _largest(change.delta, sort) < options.minimum:
            small.append(change)
        else:
            picked.append(change)
    shared = f"{words.plural(len(recounted), 'mapping')} shared differently"
    return picked, [
        ("…", f"{words.plural(len(small), 'change')} below {words.size(options.minimum)}", small),
        ("…", f"{words.plural(len(others), 'change')} not selected", others),
        ("recounted", shared, recounted),
    ]


def _largest(delta: Counts, sort: Column | None) -> int:
    counters = [sort.counter] if sort else [column.counter for column in HEADLINE]
    return max(abs(value_of(delta, counter) or 0) for counter in counters)


def _rows(changes: Sequence[Change], options: ViewOptions, sort: Column | None) -> list[tuple[Change, ...]]:
    """Put together what is shown as one row, and order the rows by what moved in memory.

    Then by what became accessible, then by size: a reservation is not growth. What is unknown
    weighs nothing; ties stay in the order of the addresses.
    """
    first = sort.counter if sort else None
    if options.sort == "address":
        changes = sorted(changes, key=_lowest)
    else:
        changes = sorted(changes, key=lambda change: change_weight(change.delta, first))
    together: dict[Any, list[Change]] = {}
    for at, change in enumerate(changes):
        crowd = None if options.show_all else _crowd(change)
        together.setdefault(at if crowd is None else crowd, []).append(change)
    rows = [tuple(row) for row in together.values()]
    if options.sort != "address" and len(rows) < len(changes):
        rows.sort(key=lambda row: _row_weight(row, first))
    return rows


def _crowd(change: Change) -> abc.Hashable:
    """Say with what a change is shown as one: its crowd, or the other segments of one library."""
    if change.crowd is not None:
        return ("crowd", change.crowd)
    if change.kind is Kind.IMAGE and change.path is not None:
        return (change.change, change.path)
    return None


def _lowest(change: Change) -> int:
    return min((mapping.start or 0 for mapping in change.mappings), default=0)


def _row_weight(row: Sequence[Change], first: str | None) -> tuple[int, ...]:
    if len(row) == 1:
        return change_weight(row[0].delta, first)
    names = {"rss", "swap", "accessible", "size", *_SUMS.get(first or "", (first or "rss",))}
    return change_weight({name: add(change.delta.get(name) for change in row) for name in names}, first)


def change_weight(delta: Counts, first: str | None = None) -> tuple[int, ...]:
    """Give the key that sorts deltas as the command line promises, largest first."""
    held = abs((delta.get("rss") or 0) + (delta.get("swap") or 0))
    usual = (-held, -abs(delta.get("accessible") or 0), -abs(delta.get("size") or 0))
    return usual if first is None else (-abs(value_of(delta, first) or 0), *usual)


def _change_row(columns: tuple[Column, ...], change: Change) -> Row:
    side = change.after or change.before
    owner = change.owner
    return Row(
        role=Role.CHANGE,
        word=str(change.change),
        title=_change_title(change),
        perms=_perms(side),
        cells=_cells(columns, partial(value_of, change.delta), sign=True),
        note=", ".join(_notes(change)),
        where=words.place(side),
        why="; ".join(_reasons(change)),
        kind=str(change.kind or "mixed"),
        owner=words.name(owner.name) if owner else "",
        path=words.name(change.path or ""),
        item=change,
    )


def _change_title(change: Change) -> str:
    """Name what changed; both sides where they are called differently."""
    before, after = words.titles(change.before), words.titles(change.after)
    if not before or not after or before == after:
        return after or before
    if change.change in (ChangeName.REPLACED, ChangeName.RELABELLED):
        return f"{before} → {after}"
    return words.titles(change.mappings)


def _perms(mappings: Iterable[Mapping]) -> str:
    found = {mapping.perms for mapping in mappings}
    return found.pop() if len(found) == 1 else ""


def _notes(change: Change) -> Iterator[str]:
    """Yield what is remarkable about a change and not in its figures."""
    if change.moved_end:
        yield "at both ends" if change.moved_end == "both" else f"at its {change.moved_end}"
    before, after = _perms(change.before), _perms(change.after)
    if before and after and before != after:
        yield f"{before} → {after}"
    if change.change in (ChangeName.SPLIT, ChangeName.MERGED, ChangeName.REDRAWN):
        yield f"{len(change.before)} → {words.plural(len(change.after), 'mapping')}"
    if change.change in (ChangeName.MOVED, ChangeName.SHIFTED):
        yield f"from {words.place(change.before)}"
    if change.change is ChangeName.RELABELLED:
        yield from _relabelling(change.before[0], change.after[0])
    if residency := _residency(change):
        yield residency


def _relabelling(before: Mapping, after: Mapping) -> Iterator[str]:
    if not before.deleted and after.deleted:
        yield "its file was deleted"
    if before.flags is not None and after.flags is not None:
        gained = [f"+{words.name(flag)}" for flag in after.flags if flag not in before.flags]
        lost = [f"-{words.name(flag)}" for flag in before.flags if flag not in after.flags]
        if gained or lost:
            yield f"flags {' '.join(gained + lost)}"
    if before.owner != after.owner and words.title(before) == words.title(after):
        yield "what is known of its owner"


def _residency(change: Change) -> str:
    """Say how much is resident, where that moved or is little of what could be."""
    able = add(mapping.accessible for mapping in change.after)
    held = _resident(change)
    if able is None or held is None or not able:
        return ""
    if able < UNTOUCHED or (change.change is not ChangeName.RESIDENT and held * 10 > able):
        return ""
    return words.residency(held, able)


def _resident(change: Change) -> int | None:
    """Give what is resident after a change; absent is 0 only where the source told all the others."""
    if change.delta.get("rss") is None:
        return None
    values = [mapping.values.get("rss", 0) for mapping in change.after]
    return add(value if isinstance(value, int) else None for value in values)


def _reasons(change: Change) -> Iterator[str]:
    """Yield why the two sides were paired and how the owner is known."""
    if change.because:
        yield f"paired {words.printable(change.because)}"
    owner = change.owner
    if owner and owner.evidence:
        yield f"{words.owner_words(owner)}: {words.printable(owner.evidence)}"


def _crowd_row(columns: tuple[Column, ...], changes: Sequence[Change]) -> Row:
    one_object = len({(change.path, change.kind) for change in changes}) == 1 and changes[0].path
    titles = {_change_title(change) for change in changes}
    some = titles.pop() if len(titles) == 1 else _common_owner(changes) or str(changes[0].kind or MIXED)
    names = {str(change.change) for change in changes}
    return Row(
        role=Role.CROWD,
        word=names.pop() if len(names) == 1 else "changed",
        title=f"{len(changes):,} × {words.name(one_object) if one_object else some}",
        perms=_common(_perms(change.after or change.before) for change in changes),
        cells=_summed(columns, changes),
        kind=_common(str(change.kind or "mixed") for change in changes),
        owner=_common_owner(changes),
        path=_common(words.name(change.path or "") for change in changes),
        count=len(changes),
        members=tuple(changes),
    )


def _common_owner(changes: Iterable[Change]) -> str:
    return _common(words.name(change.owner.name) if change.owner else "" for change in changes)


def _common(values: Iterable[str]) -> str:
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def _fold(columns: tuple[Column, ...], word: str, text: str, members: Sequence[Change]) -> Row:
    return Row(
        role=Role.FOLD,
        note=_HOW_TO_SEE if " more " in text else "",
        word=word,
        title=text,
        cells=_summed(columns, members),
        count=len(members),
        members=tuple(members),
    )


def _summed(columns: tuple[Column, ...], changes: Sequence[Change]) -> tuple[Cell, ...]:
    return _cells(
        columns, lambda counter: add(value_of(change.delta, counter) for change in changes), sign=True
    )


def summed_row(table: Table, rows: Sequence[Row], title: str) -> Row:
    """Give one fold in place of some rows of a table, for a renderer that shows fewer."""
    sums = [add(row.cells[at].value for row in rows) for at in range(len(table.columns))]
    sign = table.signed
    cells = tuple(Cell(value, words.cell(value, sign=sign)) for value in sums)
    return Row(Role.FOLD, title, cells, count=sum(row.count for row in rows))


def _total(columns: tuple[Column, ...], totals: Totals, title: str) -> Row:
    deltas = {name: total.delta for name, total in totals.items()}
    cells = _cells(columns, partial(value_of, deltas), sign=True)
    # A blank total looks forgotten.
    cells = tuple(Cell(cell.value, cell.text or words.signed(cell.value)) for cell in cells)
    return Row(role=Role.TOTAL, title=title, cells=cells)


def _limit(options: ViewOptions) -> int:
    return sys.maxsize if options.show_all or options.rows is None else options.rows


def _delta_groups(comparison: Comparison, columns: tuple[Column, ...], by: By, options: ViewOptions) -> Table:
    """Give the groups that changed; the others are one row, for they add nothing to any total."""
    groups = list(comparison.grouped(by))
    columns = _split_columns(groups, columns)
    deltas = {group.name: {name: total.delta for name, total in group.totals.items()} for group in groups}
    sort = _sort_column(comparison.totals, options)
    groups.sort(key=lambda group: change_weight(deltas[group.name], sort.counter if sort else None))
    moved = [group for group in groups if any(value_of(deltas[group.name], c.counter) for c in columns)]
    still = [group for group in groups if group not in moved]
    dress = partial(_delta_group_row, columns)
    limit = _limit(options)
    folds = []
    if moved[limit:]:
        folds.append(_group_fold(columns, moved[limit:], "more", sign=True))
    if still:
        folds.append(_group_fold(columns, still, "unchanged", sign=True))
    total = _total(columns, comparison.totals, "total")
    return Table(f"by {by}", columns, tuple(map(dress, moved[:limit])), tuple(folds), total, dress)


def _split_columns(groups: Iterable[Group], columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Leave out the figures that nobody can split among the owners that share a mapping."""
    if all(group.name != MIXED for group in groups):
        return columns
    return tuple(column for column in columns if column in (VIRTUAL, RESIDENT, SWAP))


def _delta_group_row(columns: tuple[Column, ...], group: Group) -> Row:
    deltas = {name: total.delta for name, total in group.totals.items()}
    return Row(
        role=Role.GROUP,
        title=words.name(group.name),
        cells=_cells(columns, partial(value_of, deltas), sign=True),
        note=_now(group),
        item=group,
    )


def _now(group: Group) -> str:
    if group.name == MIXED:
        return _UNSPLIT
    resident, virtual = group.totals.get("rss"), group.totals.get("size")
    if resident is None or resident.after is None or virtual is None or virtual.after is None:
        return ""
    return words.residency(resident.after, virtual.after) if virtual.after else ""


def _group_fold(columns: tuple[Column, ...], groups: Sequence[Group], word: str, *, sign: bool) -> Row:
    def value(counter: str) -> int | None:
        sides = ({name: _pick(total, sign=sign) for name, total in group.totals.items()} for group in groups)
        return add(value_of(side, counter) for side in sides)

    return Row(
        role=Role.FOLD,
        title=f"{words.plural(len(groups), 'other')}, {word}"
        if word == "unchanged"
        else f"{len(groups):,} {word}",
        cells=_cells(columns, value, sign=sign),
        count=len(groups),
        members=tuple(groups),
    )


def _pick(total: Total, *, sign: bool) -> int | None:
    return total.delta if sign else total.after


# ---- the tables of one snapshot


def _snapshot_tables(
    alone: Comparison, columns: tuple[Column, ...], options: ViewOptions
) -> tuple[Table | None, Table]:
    if options.by in (None, By.MAPPING):
        groups = None
        if options.by is None:
            groups = _sizes(alone, columns, usual_groups(alone.before), ViewOptions())
        return groups, _mappings(alone, columns, options)
    return None, _sizes(alone, columns, options.by, options)


def _mappings(alone: Comparison, columns: tuple[Column, ...], options: ViewOptions) -> Table:
    snapshot = alone.before
    sort = _sort_column(alone.totals, options)
    value = partial(_mapping_value, snapshot)
    picked, small, others = [], [], []
    counters = [sort.counter] if sort else [column.counter for column in HEADLINE]
    for mapping in snapshot.mappings:
        if options.only and not options.only.matches(mapping):
            others.append(mapping)
        elif options.minimum and max(value(mapping, c) or 0 for c in counters) < options.minimum:
            small.append(mapping)
        else:
            picked.append(mapping)
    if options.sort != "address":
        picked.sort(key=partial(_mapping_weight, snapshot, sort))
    limit = _limit(options)
    dress = partial(_mapping_row, snapshot, columns)
    folded = (
        (words.plural(len(picked[limit:]), "more mapping"), picked[limit:]),
        (f"{words.plural(len(small), 'mapping')} below {words.size(options.minimum)}", small),
        (f"{words.plural(len(others), 'mapping')} not selected", others),
    )
    folds = tuple(_mapping_fold(snapshot, columns, text, members) for text, members in folded if members)
    total = _whole(columns, snapshot)
    return Table("mappings", columns, tuple(map(dress, picked[:limit])), folds, total, dress, signed=False)


def _mapping_value(snapshot: Snapshot, mapping: Mapping, counter: str) -> int | None:
    if parts := _SUMS.get(counter):
        return add(snapshot.value(mapping, part) for part in parts)
    return snapshot.value(mapping, counter)


def _mapping_weight(snapshot: Snapshot, sort: Column | None, mapping: Mapping) -> tuple[int, ...]:
    counters = (*_SUMS["private"], "rss", "swap", "accessible", "size", *((sort.counter,) if sort else ()))
    return change_weight(
        {counter: _mapping_value(snapshot, mapping, counter) for counter in counters},
        sort.counter if sort else None,
    )


def _mapping_row(snapshot: Snapshot, columns: tuple[Column, ...], mapping: Mapping) -> Row:
    owner = mapping.owner
    return Row(
        role=Role.MAPPING,
        title=words.title(mapping),
        perms=mapping.perms,
        cells=_cells(columns, partial(_mapping_value, snapshot, mapping), sign=False),
        where=words.place((mapping,)),
        why=f"{words.owner_words(owner)}: {words.printable(owner.evidence)}"
        if owner and owner.evidence
        else "",
        kind=str(mapping.kind),
        owner=words.name(owner.name) if owner else "",
        path=words.name(mapping.path or ""),
        item=mapping,
    )


def _mapping_fold(
    snapshot: Snapshot, columns: tuple[Column, ...], text: str, members: Sequence[Mapping]
) -> Row:
    def value(counter: str) -> int | None:
        return add(_mapping_value(snapshot, mapping, counter) for mapping in members)

    cells = _cells(columns, value, sign=False)
    note = _HOW_TO_SEE if " more " in text else ""
    return Row(role=Role.FOLD, title=text, cells=cells, note=note, count=len(members), members=tuple(members))


def _whole(columns: tuple[Column, ...], snapshot: Snapshot) -> Row:
    cells = _cells(columns, partial(value_of, snapshot.totals), sign=False)
    cells = tuple(Cell(cell.value, cell.text or words.size(cell.value)) for cell in cells)
    return Row(role=Role.TOTAL, title="total", cells=cells)


def _sizes(alone: Comparison, columns: tuple[Column, ...], by: By, options: ViewOptions) -> Table:
    """Give the groups of one snapshot, largest first."""
    sort = _sort_column(alone.totals, options)
    columns = _split_columns(alone.grouped(by), columns)
    sizes = {
        group.name: {name: total.after for name, total in group.totals.items()} for group in alone.grouped(by)
    }
    groups = sorted(
        (
            group
            for group in alone.grouped(by)
            if any(value_of(sizes[group.name], c.counter) != 0 for c in columns)
        ),
        key=lambda group: change_weight(sizes[group.name], sort.counter if sort else None),
    )
    dress = partial(_size_group_row, columns)
    limit = _limit(options)
    folds = (_group_fold(columns, groups[limit:], "more", sign=False),) if groups[limit:] else ()
    rows = tuple(map(dress, groups[:limit]))
    return Table(f"by {by}", columns, rows, folds, _whole(columns, alone.before), dress, signed=False)


def _size_group_row(columns: tuple[Column, ...], group: Group) -> Row:
    sizes = {name: total.after for name, total in group.totals.items()}
    cells = _cells(columns, partial(value_of, sizes), sign=False)
    note = _UNSPLIT if group.name == MIXED else ""
    return Row(role=Role.GROUP, title=words.name(group.name), cells=cells, note=note, item=group)
