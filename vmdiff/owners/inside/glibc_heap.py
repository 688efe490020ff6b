"""The use of glibc's malloc: every arena, and the large blocks that have mappings of their own.

An arena within the budget is walked chunk by chunk (`chunk_walk`). Of a larger one only the lists of free
chunks are followed, which yields the same figures without the sizes of what is in use.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from importlib.util import find_spec
from itertools import chain
from typing import Any, NamedTuple

from vmdiff.model import Kind, Usage
from vmdiff.model.usage import MOST_GROUPS
from vmdiff.owners.allocators.glibc_state import (
    Glibc,
    MallocArena,
    find_glibc,
)
from vmdiff.owners.allocators.musl import GROUP
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.chunk_release import joined, releasable
from vmdiff.owners.inside.chunk_walk import ChunkRange, ChunkWalk
from vmdiff.owners.inside.glibc_large import large_usage
from vmdiff.owners.inside.glibc_lists import ChunkLists, sizes_of, tcache_sizes
from vmdiff.owners.inside.owned_ranges import owned_ranges, owner_at
from vmdiff.owners.inside.page_words import PageWords, UnreadableError
from vmdiff.owners.inside.thread_variables import thread_variables
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.scene import Scene

_HEAP, _ARENA = "malloc heap", "malloc arena"
_MOST_FAST = 1_000_000  # of one arena; each that is held takes some 100 bytes
_SMALL = 16 << 20  # bytes
_WORTH_NUMPY = 64 << 20  # bytes; it takes as long to import as some 50 MiB of small blocks take to walk
_NON_MAIN = 4  # the flag of chunks that belong to another arena than the main one
# At the end of each heap that was left for a newer one: two headers (sysmalloc in malloc/malloc.c), and on 32
# bits what is missing to a multiple of 16.
_FENCEPOSTS = {8: 32, 4: 24}
_CHANGED = "its lists have more blocks than its heaps: it changed while it was read"


class _Chunks(NamedTuple):
    """The chunks of one arena.

    *blocks* look used, those in tcaches among them; None where they were not walked. *suspects* are the
    addresses of chunks that may hold a tcache.
    """

    blocks: Counter[int] | None
    free: Counter[int]
    overhead: int
    top: int
    releasable: int | None
    suspects: Sequence[int]


def glibc_usage(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of the main arena, of each other arena, and of the large blocks.

    What a running process changes meanwhile is partial if it still fits together, and unknown if not.
    """
    if scene.memory is None:
        return
    usages, steady = two_readings(lambda: tuple(_usages(scene, budget)), scene.memory, _tries(scene))
    yield from usages if steady else [usage.model_copy(update={"partial": MOVED}) for usage in usages]


def contradictions(usages: Iterable[Usage]) -> frozenset[str]:
    """Return why arenas that were found are unknown: their records contradict each other, or are swapped out.

    A thread that writes such records has them in no order meanwhile.
    """
    return frozenset(
        usage.partial
        for usage in usages
        if usage.owner in {_HEAP, _ARENA}
        and usage.in_use is None
        and usage.certainty == "certain"
        and usage.partial
    )


def _tries(scene: Scene) -> int:
    """Return how often it is worth reading: a process does not leave a large heap alone for long."""
    held = sum(end - start for start, end, _ in owned_ranges(scene, _HEAP, _ARENA))
    return 3 if held <= _SMALL else 1


def _usages(scene: Scene, budget: Budget) -> Iterator[Usage]:
    found = find_glibc(scene)
    if found is None:
        yield from _nothing_found(scene)
        return
    if not any(arena.system for arena in found.arenas) and not (found.large and found.large.blocks):
        return  # initialised and never asked: another allocator stands before it
    yield from _Arenas(scene, budget, found).usages()
    if found.large is not None:
        yield large_usage(scene, found.large, _name(found))


def _name(found: Glibc) -> str:
    return f"glibc {found.version}" if found.version else "glibc"


def _nothing_found(scene: Scene) -> Iterator[Usage]:
    """Yield an unknown where a heap is there that no record explains; musl has records of its own there."""
    if next(owned_ranges(scene, GROUP), None) is not None:
        return
    heaps = scene.of_kind(Kind.HEAP)
    if any(mapping.owner is None or mapping.owner.name == _HEAP for mapping in heaps):
        why = "no main arena of glibc's malloc: the heap is another allocator's, or the program is static"
        yield Usage(owner=_HEAP, source="glibc malloc_state", certainty="likely", partial=why)


class _Arenas:
    """The arenas of one process."""

    def __init__(self, scene: Scene, budget: Budget, found: Glibc) -> None:
        self._scene = scene
        self._budget = budget
        self._arenas = {arena.address: arena for arena in found.arenas}
        self._main = found.arenas[0].address
        self._name = _name(found)
        self._words = PageWords(scene)
        self._lists = ChunkLists(scene, found.version, self._words)
        self._threads = thread_variables(scene)
        self._walks = budget.allows(walk=sum(arena.system for arena in found.arenas))

    def usages(self) -> Iterator[Usage]:
        """Yield the use of each arena; what contradicts itself is unknown, with the reason."""
        found: dict[int, _Chunks | str] = {}
        left = self._budget.steps
        for place, arena in self._arenas.items():
            chunks = found[place] = self._chunks(arena, left)
            if left is not None:
                left = max(0, left - chunks.free.total()) if isinstance(chunks, _Chunks) else 0
        cached, records = self._tcaches([one for one in found.values() if isinstance(one, _Chunks)])
        for place, chunks in found.items():
            yield self._usage(self._arenas[place], chunks, cached[place], records[place])

    def _chunks(self, arena: MallocArena, steps: int | None) -> _Chunks | str:
        """Return the chunks of an arena, or why they are unknown; lists are followed for so many *steps*."""
        try:
            if arena.segments and self._walks:
                return self._walked(arena)
            return self._listed(arena, self._room(arena) if steps is None else min(steps, self._room(arena)))
        except UnreadableError as error:
            return str(error)

    def _walked(self, arena: MallocArena) -> _Chunks:
        fast = sorted(self._lists.fast(arena, self._room(arena)))
        borders = frozenset(border for chunk in fast for border in chunk)
        wanted, page = tcache_sizes(self._scene.word_size), self._scene.page_size
        walk = self._kind_of_walk(arena)(self._scene, arena.top, wanted, page, borders)
        to_release = releasable(self._scene, arena, _free_ranges(arena, walk, fast))
        count, free = walk.count, walk.count.free + sizes_of(fast)
        blocks = _without(count.chunks, free)
        overhead = arena.overhead + count.fenceposts
        return _Chunks(blocks, free, overhead, count.top, to_release, count.suspects)

    def _kind_of_walk(self, arena: MallocArena) -> type[ChunkWalk]:
        """Return how to walk an arena: with numpy where it is installed and the arena is large."""
        if arena.system < _WORTH_NUMPY or self._scene.word_size != 8 or not find_spec("numpy"):
            return ChunkWalk
        from vmdiff.owners.inside.chunk_walk_numpy import NumpyChunkWalk  # the core goes without numpy

        return NumpyChunkWalk

    def _listed(self, arena: MallocArena, most: int) -> _Chunks:
        free = sorted([*self._lists.fast(arena, most), *self._lists.bins(arena, most)])
        to_release = releasable(self._scene, arena, joined(free)) if arena.segments else None
        fenceposts = _FENCEPOSTS[self._scene.word_size] * max(len(arena.segments) - 1, 0)
        return _Chunks(
            None, sizes_of(free), arena.overhead + fenceposts, self._lists.size(arena.top), to_release, ()
        )

    def _room(self, arena: MallocArena) -> int:
        """Return how many chunks a list of an arena may have."""
        return min(arena.system // (2 * self._scene.word_size), _MOST_FAST)

    def _tcaches(self, found: Sequence[_Chunks]) -> tuple[dict[int, Counter[int]], dict[int, Counter[int]]]:
        """Return the chunks in tcaches, and those that hold a tcache, by size for each arena.

        A thread caches chunks of any arena, so they belong to the arena that they lie in.
        """
        cached: dict[int, Counter[int]] = {place: Counter() for place in self._arenas}
        records: dict[int, Counter[int]] = {place: Counter() for place in self._arenas}
        suspects = chain.from_iterable(chunks.suspects for chunks in found)
        for holder, tcache in self._lists.tcaches(suspects, self._threads):
            for counters, chunks in ((records, [holder]), (cached, tcache)):
                for chunk in chunks:
                    counters[self._arena_of(chunk)][self._lists.size(chunk)] += 1
        return cached, records

    def _arena_of(self, chunk: int) -> int:
        """Return the address of the arena that a chunk lies in."""
        word = self._scene.word_size
        if not self._words.at(chunk + word) & _NON_MAIN:
            return self._main
        step = self._arenas[self._main].heap_size
        try:
            arena = self._words.at(chunk // step * step)
        except UnreadableError:  # what only looks like a chunk, and like one of another arena
            return self._main
        return arena if arena in self._arenas else self._main

    def _usage(
        self, arena: MallocArena, chunks: _Chunks | str, cached: Counter[int], records: Counter[int]
    ) -> Usage:
        if not isinstance(chunks, _Chunks):
            return Usage(**self._facts(arena, "chunk headers"), partial=chunks)
        blocks = chunks.blocks
        facts = self._facts(arena, "lists of free chunks" if blocks is None else "chunk headers")
        try:
            used = None if blocks is None else _without(blocks, cached + records)
            figures = _figures(arena, chunks, cached, records)
        except UnreadableError as error:
            return Usage(**facts, partial=str(error))
        if used is None:
            return Usage(**facts, **figures)
        return Usage(**facts, **figures, blocks=used.total(), sizes=_sizes(used, chunks.free))

    def _facts(self, arena: MallocArena, records: str) -> dict[str, Any]:
        """Return the fields of a usage that need no walk."""
        owner = owner_at(self._scene, arena.top)
        tids = [tid for tid, held in self._threads.items() if arena.address in held]
        alone = len(tids) == arena.state[arena.layout.threads] == 1
        return {
            "owner": _HEAP if arena.is_main else _ARENA,
            "label": owner.label if owner and not arena.is_main else None,
            "tid": tids[0] if alone else None,
            "source": f"{self._name} malloc_state and {records}",
            "certainty": "certain",
            "reserved": arena.reserved,
        }


def _figures(
    arena: MallocArena, chunks: _Chunks, cached: Counter[int], records: Counter[int]
) -> dict[str, Any]:
    """Return the bytes of an arena by what became of them.

    Raises:
        UnreadableError: there are more than the arena has.
    """
    free = _bytes(chunks.free) + chunks.top
    overhead = chunks.overhead + _bytes(records)
    in_use = arena.system - free - _bytes(cached) - overhead
    if in_use < 0:
        raise UnreadableError(_CHANGED)
    return {
        "in_use": in_use,
        "free": free,
        "cached": _bytes(cached),
        "overhead": overhead,
        "releasable": chunks.releasable,
    }


def _free_ranges(arena: MallocArena, walk: ChunkWalk, fast: Sequence[ChunkRange]) -> Iterator[ChunkRange]:
    """Walk an arena; yield its free ranges, chunks in *fast* bins (in order) among them."""
    for segment in arena.segments:
        low, high = bisect_left(fast, segment), bisect_left(fast, (segment.end, 0))
        free = chain.from_iterable(walk.free_chunks(segment))
        yield from joined(merge(free, fast[low:high]) if low < high else free)


def _without(blocks: Counter[int], others: Counter[int]) -> Counter[int]:
    """Take chunks out of those that look used.

    Raises:
        UnreadableError: there are not as many.
    """
    rest = blocks.copy()
    rest.subtract(others)
    if any(number < 0 for number in rest.values()):
        raise UnreadableError(_CHANGED)
    return +rest


def _bytes(chunks: Counter[int]) -> int:
    return sum(size * count for size, count in chunks.items())


def _sizes(blocks: Counter[int], free: Counter[int]) -> tuple[tuple[int, int, int], ...]:
    """Return the histogram; of more sizes than a document holds, the smallest."""
    every = sorted(blocks.keys() | free.keys())[:MOST_GROUPS]
    return tuple((size, blocks[size], free[size]) for size in every)
