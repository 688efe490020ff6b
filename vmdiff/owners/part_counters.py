"""Count what is resident, swapped and private of each stretch of one mapping."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import NamedTuple

from vmdiff.model import Mapping, PlacedMapping, Snapshot, Unclaimed, add
from vmdiff.owners.memory_port import Memory


class PartCounters(NamedTuple):
    """The bytes of one stretch, None where unknown; *private* is what of *rss* no other process maps."""

    rss: int | None = None
    swap: int | None = None
    private: int | None = None


def count_parts(
    memory: Memory | None, snapshot: Snapshot, mapping: PlacedMapping, borders: Sequence[int]
) -> list[PartCounters]:
    """Return the counters of each stretch between *borders*, the first and last of which are the mapping's.

    They are unknown unless they add up to the snapshot's counters of the mapping: pages may have come and
    gone since these were read, and stretches that do not sum to their whole would not be exact.
    """
    unknown = [PartCounters()] * (len(borders) - 1)
    rss, swap = snapshot.value(mapping, "rss"), snapshot.value(mapping, "swap")
    if rss is None or memory is None:
        return unknown
    if not rss and not swap:
        return [PartCounters(0, 0, 0)] * len(unknown)
    private = add(snapshot.value(mapping, name) for name in ("private_clean", "private_dirty"))
    some = private is not None and 0 < private < rss
    found = memory.residency(borders, exclusive=some)
    if found is None or sum(one.resident for one in found) != rss:
        return unknown
    if sum(one.swapped for one in found) != (swap or 0):
        return unknown
    if private in {0, rss}:
        return [PartCounters(one.resident, one.swapped, one.resident if private else 0) for one in found]
    if private is None or add(one.exclusive for one in found) != private:
        return [PartCounters(one.resident, one.swapped) for one in found]
    return [PartCounters(*one) for one in found]


def recounted(memory: Memory, snapshot: Snapshot, mapping: Mapping) -> Mapping:
    """Return a mapping of *snapshot* with the counters of its owner's parts as they are now."""
    owner = mapping.owner
    if owner is None or not owner.parts or not isinstance(mapping, PlacedMapping):
        return mapping
    bounds = [stretch.range for stretches in (owner.parts, owner.rest) for stretch in stretches]
    borders = sorted({*mapping.range, *chain.from_iterable(bounds)})
    counted = dict(zip(borders, count_parts(memory, snapshot, mapping, borders), strict=False))
    parts = tuple(replace(part, **counted[part.start]._asdict()) for part in owner.parts)
    claimed = {part.start for part in parts}
    rest = tuple(
        Unclaimed(start, end, *counted[start])
        for start, end in pairwise(borders)
        if start not in claimed and counted[start].rss is not None
    )
    return mapping.owned_by(replace(owner, parts=parts, rest=rest))
