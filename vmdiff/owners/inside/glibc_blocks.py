"""The blocks of glibc's malloc that are in use, one by one: where each is, and how long.

What `glibc_heap` counts is listed here, with the same walk and the same lists of free chunks.
"""

from array import array
from itertools import chain, compress, repeat
from operator import not_

from vmdiff.owners.allocators.glibc_state import Glibc, MallocArena, find_glibc
from vmdiff.owners.inside.chunk_walk import FLAGS, PREV_INUSE, ChunkRange, ChunkWalk, HeaderWindow
from vmdiff.owners.inside.glibc_large import large_chunks, large_lead
from vmdiff.owners.inside.glibc_lists import ChunkLists, tcache_sizes
from vmdiff.owners.inside.page_words import UnreadableError
from vmdiff.owners.inside.thread_variables import thread_variables
from vmdiff.owners.inside.used_blocks import MOST_FREE, BlockRange, UsedBlocks
from vmdiff.owners.scene import Scene

_ALLOCATOR = "glibc malloc"


class BlockWalk(ChunkWalk):
    """A walk that lists the chunks which the one behind says are in use: those in caches are among them."""

    def __init__(self, scene: Scene, top: int) -> None:
        super().__init__(scene, top, tcache_sizes(scene.word_size))
        self.starts = array("Q")
        self.sizes = array("Q")

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        address, headers, offsets, _, runs = window
        begin, word = address + 2 * self._word, self._word
        if last >= self._least and headers[0] & PREV_INUSE:
            self.starts.append(begin - (last & ~FLAGS))
            self.sizes.append((last & ~FLAGS) - word)
        used = [header & PREV_INUSE for header in headers[1:]]
        self.starts.extend([begin + offset * word for offset in compress(offsets, used)])
        # The first word of the chunk behind, too, is the program's.
        self.sizes.extend([(header & ~FLAGS) - word for header in compress(headers, used)])
        for run in runs:
            size, first = run.header & ~FLAGS, begin + run.offset * word
            self.starts.extend(range(first, first + run.times * size, size))
            self.sizes.extend(repeat(size - word, run.times))
        return super()._free(window, last)


def glibc_blocks(scene: Scene) -> UsedBlocks | None:
    """List the blocks in use; None where there is no glibc malloc."""
    found = find_glibc(scene)
    return None if found is None else _Lister(scene, found).blocks()


class _Lister:
    """The arenas of one process, and what is free in them."""

    def __init__(self, scene: Scene, found: Glibc) -> None:
        self._scene, self._found, self._word = scene, found, scene.word_size
        self._lists = ChunkLists(scene, found.version)

    def blocks(self) -> UsedBlocks:
        walks: list[BlockWalk] = []
        free: set[int] = set()
        unread: list[str] = []
        grounds: list[BlockRange] = []
        for arena in self._found.arenas:
            try:
                walk, idle = self._walked(arena)
            except UnreadableError as error:
                unread.append(f"a malloc arena at {arena.address:x}: {error}")
                continue
            walks.append(walk)
            free |= idle
            grounds += [BlockRange(*segment) for segment in arena.segments]
        suspects = chain.from_iterable(walk.count.suspects for walk in walks)
        for holder, chunks in self._lists.tcaches(suspects, thread_variables(self._scene)):
            free |= {holder, *chunks}
        cached = {chunk + 2 * self._word for chunk in free}
        starts, sizes = array("Q"), array("Q")
        for walk in walks:
            used = bytes(map(not_, map(cached.__contains__, walk.starts)))
            starts.extend(compress(walk.starts, used))
            sizes.extend(compress(walk.sizes, used))
        lead = large_lead(self._scene)
        for start, end in large_chunks(self._scene):
            starts.append(start + lead)
            sizes.append(end - start - lead)
        return UsedBlocks(_ALLOCATOR, starts, sizes, tuple(grounds), tuple(unread))

    def _walked(self, arena: MallocArena) -> tuple[BlockWalk, set[int]]:
        """Return the chunks of an arena that look used, and which of them are in its fast bins."""
        if arena.system and not arena.segments:
            raise UnreadableError("its heaps do not add up to what it has from the kernel")
        walk = BlockWalk(self._scene, arena.top)
        for segment in arena.segments:
            for _ in walk.free_chunks(segment):
                pass
        return walk, {chunk.start for chunk in self._lists.fast(arena, MOST_FREE)}
