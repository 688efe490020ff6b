"""The blocks of glibc's malloc that are in use, one by one: where each is, and how long.

What `glibc_heap` counts is listed here, with the same walk and the same lists of free chunks.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import compress
from operator import not_

from vmdiff.owners.allocators.glibc import LARGE_BLOCK
from vmdiff.owners.allocators.glibc_state import Glibc, Grounds, MallocArena, find_glibc, words
from vmdiff.owners.inside.chunk_walk import FLAGS, PREV_INUSE, ChunkRange, ChunkWalk, HeaderWindow
from vmdiff.owners.inside.glibc_lists import ChunkLists, tcache_sizes
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.page_words import PageWords, UnreadableError
from vmdiff.owners.inside.thread_variables import thread_variables
from vmdiff.owners.inside.used_blocks import MOST_FREE, BlockRange, UsedBlocks
from vmdiff.owners.scene import Scene

_ALLOCATOR = "glibc malloc"
_MIXED_SINCE = (2, 32)  # singly linked lists
_MOST_LARGE = 65_536
_MMAPPED = 2


class _BlockWalk(ChunkWalk):
    """A walk that lists the chunks which the one behind says are in use: those in caches are among them."""

    def __init__(self, scene: Scene, top: int) -> None:
        super().__init__(scene, top, tcache_sizes(scene.word_size))
        self.starts = array("Q")
        self.sizes = array("Q")

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        address, headers, offsets, _ = window
        begin, word = address + 2 * self._word, self._word
        if last >= self._least and headers[0] & PREV_INUSE:
            self.starts.append(begin - (last & ~FLAGS))
            self.sizes.append((last & ~FLAGS) - word)
        used = [header & PREV_INUSE for header in headers[1:]]
        self.starts.extend([begin + (offset << 3) for offset in compress(offsets, used)])
        # The first word of the chunk behind, too, is the program's.
        self.sizes.extend([(header & ~FLAGS) - word for header in compress(headers, used)])
        return super()._free(window, last)


def glibc_blocks(scene: Scene, bases: Sequence[int]) -> UsedBlocks | None:  # noqa: ARG001  # a lister's
    """List the blocks in use; None where there is no glibc malloc."""
    found = find_glibc(scene)
    return None if found is None else _Lister(scene, found).blocks()


class _Lister:
    """The arenas of one process, and what is free in them."""

    def __init__(self, scene: Scene, found: Glibc) -> None:
        version = tuple(map(int, found.version.split("."))) if found.version else _MIXED_SINCE
        self._scene, self._found, self._word = scene, found, scene.word_size
        self._grounds = Grounds(scene)
        self._lists = ChunkLists(
            PageWords(scene), self._grounds, scene.word_size, mixed=version >= _MIXED_SINCE
        )

    def blocks(self) -> UsedBlocks:
        walks: list[_BlockWalk] = []
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
        free |= self._cached(walks)
        cached = {chunk + 2 * self._word for chunk in free}
        starts, sizes = array("Q"), array("Q")
        for walk in walks:
            used = bytes(map(not_, map(cached.__contains__, walk.starts)))
            starts.extend(compress(walk.starts, used))
            sizes.extend(compress(walk.sizes, used))
        for start, size in _large(self._scene):
            starts.append(start)
            sizes.append(size)
        return UsedBlocks(_ALLOCATOR, starts, sizes, tuple(grounds), tuple(unread))

    def _walked(self, arena: MallocArena) -> tuple[_BlockWalk, set[int]]:
        """Return the chunks of an arena that look used, and which of them are in its fast bins."""
        if not arena.segments:
            raise UnreadableError("its heaps do not add up to what it has from the kernel")
        walk = _BlockWalk(self._scene, arena.top)
        for segment in arena.segments:
            for _ in walk.free_chunks(segment):
                pass
        return walk, {chunk.start for chunk in self._lists.fast(arena, MOST_FREE)}

    def _cached(self, walks: list[_BlockWalk]) -> set[int]:
        """Return the chunks in the threads' caches, and those that hold a cache."""
        header, found = 2 * self._word, set[int]()
        held = set[int]().union(*thread_variables(self._scene).values())
        suspects = {word - header for word in held if not word % 16 and word - header in self._grounds}
        for suspect in sorted(suspects.union(*(walk.count.suspects for walk in walks))):
            cached = self._lists.tcache(suspect)
            if cached is not None and found.isdisjoint(cached):
                found |= {suspect, *cached}
        return found


def _large(scene: Scene) -> Iterator[tuple[int, int]]:
    """Yield start and size of the blocks that have mappings of their own."""
    word, number = scene.word_size, 0
    lead = 2 * word if word == 8 else 16
    for start, end, _ in owned_ranges(scene, LARGE_BLOCK):
        at = start
        while at < end and number < _MOST_LARGE:
            head = words(scene, at + lead - word, 1)
            size = (head[0] & ~FLAGS) + (0 if word == 8 else 8) if head and head[0] & FLAGS == _MMAPPED else 0
            length = -(-size // scene.page_size) * scene.page_size
            if not lead < length <= end - at:
                break
            yield at + lead, length - lead
            at += length
            number += 1
