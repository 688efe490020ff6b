"""The figures behind an HTML report, as JSON for its script.

Texts are harmless words of the view, each stored once and named by its index; figures are bytes, null
where unknown. ``<`` and ``&`` are written as escapes, so that no text can end the element it stands in.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from pydantic_core import to_json

from vmdiff.comparison.change import Change, Counts
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.match_mode import Match
from vmdiff.comparison.tally import GROUPINGS
from vmdiff.comparison.totals import Group, Total
from vmdiff.model import DERIVED, Mapping, Snapshot, add
from vmdiff.report import wording
from vmdiff.report.view import compose
from vmdiff.report.view.compose import Column, Role, Row, Table

_GROUPS = 200  # of one grouping; the rest is one


def of_comparison(found: Comparison, table: Table) -> str:
    """Write the figures of a comparison whose every row is in *table*."""
    changed = chain.from_iterable(change.mappings for change in found.changes)
    return _Data((found.before, found.after), table, changed).written(found, matched=found.match)


def of_snapshot(taken: Snapshot, table: Table) -> str:
    """Write the figures of one snapshot whose every row is in *table*."""
    alone = Comparison(taken, taken, Match.ADDRESS, "", (), ())
    return _Data((taken,), table, taken.mappings).written(alone, matched="alone")


class _Data:
    """The tables of one report under construction.

    Only what is in *detailed* can be looked into, so that only this needs all of its counters.
    """

    def __init__(self, sides: Sequence[Snapshot], table: Table, detailed: Iterable[Mapping]) -> None:
        self._sides = sides
        self._table = table
        self._texts: dict[str, int] = {"": 0}
        names = dict.fromkeys(chain.from_iterable(side.origin.counters for side in sides))
        self._counters = {name: at for at, name in enumerate(name for name in names if name not in DERIVED)}
        self._detailed = set(map(id, detailed))
        self._places = [{id(mapping): at for at, mapping in enumerate(side.mappings)} for side in sides]

    def written(self, found: Comparison, *, matched: str) -> str:
        columns = self._table.columns
        data = {
            "match": matched,
            "sides": [self._side(side) for side in self._sides],
            "columns": [column.name for column in columns],
            "totals": [_pair(_sides(found.totals), column) for column in columns],
            "counters": [counter.replace("_", " ") for counter in self._counters],
            "known": [[name in side.origin.counters for name in self._counters] for side in self._sides],
            "rows": list(self._rows()),
            "groups": {by: _groups(found.grouped(by), columns) for by in GROUPINGS},
            "usual": str(compose.usual_groups(*self._sides)),
        }
        return safe(data | {"texts": list(self._texts)})

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _side(self, side: Snapshot) -> dict[str, list[Any]]:
        """Give the mappings of a snapshot, a list a field."""
        mappings = side.mappings
        return {
            "where": [wording.place((mapping,)) for mapping in mappings],
            "title": [self._text(wording.title(mapping)) for mapping in mappings],
            "perms": [self._text(mapping.perms) for mapping in mappings],
            "kind": [self._text(str(mapping.kind)) for mapping in mappings],
            "owner": [self._text(_owner(mapping)) for mapping in mappings],
            "why": [self._text(_evidence(mapping)) for mapping in mappings],
            "more": [self._text(_more(mapping)) for mapping in mappings],
            "size": [mapping.size for mapping in mappings],
            "rss": [side.value(mapping, "rss") for mapping in mappings],
            "values": [self._values(mapping) for mapping in mappings],
        }

    def _values(self, mapping: Mapping) -> list[int | None]:
        """Give the counters that are not 0, each as its index and its value."""
        if id(mapping) not in self._detailed:
            return []
        places = self._counters
        return [
            figure  # type: ignore[misc]  # counters are numbers
            for name, value in mapping.values.items()
            if value != 0 and name in places
            for figure in (places[name], value)
        ]

    def _rows(self) -> Iterator[list[Any]]:
        """Yield every row, those that fold others right before what they fold."""
        at = 0
        for row in chain(self._table.rows, self._table.folds):
            parent = at
            yield self._row(row, -1)
            at += 1
            if row.role in (Role.CROWD, Role.FOLD):
                for member in self._table.unfold(row):
                    yield self._row(member, parent)
                    at += 1

    def _row(self, row: Row, parent: int) -> list[Any]:
        texts = (row.word, row.title, row.kind, row.owner, row.path, row.perms, row.note, row.why)
        figures = [cell.value for cell in row.cells]
        return [parent, [self._text(text) for text in texts], row.where, figures, *self._indices(row)]

    def _indices(self, row: Row) -> Iterator[list[int]]:
        """Give the places of the row's mappings in each side."""
        item = row.item
        if isinstance(item, Change):
            yield from (self._found(side, which) for side, which in enumerate((item.before, item.after)))
        elif isinstance(item, Mapping):
            yield self._found(0, (item,))

    def _found(self, side: int, mappings: Iterable[Mapping]) -> list[int]:
        places = self._places[side]
        return [places[id(mapping)] for mapping in mappings if id(mapping) in places]


def _owner(mapping: Mapping) -> str:
    return wording.owner_words(mapping.owner) if mapping.owner else ""


def _evidence(mapping: Mapping) -> str:
    return wording.printable(mapping.owner.evidence) if mapping.owner else ""


def _more(mapping: Mapping) -> str:
    """Say what else the listing tells of a mapping: offset, file, flags."""
    told = []
    if mapping.offset:
        told.append(f"offset {mapping.offset:x}")
    if mapping.inode not in {None, "0"}:
        told.append(f"inode {mapping.inode} on {wording.printable(mapping.device or '?')}")
    if mapping.build_id:
        told.append(f"build id {mapping.build_id}")
    if mapping.flags:
        told.append(f"flags {wording.printable(' '.join(mapping.flags))}")
    return " · ".join(told)


def _groups(groups: Sequence[Group], columns: Sequence[Column]) -> list[list[Any]]:
    """Give the name of each group and each column's total before and after; the smallest are one."""
    listed = [[wording.name(group.name), *_pairs(group, columns)] for group in groups[:_GROUPS]]
    if rest := [_pairs(group, columns) for group in groups[_GROUPS:]]:
        sums = [[add(pair[side] for pair in column) for side in (0, 1)] for column in zip(*rest, strict=True)]
        listed.append([f"{len(rest):,} others", *sums])
    return listed


def _pairs(group: Group, columns: Sequence[Column]) -> list[list[int | None]]:
    sides = _sides(group.totals)
    return [_pair(sides, column) for column in columns]


def _pair(sides: Iterable[Counts], column: Column) -> list[int | None]:
    return [compose.value_of(side, column.counter) for side in sides]


def _sides(totals: Any) -> tuple[dict[str, int | None], dict[str, int | None]]:
    pairs: list[tuple[str, Total]] = list(totals.items())
    return {name: total.before for name, total in pairs}, {name: total.after for name, total in pairs}


def safe(data: Any) -> str:
    """Write JSON in which no text can end the element that it stands in."""
    text = to_json(data).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
