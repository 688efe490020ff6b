"""The blocks of musl's malloc that are in use, one by one (src/malloc/mallocng/meta.h).

A block may begin some units into its slot, so that a pointer to freed memory seldom fits the next block: then
the slot is marked, and a number before it says how many (`set_size` and `enframe`).
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from vmdiff.owners.allocators.musl import GROUP
from vmdiff.owners.inside.musl_groups import SlotGroup, slot_groups
from vmdiff.owners.inside.used_blocks import BlockRange, UsedBlocks
from vmdiff.owners.scene import Scene

_UNIT = 16
_HEAD = 4  # bytes before a slot, which belong to the slot before
_SHIFTED = 7 << 5


def musl_blocks(scene: Scene) -> UsedBlocks | None:
    """List the blocks in use; None where there is no musl, or its records contradict themselves."""
    groups = slot_groups(scene)
    if groups is None:
        return None
    starts, sizes = array("Q"), array("Q")
    inner = sorted(group.start for group in groups)
    for group in groups:
        for start, size in _used(scene, group, inner):
            starts.append(start)
            sizes.append(size)
    grounds = tuple(BlockRange(group.start, group.end) for group in groups)
    return UsedBlocks(GROUP, starts, sizes, grounds)


def _used(scene: Scene, group: SlotGroup, inner: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield start and size of the blocks of a group, but for slots that hold another group."""
    first = group.start + _UNIT
    length = first - group.start + (group.slots - 1) * group.stride
    heads = scene.read(group.start, length) or b""
    for number in range(group.slots):
        at = first + number * group.stride
        below = bisect_left(inner, at)
        if group.unused >> number & 1 or (below < len(inner) and inner[below] < at + group.stride):
            continue
        head = heads[at - group.start - _HEAD : at - group.start]
        shift = 0
        if len(head) == _HEAD and head[1] == _SHIFTED:
            shift = int.from_bytes(head[2:], "little") * _UNIT
        if shift < group.stride - _HEAD:
            yield at + shift, group.stride - _HEAD - shift
