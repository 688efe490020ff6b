"""The gaps between paired neighbours, in which what is left is placed."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.align.assign import Pair, in_order
from vmdiff.align.blocks import Block, Family, base_name


class Gap(NamedTuple):
    """What is left between two paired neighbours, on both sides; *where* says which they are."""

    before: list[Block]
    after: list[Block]
    where: str


def gaps(anchors: Iterable[Pair], before: Sequence[Block], after: Sequence[Block]) -> Iterator[Gap]:
    """Yield the gaps that have blocks on both sides, cut by the *anchors*.

    Anchors that cross each other cannot all be used; as many are as can be.
    """
    by_place = {(old.at, new.at): old for old, new in anchors}
    kept = in_order(sorted(by_place))
    names = [_name(by_place[place].family) for place in kept]
    held_before = _sorted_into([place[0] for place in kept], before)
    held_after = _sorted_into([place[1] for place in kept], after)
    for number in sorted(held_before.keys() & held_after.keys()):
        where = _where(names[number - 1] if number else None, names[number] if number < len(names) else None)
        yield Gap(held_before[number], held_after[number], where)


def _sorted_into(borders: list[int], blocks: Sequence[Block]) -> dict[int, list[Block]]:
    held: dict[int, list[Block]] = {}
    for block in blocks:
        held.setdefault(bisect_right(borders, block.at), []).append(block)
    return held


def _where(below: str | None, above: str | None) -> str:
    if below and above:
        return f"between {below} and {above}" if below != above else f"inside {below}"
    if below or above:
        return f"above {below}" if below else f"below {above}"
    return "in the whole"


def _name(family: Family) -> str:
    if family.object is not None:
        return base_name(family.object) or family.object
    return family.label or family.name or family.owner or "an anonymous mapping"
