"""The table of one snapshot's mappings."""

from collections.abc import Sequence
from functools import partial

from vmdiff.comparison.compare import Comparison
from vmdiff.model import Mapping, Snapshot, add
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.view.figures import HEADLINE, SUMS, Column, figures_of, row_limit, sort_column, weight
from vmdiff.report.view.tables import HOW_TO_SEE, Role, Row, Table, total_of_sizes


def mappings_table(alone: Comparison, columns: tuple[Column, ...], options: ViewOptions) -> Table:
    """Give a row to each mapping that the reader asked for, and count the others."""
    snapshot = alone.before
    sort = sort_column(alone.totals, options)
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
    limit = row_limit(options)
    dress = partial(_mapping_row, snapshot, columns)
    folded = (
        (wording.plural(len(picked[limit:]), "more mapping"), picked[limit:]),
        (f"{wording.plural(len(small), 'mapping')} below {wording.size(options.minimum)}", small),
        (f"{wording.plural(len(others), 'mapping')} not selected", others),
    )
    folds = tuple(_mapping_fold(snapshot, columns, text, members) for text, members in folded if members)
    total = total_of_sizes(columns, snapshot)
    return Table("mappings", columns, tuple(map(dress, picked[:limit])), folds, total, dress, signed=False)


def _mapping_value(snapshot: Snapshot, mapping: Mapping, counter: str) -> int | None:
    if parts := SUMS.get(counter):
        return add(snapshot.value(mapping, part) for part in parts)
    return snapshot.value(mapping, counter)


def _mapping_weight(snapshot: Snapshot, sort: Column | None, mapping: Mapping) -> tuple[int, ...]:
    counters = (*SUMS["private"], "rss", "swap", "accessible", "size", *((sort.counter,) if sort else ()))
    return weight(
        {counter: _mapping_value(snapshot, mapping, counter) for counter in counters},
        sort.counter if sort else None,
    )


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
        owner=wording.name(owner.name) if owner else "",
        path=wording.name(mapping.path or ""),
        item=mapping,
    )


def _mapping_fold(
    snapshot: Snapshot, columns: tuple[Column, ...], text: str, members: Sequence[Mapping]
) -> Row:
    def value(counter: str) -> int | None:
        return add(_mapping_value(snapshot, mapping, counter) for mapping in members)

    cells = figures_of(columns, value, sign=False)
    note = HOW_TO_SEE if " more " in text else ""
    return Row(role=Role.FOLD, title=text, cells=cells, note=note, count=len(members), members=tuple(members))
