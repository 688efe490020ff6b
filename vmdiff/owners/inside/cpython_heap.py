"""What CPython's own allocator has in use and free: a `Usage` for all arenas of an interpreter."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.runtimes.cpython import ARENA
from vmdiff.owners.runtimes.cpython_records import Arena, Pool, arenas, find_arenas, pools
from vmdiff.owners.runtimes.cpython_runtime import Interpreter, interpreter
from vmdiff.owners.scene import Scene

_POOLS_A_STEP = 4  # headers of pools are read many at a time


class Heap(NamedTuple):
    """All arenas of an interpreter; *pools* are those with blocks in use, None if they did not fit."""

    arenas: tuple[Arena, ...]
    pools: tuple[Pool, ...] | None


def cpython(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield what is in use and free in the arenas of CPython, by block size."""
    found = interpreter(scene)
    if found is None:
        return
    if found.free_threaded:
        yield _unknown(found, "a free-threaded build uses mimalloc, whose records are not read here")
        return
    vector = find_arenas(scene, found)
    if vector is None:
        return  # not initialised, or another allocator (PYTHONMALLOC=malloc)
    known = arenas(scene, vector)
    if not budget.allows(steps=sum(arena.pools for arena in known) // _POOLS_A_STEP):
        yield _unknown(found, "too many pools to read in the time; --inside reads them")
        return
    heap, steady = two_readings(lambda: _heap(scene, vector), scene.memory)
    seen = usage(found, heap, steady=steady)
    yield _counted(found, heap, seen) if budget.census and heap.pools else seen


def _heap(scene: Scene, vector: int) -> Heap:
    known = arenas(scene, vector)
    found: list[Pool] = []
    for arena in known:
        used = pools(scene, arena)
        if used is None:
            return Heap(known, None)
        found += used
    return Heap(known, tuple(found))


def _counted(found: Interpreter, heap: Heap, seen: Usage) -> Usage:
    """Return a usage with the objects by type, of one moment if the pools still are as read."""
    from vmdiff.owners.inside.cpython_census import census  # with --inside only

    counts = census(found, heap.pools or ())
    steady = counts.whole and all(pools(found.scene, arena) is not None for arena in heap.arenas)
    changes = {
        "types": counts.rows,
        "types_certainty": "likely",
        "partial": seen.partial if steady else MOVED,
    }
    return seen.model_copy(update=changes)


def _unknown(found: Interpreter, reason: str) -> Usage:
    return Usage(owner=ARENA, source=_source(found), certainty="certain", partial=reason)


def _source(found: Interpreter) -> str:
    return f"{found.name} arenas and pool headers"


def usage(found: Interpreter, heap: Heap, *, steady: bool) -> Usage:
    """Return the use of an interpreter's arenas; every byte of them is in use, free or overhead."""
    if heap.pools is None:
        return _unknown(found, MOVED)
    sizes, whole = _sizes(heap.pools), sum(arena.size for arena in heap.arenas)
    empty = sum(arena.free_pools * arena.pool for arena in heap.arenas)
    in_use = sum(size * used for size, used, _ in sizes)
    free = empty + sum(size * blocks for size, _, blocks in sizes)
    return Usage(
        owner=ARENA,
        source=_source(found),
        certainty="certain",
        in_use=in_use,
        free=free,
        cached=0,
        overhead=whole - in_use - free,
        blocks=sum(used for _, used, _ in sizes),
        sizes=sizes,
        partial=None if steady else MOVED,
    )


def _sizes(pools: Sequence[Pool]) -> tuple[tuple[int, int, int], ...]:
    used: Counter[int] = Counter()
    free: Counter[int] = Counter()
    for pool in pools:
        used[pool.size] += pool.used
        free[pool.size] += pool.blocks - pool.used
    return tuple((size, used[size], free[size]) for size in sorted(used))
