"""Mappings cut where their owners end, so that memory of different runs is paired owner by owner.

The kernel merges private memory that comes to lie side by side, and in another run it comes to lie elsewhere.
Whole mappings of two runs then have nothing in common, though the memory of each owner in them has.
"""

from collections.abc import Iterable, Iterator

from vmdiff.model import Kind, Mapping, PlacedMapping, Snapshot
from vmdiff.model.piece import Piece, pieces_of

# An arena has borders of its own; what lies in it, such as a thread's variables, is a block of it.
_HOLDS_OTHERS = frozenset({"malloc arena"})


def cut_where_owners_end(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Return both snapshots as if the kernel had merged no memory of different owners.

    Only where owners were looked for on both sides. A mapping stays whole unless every counter of each of
    its pieces is known exactly, so all sums stay what they are.
    """
    if not (before.origin.owners and after.origin.owners):
        return before, after
    return _cut(before), _cut(after)


def _cut(snapshot: Snapshot) -> Snapshot:
    if not any(map(_may_be_cut, snapshot.mappings)):
        return snapshot
    cut = tuple(_each(snapshot))
    same = len(cut) == len(snapshot.mappings)  # what is cut becomes two at the least
    return snapshot if same else snapshot.model_copy(update={"mappings": cut})


def _may_be_cut(mapping: Mapping) -> bool:
    owner = mapping.owner
    if owner is None or not owner.parts or mapping.kind is not Kind.ANONYMOUS or mapping.path is not None:
        return False
    return _HOLDS_OTHERS.isdisjoint(part.name for part in owner.parts)


def _each(snapshot: Snapshot) -> Iterator[Mapping]:
    for mapping in snapshot.mappings:
        cut = pieces_of(snapshot, mapping) if _may_be_cut(mapping) else []
        if isinstance(mapping, PlacedMapping) and cut and _is_exact(snapshot, cut):
            yield from _alone(snapshot, mapping, cut)
        else:
            yield mapping


def _is_exact(snapshot: Snapshot, cut: Iterable[Piece]) -> bool:
    counters = snapshot.counters
    return all(
        len(piece.ranges) == 1 and None not in map(piece.counts.__getitem__, counters) for piece in cut
    )


def _alone(snapshot: Snapshot, mapping: PlacedMapping, cut: Iterable[Piece]) -> Iterator[Mapping]:
    """Yield each piece as the mapping that it would be alone."""
    counted = frozenset(snapshot.counters)
    attributes = {name: value for name, value in mapping.values.items() if name not in counted}
    for piece in cut:
        ((start, end),) = piece.ranges
        counts = {name: piece.counts[name] for name in mapping.values if name in counted}
        values = {name: value for name, value in counts.items() if value}
        alone = mapping._replace(start=start, end=end, owner=piece.owner)
        yield alone.with_values({**values, **attributes})
