"""The table of one snapshot's mappings."""

from collections.abc import Hashable, Sequence
from functools import partial

from vmdiff.comparison.change import Counts
from vmdiff.comparison.crowds import SMALLEST_CROWD
from vmdiff.model import Kind, Mapping, Snapshot, add
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.view.figures import (
    HEADLINE,
    Column,
    figures_of,
    folds_small,
    parts_of,
    row_limit,
    sort_column,
    value_of,
    weight,
)
from vmdiff.report.view.folding import set_apart_small
from vmdiff.report.view.tables import HOW_TO_SEE, Role, Row, Table, rest_title, total_of_sizes


def mappings_table(snapshot: Snapshot, columns: tuple[Column, ...], options: ViewOptions) -> Table:
    """Return a row to each mapping that the reader asked for, and count the others."""
    sort = sort_column(snapshot.totals, options)
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
    rows = _rows(snapshot, picked, options, sort)
    dress = partial(_mapping_row, snapshot, columns)
    small_rows: list[tuple[Mapping, ...]] = []
    if folds_small(options):
        rows, small_rows = set_apart_small(rows, partial(_row_counts, snapshot, sort), sort)
    limit = row_limit(options)
    rest = [mapping for row in (*rows[limit:], *small_rows) for mapping in row]
    folded = (
        (rest_title(len(rest), "mapping", cut=len(rows) > limit), rest),
        (f"{wording.plural(len(small), 'mapping')} below {wording.size(options.minimum)}", small),
        (f"{wording.plural(len(others), 'mapping')} not selected", others),
    )
    folds = tuple(
        _mapping_fold(snapshot, columns, text, members, rest=at == 0)
        for at, (text, members) in enumerate(folded)
        if members
    )
    shown = tuple(
        dress(row[0]) if len(row) == 1 else _crowd_row(snapshot, columns, row) for row in rows[:limit]
    )
    total = total_of_sizes(columns, snapshot)
    return Table("mappings", columns, shown, folds, total, dress, signed=False, noun="mapping")


def _rows(
    snapshot: Snapshot, mappings: Sequence[Mapping], options: ViewOptions, sort: Column | None
) -> list[tuple[Mapping, ...]]:
    """Put together what is alike: many mappings of one look and size, and the segments of a library."""
    if options.show_all or options.by is not None or options.sort == "address":
        return [(mapping,) for mapping in mappings]
    together: dict[Hashable, list[Mapping]] = {}
    for mapping in mappings:
        together.setdefault(_look(mapping), []).append(mapping)
    rows: list[tuple[Mapping, ...]] = []
    for alike in together.values():
        crowd = len(alike) >= SMALLEST_CROWD or _is_segment(alike[0])
        rows += [tuple(alike)] if crowd else [(mapping,) for mapping in alike]
    first = sort.counter if sort else None
    return sorted(rows, key=lambda row: weight(_row_counts(snapshot, sort, row), first))


def _row_counts(snapshot: Snapshot, sort: Column | None, row: Sequence[Mapping]) -> Counts:
    """Add up the counters by which rows are ordered and folded."""
    counters = {*parts_of("rss"), *parts_of("private"), "swap", "accessible", "size"}
    counters |= set(parts_of(sort.counter)) if sort else set()
    return {name: add(snapshot.value(mapping, name) for mapping in row) for name in counters}


def _is_segment(mapping: Mapping) -> bool:
    """Return whether a mapping is a segment of an executable or library."""
    return mapping.kind is Kind.IMAGE and mapping.path is not None


def _look(mapping: Mapping) -> Hashable:
    if _is_segment(mapping):
        return mapping.path
    owner = mapping.owner and mapping.owner.name
    return mapping.kind, mapping.perms, mapping.path, owner, mapping.size


def _crowd_row(snapshot: Snapshot, columns: tuple[Column, ...], mappings: Sequence[Mapping]) -> Row:
    sums = snapshot.sums(mappings)
    first = mappings[0]
    each = f", {wording.size(first.size)} each" if not _is_segment(first) else ""
    called = wording.owner_name(first.owner) if first.owner and not first.path else _called(snapshot, first)
    return Row(
        role=Role.CROWD,
        title=f"{len(mappings):,} × {called}{each}",
        perms=first.perms if len({mapping.perms for mapping in mappings}) == 1 else "",
        cells=figures_of(columns, partial(value_of, sums), sign=False),
        kind=str(first.kind),
        owner=wording.owner_name(first.owner),
        path=wording.name(first.path or ""),
        count=len(mappings),
        members=tuple(mappings),
    )


def _called(snapshot: Snapshot, mapping: Mapping) -> str:
    """Name a mapping of a crowd; what has no owner where these were looked for, the program mapped itself."""
    if mapping.path:
        return wording.name(mapping.path)
    own = snapshot.origin.owners and mapping.kind is Kind.ANONYMOUS
    return "mapped by the program" if own else str(mapping.kind)


def _mapping_value(snapshot: Snapshot, mapping: Mapping, counter: str) -> int | None:
    return value_of({part: snapshot.value(mapping, part) for part in parts_of(counter)}, counter)


def _mapping_weight(snapshot: Snapshot, sort: Column | None, mapping: Mapping) -> tuple[int, ...]:
    first = sort.counter if sort else None
    counters = {*parts_of("rss"), "swap", "accessible", "size", *parts_of(first or "rss")}
    return weight({counter: snapshot.value(mapping, counter) for counter in counters}, first)


def _mapping_row(snapshot: Snapshot, columns: tuple[Column, ...], mapping: Mapping) -> Row:
    owner = mapping.owner
    return Row(
        role=Role.MAPPING,
        title=wording.title(mapping),
        perms=mapping.perms,
        cells=figures_of(columns, partial(_mapping_value, snapshot, mapping), sign=False),
        where=wording.place((mapping,)),
        why=wording.evidence(owner),
        kind=str(mapping.kind),
        owner=wording.owner_name(owner),
        path=wording.name(mapping.path or ""),
        item=mapping,
    )


def _mapping_fold(
    snapshot: Snapshot, columns: tuple[Column, ...], text: str, members: Sequence[Mapping], *, rest: bool
) -> Row:
    def value(counter: str) -> int | None:
        return add(_mapping_value(snapshot, mapping, counter) for mapping in members)

    cells = figures_of(columns, value, sign=False)
    note = HOW_TO_SEE if rest else ""
    every = tuple(members)
    return Row(Role.FOLD, text, cells, note=note, count=len(every), members=every, rest=rest)
