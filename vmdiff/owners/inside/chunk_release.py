"""What ``malloc_trim(0)`` would return to the kernel: whole resident pages of free chunks."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from vmdiff.owners.allocators.glibc_state import MallocArena
from vmdiff.owners.inside.chunk_walk import ChunkRange
from vmdiff.owners.scene import Scene

_AT_ONCE = 4096  # ranges
_NEAR = 1 << 20  # bytes
_MINSIZE = {8: 32, 4: 16}  # by the bytes of a word


def joined(chunks: Iterable[ChunkRange]) -> Iterator[ChunkRange]:
    """Yield the ranges that neighbours make together; *chunks* are in the order of addresses."""
    start = end = 0
    for low, high in chunks:
        if low == end:
            end = high
            continue
        if start < end:
            yield ChunkRange(start, end)
        start, end = low, high
    if start < end:
        yield ChunkRange(start, end)


def releasable(scene: Scene, arena: MallocArena, ranges: Iterable[ChunkRange]) -> int | None:
    """Return the resident bytes that malloc_trim(0) would release from an arena; None where unknown.

    *ranges* are the free chunks without the top, neighbours joined, since malloc_trim empties the fast bins
    first. They are gone through to their end in every case.
    """
    total: int | None = 0
    pages = _pages(scene, arena, ranges)
    while some := list(islice(pages, _AT_ONCE)):
        resident = _resident(scene, some)
        total = None if total is None or resident is None else total + resident
    return total


def _pages(scene: Scene, arena: MallocArena, ranges: Iterable[ChunkRange]) -> Iterator[ChunkRange]:
    """Yield the whole pages that mtrim() and systrim() in malloc/malloc.c give up.

    mtrim() leaves the header of a chunk, six words. systrim() cuts the end of the main arena's top, but for
    MINSIZE and a byte; the tops of other arenas stay.
    """
    page, word, top = scene.page_size, scene.word_size, arena.top
    for start, end in ranges:
        if end == arena.top:
            top = start  # chunks from fast bins that lie in front of the top become part of it
            continue
        low = -(-(start + 6 * word) // page) * page
        if end - low >= page:
            yield ChunkRange(low, end // page * page)
    end = arena.segments[-1].end
    extra = (end - top - _MINSIZE[word] - 1) // page * page
    if arena.is_main and extra > 0:
        yield ChunkRange(end - extra, end)


def _resident(scene: Scene, ranges: Sequence[ChunkRange]) -> int | None:
    """Count the resident bytes of ranges of whole pages."""
    total = 0
    for near in _near_each_other(sorted(ranges)):
        borders = sorted({border for stretch in near for border in stretch})
        found = scene.memory and scene.memory.residency(borders)
        if not found:
            return None
        starts = {start for start, _ in near}
        total += sum(one.resident for low, one in zip(borders, found, strict=False) if low in starts)
    return total


def _near_each_other(ranges: Sequence[ChunkRange]) -> Iterator[list[ChunkRange]]:
    """Group ranges so that nothing large lies between those of a group; heaps of an arena are anywhere."""
    group: list[ChunkRange] = []
    for stretch in ranges:
        if group and stretch.start - group[-1].end > _NEAR:
            yield group
            group = []
        group.append(stretch)
    if group:
        yield group
