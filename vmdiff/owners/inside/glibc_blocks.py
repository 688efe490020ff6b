"""The blocks of glibc's malloc that are in use, one by one: where each is, and how long.

What `glibc_heap` counts is listed here, with the same walk and the same lists of free chunks.
"""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from vmdiff.owners.allocators.glibc import LARGE_BLOCK
from vmdiff.owners.allocators.glibc_state import Glibc, Grounds, HeapSegment, MallocArena, find_glibc, words
from vmdiff.owners.inside.chunk_walk import FLAGS, ChunkRange, ChunkWalk, HeaderWindow
from vmdiff.owners.inside.glibc_lists import ChunkLists, tcache_sizes
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.page_words import PageWords, UnreadableError
from vmdiff.owners.inside.thread_variables import thread_variables
from vmdiff.owners.scene import Scene

_MIXED_SINCE = (2, 32)  # singly linked lists
_MOST_FREE = 4_000_000
_MOST_LARGE = 65_536
_MMAPPED = 2


class UsedBlocks(NamedTuple):
    """Blocks in use: *starts* and *sizes* of what the program may write, in no order.

    *segments* hold those blocks and free chunks, which are nobody's data; *unread* says which memory of
    malloc's could not be read, so that its blocks are not among these.
    """

    starts: "array[int]"
    sizes: "array[int]"
    segments: tuple[HeapSegment, ...]
    unread: tuple[str, ...]


class _BlockWalk(ChunkWalk):
    """A walk that lists each chunk, free or not."""

    def __init__(self, scene: Scene, top: int) -> None:
        super().__init__(scene, top, tcache_sizes(scene.word_size))
        self.chunks = array("Q")
        self.sizes = array("Q")

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        held = [at for at, header in enumerate(window.headers) if header >= self._least]
        self.chunks.extend([window.address + window.offsets[at] * 8 for at in held])
        self.sizes.extend([window.headers[at] & ~FLAGS for at in held])
        return super()._free(window, last)


def glibc_blocks(scene: Scene) -> UsedBlocks | None:
    """List the blocks in use; None where there is no glibc malloc."""
    found = find_glibc(scene)
    return None if found is None else _Lister(scene, found).blocks()


class _Lister:
    """The arenas of one process, and what is free in them."""

    def __init__(self, scene: Scene, found: Glibc) -> None:
        version = tuple(map(int, found.version.split("."))) if found.version else _MIXED_SINCE
        self._scene, self._found, self._word = scene, found, scene.word_size
        self._grounds = Grounds(scene.mappings)
        self._lists = ChunkLists(
            PageWords(scene), self._grounds, scene.word_size, mixed=version >= _MIXED_SINCE
        )

    def blocks(self) -> UsedBlocks:
        walks: list[_BlockWalk] = []
        free: set[int] = set()
        unread: list[str] = []
        segments: list[HeapSegment] = []
        for arena in self._found.arenas:
            try:
                walk, idle = self._walked(arena)
            except UnreadableError as error:
                unread.append(f"a malloc arena at {arena.address:x}: {error}")
                continue
            walks.append(walk)
            free |= idle
            segments += arena.segments
        free |= self._cached(walks)
        starts, sizes = array("Q"), array("Q")
        for walk in walks:
            for chunk, size in zip(walk.chunks, walk.sizes, strict=True):
                if chunk not in free:
                    starts.append(chunk + 2 * self._word)
                    sizes.append(size - self._word)  # the word behind, too, is the program's
        for start, size in _large(self._scene):
            starts.append(start)
            sizes.append(size)
        return UsedBlocks(starts, sizes, tuple(segments), tuple(unread))

    def _walked(self, arena: MallocArena) -> tuple[_BlockWalk, set[int]]:
        """Return the chunks of an arena, and where those are that its lists and headers call free."""
        if not arena.segments:
            raise UnreadableError("its heaps do not add up to what it has from the kernel")
        walk = _BlockWalk(self._scene, arena.top)
        idle = {chunk.start for chunk in self._lists.fast(arena, _MOST_FREE)} | {arena.top}
        for segment in arena.segments:
            idle.update(chunk.start for window in walk.free_chunks(segment) for chunk in window)
        return walk, idle

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
