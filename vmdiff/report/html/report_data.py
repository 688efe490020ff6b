"""The figures behind an HTML report, as JSON for its script.

Texts are harmless words of the view, each stored once and named by its index; figures are bytes, null
where unknown. ``<`` and ``&`` are written as escapes, so that no text can end the element it stands in.
"""

from collections import abc
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from pydantic_core import to_json

from vmdiff.comparison.change import Change, Counts
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import GROUPINGS, tallied
from vmdiff.comparison.totals import held_groups, side_totals
from vmdiff.model import DERIVED, Mapping, Snapshot, add
from vmdiff.model.piece import group_of, pieces_of
from vmdiff.report import wording
from vmdiff.report.html import leaves
from vmdiff.report.html.leaves import Leaf
from vmdiff.report.view import compose
from vmdiff.report.view.compose import Column, Role, Row, Table

_GROUPS = 200  # of one grouping; the rest is one


def of_comparison(found: Comparison, table: Table) -> str:
    """Write the figures of a comparison whose every row is in *table*."""
    changed = chain.from_iterable(change.mappings for change in found.changes)
    sides = side_totals(found.totals)
    groups: _Groups = {
        by: [(group.name, side_totals(group.totals), group.unsplit) for group in found.grouped(by)]
        for by in GROUPINGS
    }
    return _Data(found.paired, table, changed).written(
        str(found.match), sides, groups, leaves.of_comparison(found, table.columns)
    )


def of_snapshot(taken: Snapshot, table: Table) -> str:
    """Write the figures of one snapshot whose every row is in *table*."""
    made = tallied(taken)
    groups: _Groups = {
        by: [(group.name, [group.counts], group.unsplit) for group in held_groups(taken, made, by)]
        for by in GROUPINGS
    }
    return _Data((taken,), table, taken.mappings).written(
        "alone", [taken.totals], groups, leaves.of_snapshot(taken, table.columns)
    )


_Sides = tuple[str, Sequence[Counts], frozenset[str]]  # a group, what it has on each side, what was not split
_Groups = abc.Mapping[str, Sequence[_Sides]]


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
        self._row_of: dict[int, int] = {}  # the row of a change or mapping

    def written(
        self, matched: str, totals: Sequence[Counts], groups: _Groups, composed: Iterable[Leaf]
    ) -> str:
        columns = self._table.columns
        data = {
            "match": matched,
            "sides": [self._side(side) for side in self._sides],
            "main": "resident",
            "columns": [column.name for column in columns],
            "totals": [_pair(totals, column) for column in columns],
            "counters": [counter.replace("_", " ") for counter in self._counters],
            "known": [[name in side.origin.counters for name in self._counters] for side in self._sides],
            "rows": list(self._rows()),
            "groups": {by: _groups(found, columns) for by, found in groups.items()},
            "usual": str(compose.usual_groups(*self._sides)),
            "leaves": self._leaves(list(composed)),
        }
        return safe(data | {"texts": list(self._texts)})

    def _leaves(self, composed: Sequence[Leaf]) -> dict[str, list[Any]]:
        """Return the leaves of the composition, a list a field; figures that are the same after are blank."""
        return {
            **{
                field: [self._text(wording.name(getattr(leaf, field))) for leaf in composed]
                for field in ("kind", "owner", "object", "title")
            },
            "where": [leaf.where for leaf in composed],
            "row": [-1 if leaf.item is None else self._row_of.get(id(leaf.item), -1) for leaf in composed],
            "before": [leaf.before for leaf in composed],
            "after": [None if leaf.after == leaf.before else leaf.after for leaf in composed],
        }

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _side(self, side: Snapshot) -> dict[str, list[Any]]:
        """Return the mappings of a snapshot, a list a field."""
        mappings = side.mappings
        return {
            "where": [wording.place((mapping,)) for mapping in mappings],
            "title": [self._text(wording.title(mapping)) for mapping in mappings],
            "perms": [self._text(mapping.perms) for mapping in mappings],
            "kind": [self._text(str(mapping.kind)) for mapping in mappings],
            "owner": [self._text(_owner(mapping)) for mapping in mappings],
            "group": [self._text(_group(mapping)) for mapping in mappings],
            "why": [self._text(_evidence(mapping)) for mapping in mappings],
            "more": [self._text(_more(mapping)) for mapping in mappings],
            "size": [mapping.size for mapping in mappings],
            "rss": [side.value(mapping, "rss") for mapping in mappings],
            "values": [self._values(mapping) for mapping in mappings],
            "owners": list(self._owners(side)),
        }

    def _owners(self, side: Snapshot) -> Iterator[list[int]]:
        """Yield where the memory of several owners lies in one mapping: its place, owner, from and to."""
        for at, mapping in enumerate(side.mappings):
            if mapping.owner is None or not mapping.owner.parts:
                continue
            for piece in pieces_of(side, mapping):
                group = self._text(wording.name(piece.group))
                for low, high in piece.ranges:
                    yield [at, group, low - (mapping.start or 0), high - (mapping.start or 0)]

    def _values(self, mapping: Mapping) -> list[int | None]:
        """Return the counters that are not 0, each as its index and its value."""
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
            self._row_of[id(row.item)] = at
            at += 1
            if row.role in (Role.CROWD, Role.FOLD):
                for member in self._table.unfold(row):
                    yield self._row(member, parent)
                    self._row_of[id(member.item)] = at
                    at += 1

    def _row(self, row: Row, parent: int) -> list[Any]:
        texts = (row.word, row.title, row.kind, row.owner, row.path, row.perms, row.note, row.why)
        figures = [cell.value for cell in row.cells]
        return [parent, [self._text(text) for text in texts], row.where, figures, *self._indices(row)]

    def _indices(self, row: Row) -> Iterator[list[int]]:
        """Yield the places of the row's mappings in each side."""
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


def _group(mapping: Mapping) -> str:
    """Name the group of owners of a mapping; that of several is in *owners*."""
    return wording.name(group_of(mapping.kind, mapping.owner))


def _evidence(mapping: Mapping) -> str:
    return wording.printable(mapping.owner.evidence) if mapping.owner else ""


def _more(mapping: Mapping) -> str:
    """Return what else the listing tells of a mapping: offset, file, flags."""
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


def _groups(groups: Sequence[_Sides], columns: Sequence[Column]) -> list[list[Any]]:
    """Return the name of each group and each column's total on each side; the smallest are one."""
    listed = [
        [wording.name(name), *(_pair(sides, column, unsplit) for column in columns)]
        for name, sides, unsplit in groups[:_GROUPS]
    ]
    if rest := [
        [_pair(sides, column, unsplit) for column in columns] for _, sides, unsplit in groups[_GROUPS:]
    ]:
        sums = [[add(side) for side in zip(*column, strict=True)] for column in zip(*rest, strict=True)]
        listed.append([f"{len(rest):,} others", *sums])
    return listed


def _pair(sides: Iterable[Counts], column: Column, unsplit: frozenset[str] = frozenset()) -> list[int | None]:
    """Return the figure of each side."""
    return [compose.value_of(side, column.counter, unsplit) for side in sides]


def safe(data: Any) -> str:
    """Write JSON in which no text can end the element that it stands in."""
    text = to_json(data).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
