"""The blocks of CPython's own allocator that are in use, one by one: objects of up to 512 bytes, and buffers.

Objects that the garbage collector knows are in its lists, so they never look lost; texts, numbers and bytes
that nobody points to do: an extension module kept a reference count that it should have let go.
"""

from array import array
from collections.abc import Iterator, Sequence

from vmdiff.owners.inside.pool_view import PoolView
from vmdiff.owners.inside.used_blocks import BlockRange, UsedBlocks
from vmdiff.owners.runtimes.cpython_records import Arena, arenas, find_arenas, pools
from vmdiff.owners.runtimes.cpython_runtime import interpreter
from vmdiff.owners.scene import Scene

_OWNER = "cpython arena"


def cpython_blocks(scene: Scene) -> UsedBlocks | None:
    """List the blocks in use; None where there is no CPython, or it uses another allocator for objects."""
    found = interpreter(scene)
    vector = None if found is None or found.free_threaded else find_arenas(scene, found)
    if vector is None:
        return None
    starts, sizes = array("Q"), array("Q")
    known = arenas(scene, vector)
    for view in _views(scene, known):
        if view is None:
            why = "cpython arena: its pools contradict themselves, their contents count as roots"
            return UsedBlocks(_OWNER, array("Q"), array("Q"), (), (why,))
        used = [view.address(index) for index in range(view.pool.carved) if index not in view.taken]
        starts.extend(used)
        sizes.extend([view.pool.size] * len(used))
    grounds = tuple(BlockRange(arena.start, arena.start + arena.size) for arena in known)
    return UsedBlocks(_OWNER, starts, sizes, grounds)


def _views(scene: Scene, known: Sequence[Arena]) -> Iterator[PoolView | None]:
    """Yield the pools with blocks in use; None for one that cannot be read."""
    for arena in known:
        found = pools(scene, arena)
        if found is None:
            yield None
            continue
        for pool in found:
            yield PoolView.of(pool, scene.read(pool.start, pool.length))
