"""What the memory consists of, piece by piece: the leaves of the picture of the composition.

Each leaf is the memory that one owner has in one region (a mapping, or the mappings of both sides that a
comparison joined), with the figures of every column before and after. One invariant: over all leaves, each
column of each side adds up to the total; what cannot be split among the owners of one mapping is a leaf of
the group `NOT_SPLIT`.
"""

from collections.abc import Hashable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.matching import Region
from vmdiff.comparison.tally import Key, Tally, object_name, tallied_mapping
from vmdiff.model import DERIVED, Mapping, Snapshot, add
from vmdiff.model.piece import NOT_SPLIT, Piece, group_of, pieces_of
from vmdiff.report import wording
from vmdiff.report.view.figures import Column, parts_of, value_of

Figures = tuple[int | None, ...]


class Leaf(NamedTuple):
    """The memory of one owner in one region.

    *owner* and *object* are the groups it counts in, *before* and *after* a figure a column (empty where
    the side has none of it), *item* is what the table of changes or mappings has a row for.
    """

    kind: str
    owner: str
    object: str
    title: str
    where: str
    before: Figures
    after: Figures
    item: Change | Mapping | None


def of_snapshot(taken: Snapshot, columns: Sequence[Column]) -> Iterator[Leaf]:
    """Yield the leaves of one snapshot, which has no *before*."""
    side = _Cutter(taken, columns)
    for mapping in taken.mappings:
        for part in side.parts((mapping,)):
            yield Leaf(*part.key, part.title, wording.place((mapping,)), (), part.figures, mapping)


def of_comparison(found: Comparison, columns: Sequence[Column]) -> Iterator[Leaf]:
    """Yield the leaves of a comparison: of what changed, then of what did not."""
    sides = _Cutter(found.before, columns), _Cutter(found.after, columns)
    for region in chain[Change | Region](found.changes, found.same):
        item = region if isinstance(region, Change) else None
        place = wording.place(region.after or region.before)
        if item is None and region.before == region.after:
            yield from (
                Leaf(*part.key, part.title, place, part.figures, part.figures, None)
                for part in sides[1].parts(region.after)
            )
            continue
        before, after = (
            {part.key: part for part in side.parts(mappings)}
            for side, mappings in zip(sides, (region.before, region.after), strict=True)
        )
        for key in dict.fromkeys((*after, *before)):
            one, other = before.get(key), after.get(key)
            title = other.title if other else one.title if one else ""
            figures = (one.figures if one else ()), (other.figures if other else ())
            yield Leaf(*key, title, place, *figures, item)


def of_process(
    before: Snapshot | None, after: Snapshot | None, columns: Sequence[Column], *, same_space: bool
) -> Iterator[Leaf]:
    """Yield the leaves of a process in two sets; None where it is new or ended.

    In the *same_space* memory that begins where it began is one leaf, else memory that goes by one name.
    """
    sides = [
        {} if taken is None else _by_place(_Cutter(taken, columns), taken, same_space=same_space)
        for taken in (before, after)
    ]
    for place in dict.fromkeys((*sides[1], *sides[0])):
        one, other = (side.get(place, _NONE) for side in sides)
        share, where = one if other is _NONE else other
        yield Leaf(*share.key, share.title, where, one[0].figures, other[0].figures, None)


def of_totals(before: Snapshot | None, after: Snapshot | None, columns: Sequence[Column]) -> Leaf:
    """Return the one leaf of a process that is known by its totals on one side: they are nobody's."""
    earlier, later = (
        () if one is None else tuple([value_of(one.totals, column.counter) for column in columns])
        for one in (before, after)
    )
    return Leaf(NOT_SPLIT, NOT_SPLIT, NOT_SPLIT, "all of it", "", earlier, later, None)


def _by_place(
    cutter: "_Cutter", taken: Snapshot, *, same_space: bool
) -> "dict[Hashable, tuple[_Share, str]]":
    """Return what each owner has at each place, or under each name, and where that is."""
    found: dict[Hashable, list[tuple[_Share, Mapping]]] = {}
    for mapping in taken.mappings:
        for share in cutter.parts((mapping,)):
            start = mapping.start if same_space else None
            found.setdefault((share.key, share.title if start is None else start), []).append(
                (share, mapping)
            )
    return {
        place: (_sum([share for share, _ in some]), wording.place([some[0][1]]) if len(some) == 1 else "")
        for place, some in found.items()
    }


class _LeafGroup(NamedTuple):
    kind: str
    owner: str
    object: str


class _Share(NamedTuple):
    """What one owner has in some mappings of one side."""

    key: _LeafGroup
    title: str
    figures: Figures


_NONE = (_Share(_LeafGroup("", "", ""), "", ()), "")


class _Cutter:
    """The pieces of one snapshot's mappings; mappings with equal counters are read once."""

    def __init__(self, taken: Snapshot, columns: Sequence[Column]) -> None:
        self._taken = taken
        self._columns = columns
        parts = (part for column in columns for part in parts_of(column.counter) if part not in DERIVED)
        self._names = tuple(dict.fromkeys(parts))
        self._alike: dict[tuple[object, ...], Figures] = {}

    def parts(self, mappings: Sequence[Mapping]) -> list[_Share]:
        """Return what each owner has in some mappings, one part a key."""
        every = [part for mapping in mappings for part in self._of_mapping(mapping)]
        if len(every) < 2:
            return every
        together: dict[_LeafGroup, list[_Share]] = {}
        for part in every:
            together.setdefault(part.key, []).append(part)
        return [_sum(parts) for parts in together.values()]

    def _of_mapping(self, mapping: Mapping) -> list[_Share]:
        kind, place = str(mapping.kind), object_name(mapping, None)
        owner = mapping.owner
        if owner is None or not owner.parts:
            key = _LeafGroup(kind, group_of(mapping.kind, owner), place)
            return [_Share(key, wording.title(mapping), self._whole(mapping))]
        made = tallied_mapping(self._taken, mapping)
        titles: dict[str, list[str]] = {}
        for piece in pieces_of(self._taken, mapping):
            titles.setdefault(piece.group, []).append(_title(piece))
        return [
            _Share(
                _LeafGroup(*key),
                _joined(titles.get(key.owner, [wording.title(mapping)])),
                self._split(made, key),
            )
            for key in made.sums
        ]

    def _split(self, made: Tally, key: Key) -> Figures:
        """Return the figures of an owner, None where nothing is surely his."""
        return tuple(
            None if not value and (key.owner, column.counter) in made.unsplit else value
            for column in self._columns
            for value in (value_of(made.sums[key], column.counter),)
        )

    def _whole(self, mapping: Mapping) -> Figures:
        values = tuple([mapping.values.get(name, 0) for name in self._names])
        counts = self._alike.get(values)
        if counts is None:
            known = {name: self._taken.value(mapping, name) for name in self._names}
            counts = self._alike[values] = tuple(value_of(known, column.counter) for column in self._columns)
        own = {"size": mapping.size, "accessible": mapping.accessible}
        pairs = zip(self._columns, counts, strict=True)
        return tuple([own.get(column.counter, count) for column, count in pairs])


def _title(piece: Piece) -> str:
    return wording.owner_words(piece.owner) if piece.owner else str(piece.kind)


def _joined(titles: Sequence[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{len(titles):,} × {titles[0]}"


def _sum(parts: Sequence[_Share]) -> _Share:
    """Join the parts of one key; they go by the title of the first."""
    first = parts[0]
    if len(parts) == 1:
        return first
    titles = {part.title for part in parts}
    title = first.title if len(titles) == 1 else first.key.owner.strip("()")
    figures = tuple(add(column) for column in zip(*(part.figures for part in parts), strict=True))
    return _Share(first.key, f"{len(parts):,} × {title}", figures)
