"""The gaps between paired neighbours, in which what is left is placed."""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.comparison.matching.by_structure.assignment import Pair
from vmdiff.comparison.matching.by_structure.fingerprint import Block, Family
from vmdiff.model import base_name

Neighbours = tuple[int | None, int | None]  # the numbers of the nearest pairs below and above; None: none


class Gap(NamedTuple):
    """What has the same neighbours on both sides; *where* says which they are."""

    before: list[Block]
    after: list[Block]
    where: str


def between(neighbours: Neighbours) -> Hashable:
    """Return a gap's key: both neighbours."""
    return neighbours


def above(neighbours: Neighbours) -> Hashable:
    """Return a gap's key: the neighbour below alone."""
    return neighbours[0]


def below(neighbours: Neighbours) -> Hashable:
    """Return a gap's key: the neighbour above alone."""
    return neighbours[1]


def gaps(
    anchors: Sequence[Pair],
    before: Sequence[Block],
    after: Sequence[Block],
    telling: Callable[[Neighbours], Hashable] = between,
) -> Iterator[Gap]:
    """Yield the gaps that both sides have, *telling* them apart by the pairs that are nearest, the *anchors*.

    Anchors may cross each other: the loader fills holes, so libraries swap places from run to run. Gaps with
    the same neighbours above and below are then few, and one neighbour has to do.
    """
    held_before = _held([one.at for one, _ in anchors], before, telling)
    held_after = _held([other.at for _, other in anchors], after, telling)
    for told, (neighbours, blocks) in held_before.items():
        if told in held_after:
            yield Gap(blocks, held_after[told][1], _where(anchors, neighbours, telling))


def _held(
    places: list[int], blocks: Sequence[Block], telling: Callable[[Neighbours], Hashable]
) -> dict[Hashable, tuple[Neighbours, list[Block]]]:
    numbers = {place: number for number, place in enumerate(places)}
    ordered = sorted(places)
    held: dict[Hashable, tuple[Neighbours, list[Block]]] = {}
    for block in blocks:
        at = bisect_right(ordered, block.at)
        neighbours = (
            numbers[ordered[at - 1]] if at else None,
            numbers[ordered[at]] if at < len(ordered) else None,
        )
        held.setdefault(telling(neighbours), (neighbours, []))[1].append(block)
    return held


def _where(anchors: Sequence[Pair], neighbours: Neighbours, telling: Callable[[Neighbours], Hashable]) -> str:
    low, high = (None if number is None else _name(anchors[number][0].family) for number in neighbours)
    if telling is above:
        high = None
    if telling is below:
        low = None
    if low and high:
        return f"between {low} and {high}" if low != high else f"inside {low}"
    if low or high:
        return f"above {low}" if low else f"below {high}"
    return "among all that is left"


def _name(family: Family) -> str:
    if family.object is not None:
        return base_name(family.object) or family.object
    return family.label or family.name or family.owner or str(family.kind)
