"""Which of two snapshots comes first where nothing but their contents may decide.

What pairs mappings breaks ties by what it sees first. Two snapshots that are always put into the same order
before they are paired give the same pairs, whichever of them is called before.
"""

from collections.abc import Callable

from vmdiff.comparison.matching.by_structure.fingerprint import Block
from vmdiff.model import Snapshot

Side = tuple[list[Block], Snapshot]

_Rank = tuple[int, int, bool, str]
_NOTHING: _Rank = (0, 0, False, "")


def stand_in_order(before: Side, after: Side) -> bool:
    """Return whether two sides stand in the order that follows from their contents.

    Names decide only where nothing else does: they are others in redacted snapshots.
    """
    orders = (
        _first_difference(before[0], after[0], _unnamed),
        (_circumstances(before[1]), _circumstances(after[1])),
        _first_difference(before[0], after[0], _named),
    )
    return next((one < other for one, other in orders if one != other), True)


def _circumstances(snapshot: Snapshot) -> tuple[int, int, str]:
    return len(snapshot.mappings), snapshot.process.pid or 0, str(snapshot.taken_at)


def _first_difference(
    before: list[Block], after: list[Block], rank: Callable[[Block], _Rank]
) -> tuple[_Rank, _Rank]:
    """Return the ranks of the first two blocks of a place that differ in rank."""
    for one, other in zip(before, after, strict=False):
        alike = one.contents == other.contents and one.touches == other.touches
        if alike and one.mapping.build_id == other.mapping.build_id:
            continue
        if (ranks := rank(one)) != (others := rank(other)):
            return ranks, others
    return _NOTHING, _NOTHING


def _unnamed(block: Block) -> _Rank:
    mapping, family = block.mapping, block.family
    numbers = sorted((name, value) for name, value in mapping.values.items() if not isinstance(value, str))
    details = (family.kind, family.perms, family.anonymous, family.owner, mapping.offset, mapping.flags)
    return block.size, block.weight, block.touches, repr((details, mapping.deleted, numbers))


def _named(block: Block) -> _Rank:
    mapping = block.mapping
    details = (block.family.traits, mapping.path, mapping.build_id, sorted(mapping.values.items()))
    return block.size, block.weight, block.touches, repr(details)
