"""The tables of groups: by kind, by owner, by object."""

from collections.abc import Sequence
from functools import partial

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import Grouping, tallied
from vmdiff.comparison.totals import Group, held_groups
from vmdiff.model import Snapshot, add
from vmdiff.model.piece import NOT_SPLIT
from vmdiff.report import wording
from vmdiff.report.options import By, ViewOptions
from vmdiff.report.view.figures import (
    Column,
    figures_of,
    folds_small,
    largest,
    row_limit,
    sort_column,
    value_of,
    weight,
)
from vmdiff.report.view.folding import set_apart_small
from vmdiff.report.view.tables import (
    HOW_TO_SEE,
    Role,
    Row,
    ShownGroup,
    Table,
    rest_title,
    total_of_changes,
    total_of_sizes,
)
from vmdiff.report.view.usage_notes import usage_notes

_UNSPLIT = "of several owners in one mapping"


def usual_groups(*snapshots: Snapshot) -> By:
    """Group by owner where owners were looked for, else by kind."""
    found = any(
        snapshot.origin.owners or any(mapping.owner for mapping in snapshot.mappings)
        for snapshot in snapshots
    )
    return By.OWNER if found else By.KIND


def changed_groups(
    comparison: Comparison, columns: tuple[Column, ...], by: By, options: ViewOptions
) -> Table:
    """Return a row to each group, of what changed in it.

    Groups without anything are one row, for they add nothing to any total.
    """
    inside = usage_notes(comparison.after) if by is By.OWNER else {}
    groups = [
        ShownGroup(
            group.name,
            {name: total.delta for name, total in group.totals.items()},
            inside.get(group.name) or _now(group),
            group.unsplit,
        )
        for group in comparison.grouped(by, only=options.only.matches if options.only else None)
    ]
    total = total_of_changes(columns, comparison.totals)
    return _table(groups, columns, by, options, sort_column(comparison.totals, options), total, signed=True)


def held_groups_table(snapshot: Snapshot, columns: tuple[Column, ...], by: By, options: ViewOptions) -> Table:
    """Return a row to each group of one snapshot, of what it holds."""
    inside = usage_notes(snapshot) if by is By.OWNER else {}
    made = tallied(snapshot, only=options.only.matches if options.only else None)
    groups = [
        ShownGroup(group.name, group.counts, inside.get(group.name, ""), group.unsplit)
        for group in held_groups(snapshot, made, Grouping(by))
    ]
    total = total_of_sizes(columns, snapshot)
    return _table(groups, columns, by, options, sort_column(snapshot.totals, options), total, signed=False)


def _table(
    groups: list[ShownGroup],
    columns: tuple[Column, ...],
    by: By,
    options: ViewOptions,
    sort: Column | None,
    total: Row,
    *,
    signed: bool,
) -> Table:
    dress = partial(_row, columns, signed)
    rows, folds = _sift(groups, columns, options, sort, signed=signed)
    folded = [
        _fold(columns, text, members, signed=signed, rest=at == 0)
        for at, (text, members) in enumerate(folds)
        if members
    ]
    if options.only:
        folded.append(_others(columns, total, [*map(dress, rows), *folded], signed=signed))
    rows_shown = tuple(map(dress, rows))
    return Table(f"by {by}", columns, rows_shown, tuple(folded), total, dress, signed=signed, noun=_NOUNS[by])


_Folds = list[tuple[str, list[ShownGroup]]]
_NOUNS = {By.OWNER: "owner", By.KIND: "kind", By.OBJECT: "object", By.MAPPING: "mapping"}


def _sift(
    groups: list[ShownGroup],
    columns: Sequence[Column],
    options: ViewOptions,
    sort: Column | None,
    *,
    signed: bool,
) -> tuple[list[ShownGroup], _Folds]:
    """Order the groups, and separate what gets a row from what is only counted."""
    order = sort.counter if sort else None
    groups = sorted(groups, key=lambda group: weight(group.counts, order))
    rows: list[ShownGroup] = []
    small: list[ShownGroup] = []
    still: list[ShownGroup] = []
    for group in groups:
        if all(_value(group, column.counter) == 0 for column in columns):
            still.append(group)
        elif options.minimum and largest(group.counts, sort) < options.minimum:
            small.append(group)
        else:
            rows.append(group)
    slight: list[ShownGroup] = []
    if folds_small(options):
        rows, slight = set_apart_small(rows, lambda group: group.counts, sort)
    limit = row_limit(options)
    rest = [*rows[limit:], *slight, *(still if slight and signed else [])]
    still = [] if slight else still
    return rows[:limit], [
        (rest_title(len(rest), "other", cut=len(rows) > limit), rest),
        (f"{wording.plural(len(small), 'group')} below {wording.size(options.minimum)}", small),
        # An empty group of one snapshot is only where figures come from that no column shows.
        (f"{wording.plural(len(still), 'other')}, unchanged", still if signed else []),
    ]


def _row(columns: Sequence[Column], signed: bool, group: ShownGroup) -> Row:
    return Row(
        role=Role.GROUP,
        title=wording.name(group.name),
        cells=figures_of(columns, partial(_value, group), sign=signed),
        note=_UNSPLIT if group.name == NOT_SPLIT else group.note,
        item=group,
    )


def _value(group: ShownGroup, counter: str) -> int | None:
    return value_of(group.counts, counter, group.unsplit)


def _now(group: Group) -> str:
    resident, virtual = group.totals.get("rss"), group.totals.get("size")
    if resident is None or resident.after is None or virtual is None or not virtual.after:
        return ""
    return wording.residency(resident.after, virtual.after)


def _fold(
    columns: Sequence[Column], text: str, groups: Sequence[ShownGroup], *, signed: bool, rest: bool
) -> Row:
    def value(counter: str) -> int | None:
        return add(_value(group, counter) for group in groups)

    return Row(
        role=Role.FOLD,
        title=text,
        note=HOW_TO_SEE if rest else "",
        rest=rest,
        cells=figures_of(columns, value, sign=signed),
        count=len(groups),
        members=tuple(groups),
    )


def _others(columns: Sequence[Column], total: Row, shown: Sequence[Row], *, signed: bool) -> Row:
    """Return a row for all that was not selected: the total less what is shown."""
    rest = {}
    for at, column in enumerate(columns):
        whole, part = total.cells[at].value, add(row.cells[at].value for row in shown)
        rest[column.counter] = None if whole is None or part is None else whole - part
    return Row(role=Role.FOLD, title="not selected", cells=figures_of(columns, rest.get, sign=signed))
