"""A snapshot's counters added up by kind, owner and object."""

from collections import abc, defaultdict
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, TypeVar

from vmdiff.model import Kind, Mapping, Owner, Snapshot, add
from vmdiff.model.memory_figures import figure
from vmdiff.model.piece import NOT_SPLIT, PRIVATE, Piece, group_of, pieces_of

Sums = dict[str, int | None]
Choice = abc.Callable[[Piece], bool]
Namer = abc.Callable[[Mapping, Owner | None], str]


class Grouping(StrEnum):
    """What pieces are grouped by."""

    KIND = "kind"
    OWNER = "owner"
    OBJECT = "object"


GROUPINGS = tuple(Grouping)


class Key(NamedTuple):
    """What the pieces of one sum have in common; without owner or path they go by their kind."""

    kind: str
    owner: str
    object: str


class Tally(NamedTuple):
    """Sums of pieces, which add up to the snapshot's totals.

    *unsplit* are (owner, counter) where some of it could not be split among the owners of one mapping; that
    is counted under `NOT_SPLIT`, so these owners' sums are not all that they have. Of PSS they have at least
    what is private.
    """

    sums: abc.Mapping[Key, Sums]
    unsplit: frozenset[tuple[str, str]]

    def by(self, grouping: Grouping, unsplit: abc.Set[tuple[str, str]] | None = None) -> dict[str, Sums]:
        """Return the sums of each kind, owner or object; what is *unsplit* concerns only owners."""
        by_owner = grouping is Grouping.OWNER
        leaves = self.withheld(self.unsplit if unsplit is None else unsplit) if by_owner else self.sums
        folded: dict[str, Sums] = {}
        for key, share in leaves.items():
            pour(folded, getattr(key, grouping), share)
        return folded

    def withheld(self, unsplit: abc.Set[tuple[str, str]]) -> dict[Key, Sums]:
        """Return the sums with those of *unsplit* unknown, and what they are under `NOT_SPLIT` instead."""
        kept: dict[Key, Sums] = {}
        for key, sums in self.sums.items():
            names = {name for name in sums if (key.owner, name) in unsplit}
            pour(kept, key, {name: None if name in names else amount for name, amount in sums.items()})
            if any(sums[name] for name in names):
                moved = {name: amount if name in names else 0 for name, amount in sums.items()}
                pour(kept, key._replace(owner=NOT_SPLIT), moved)
        return kept


def object_name(mapping: Mapping, _: Owner | None) -> str:
    """Return the path of a mapping, without one its kind in brackets."""
    return mapping.path or f"[{mapping.kind}]"


def tally(snapshot: Snapshot, *, named: Namer = object_name) -> dict[Key, Sums]:
    """Add up the counters of a snapshot's pieces by kind, owner and object, for which *named* finds a name.

    Every column adds up to the snapshot's totals. A counter that cannot be split among the owners of one
    mapping is None for these owners, and all that they have of it is under `NOT_SPLIT`.
    """
    made = tallied(snapshot, named=named)
    return made.withheld(made.unsplit)


def tallied(snapshot: Snapshot, *, only: Choice | None = None, named: Namer = object_name) -> Tally:
    """Add up, and say what could not be split; *only* chooses the pieces."""
    adder = _Adder(snapshot, named)
    for mappings in _of_one_owner(snapshot.mappings):
        owner = mappings[0].owner
        if owner is not None and owner.parts:
            for mapping in mappings:
                adder.add_pieces(mapping, only)
        elif only is not None:
            adder.add_whole([mapping for mapping in mappings if only(pieces_of(snapshot, mapping)[0])])
        else:
            adder.add_whole(mappings)
    return adder.tally()


def _of_one_owner(mappings: abc.Sequence[Mapping]) -> abc.Iterable[list[Mapping]]:
    """Put together the mappings that have kind, path and owner (the same object) in common."""
    found: defaultdict[tuple[Kind, str | None, int], list[Mapping]] = defaultdict(list)
    for (kind, path, owner), neighbours in groupby(mappings, attrgetter("kind", "path", "owner")):
        found[kind, path, id(owner)] += neighbours
    return found.values()


def tallied_mapping(snapshot: Snapshot, mapping: Mapping) -> Tally:
    """Add up one mapping of several owners."""
    adder = _Adder(snapshot, object_name)
    adder.add_pieces(mapping, None)
    return adder.tally()


class _Adder:
    """Sums of one snapshot in the making; whole mappings are added all at once, which is quick."""

    def __init__(self, snapshot: Snapshot, named: Namer) -> None:
        self._snapshot, self._named = snapshot, named
        self._sums: dict[Key, Sums] = {}
        self._unsplit: set[tuple[str, str]] = set()
        self._alike: list[list[Mapping]] = []

    def add_whole(self, mappings: list[Mapping]) -> None:
        """Add mappings of one kind, path and owner."""
        if mappings:
            self._alike.append(mappings)

    def add_pieces(self, mapping: Mapping, only: Choice | None) -> None:
        """Add the pieces of a mapping, and what of it cannot be split.

        What cannot be split between pieces of one sum, such as two arenas, is all of that sum's.
        """
        every = pieces_of(self._snapshot, mapping)
        chosen = [piece for piece in every if only is None or only(piece)]
        left = _with_private(self._snapshot.sums((mapping,)))
        known = [name for name, amount in left.items() if amount is not None]
        for piece in every:
            left = {name: add((amount, -_at_least(piece, name))) for name, amount in left.items()}
        keys = [self._key(mapping, piece.group, piece.owner) for piece in chosen]
        shares = [
            {name: _at_least(piece, name) if name in known else None for name in left} for piece in chosen
        ]
        for name in known:
            lacking = [at for at, piece in enumerate(chosen) if piece.counts[name] is None]
            all_chosen = len(lacking) == sum(piece.counts[name] is None for piece in every)
            if all_chosen and len({keys[at] for at in lacking}) == 1:
                shares[lacking[0]][name] = add((shares[lacking[0]][name], left[name]))
                left[name] = 0
            else:
                self._unsplit |= {(chosen[at].group, name) for at in lacking}
        for key, share in zip(keys, shares, strict=True):
            pour(self._sums, key, share)
        if len(chosen) == len(every) and any(left.values()):
            pour(self._sums, Key(str(mapping.kind), NOT_SPLIT, object_name(mapping, None)), left)

    def tally(self) -> Tally:
        """Return all sums."""
        for mappings in self._alike:
            mapping, owner = mappings[0], mappings[0].owner
            key = self._key(mapping, group_of(mapping.kind, owner), owner)
            pour(self._sums, key, _with_private(self._snapshot.sums(mappings)))
        return Tally(self._sums, frozenset(self._unsplit))

    def _key(self, mapping: Mapping, group: str, owner: Owner | None) -> Key:
        return Key(str(mapping.kind), group, self._named(mapping, owner))


def _at_least(piece: Piece, counter: str) -> int:
    """Return what a piece surely has of a counter: of PSS, what no other process maps."""
    amount = piece.counts[counter]
    if amount is None and counter == "pss":
        amount = piece.counts[PRIVATE]
    return amount or 0


def _with_private(sums: Sums) -> Sums:
    return {**sums, PRIVATE: figure(sums, PRIVATE)}


_AnyKey = TypeVar("_AnyKey", Key, str)


def pour(into: dict[_AnyKey, Sums], key: _AnyKey, share: Sums) -> None:
    """Add sums to those that *into* holds under a key."""
    held = into.get(key)
    into[key] = share if held is None else {name: add((held.get(name, 0), share[name])) for name in share}
