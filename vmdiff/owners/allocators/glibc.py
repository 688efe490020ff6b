"""The memory of glibc's malloc, by the records it keeps (malloc/arena.c, malloc/malloc.c).

The arenas form a circle through the main one, which is a variable of the C library. Every other arena lives
in heaps of one fixed size and alignment, each with a ``heap_info`` at its start that leads back to the arena.
The main arena has what brk gave. Large blocks have mappings of their own: `large_blocks`.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Basis, Kind, PlacedMapping
from vmdiff.owners.allocators.glibc_state import (
    HEAP_SIZE,
    Glibc,
    GlibcPlace,
    LargeBlocks,
    MallocArena,
    find_large_blocks,
    locate_glibc,
    read_glibc,
    words,
)
from vmdiff.owners.allocators.large_blocks import ChunkForm, Search, believed, search
from vmdiff.owners.allocators.plain_runs import joined
from vmdiff.owners.claim import Claim, Doubt
from vmdiff.owners.scene import Scene, is_plain
from vmdiff.units import size

_MOST_HEAPS = 65_536

LARGE_BLOCK = "malloc large block"
_COUNTED = "a chunk header of malloc with IS_MMAPPED, among as many blocks and bytes as the C library counts"
_UNCOUNTED = "a chunk header of malloc with IS_MMAPPED; the C library's own count does not agree"


class ArenaHeap(NamedTuple):
    """A heap of an arena: accessible up to *end*, and reserved from there on."""

    start: int
    end: int


def glibc(scene: Scene) -> Iterator[Claim | Doubt | GlibcPlace]:
    """Claim what brk gave to malloc, the heaps of further arenas, and large blocks."""
    records = None
    if scene.can_read:
        place = locate_glibc(scene)
        yield place
        records = read_glibc(scene, place)
    yield from _brk(scene, records)
    if records is not None:
        yield from _regions(scene, records.arenas[0])
        arenas = list(_arenas(scene, records))
        yield from arenas
        taken = scene.settled.with_claims(arenas)
        yield from _large_blocks(scene.after(taken), records)
    elif not scene.can_read:
        yield from _like_arenas(scene)


def _brk(scene: Scene, records: Glibc | None) -> Iterator[Claim]:
    """Claim ``[heap]``, where it is malloc's: programs without a malloc call brk, too.

    The main arena's top chunk ends where brk does, and its bytes from the kernel reach back to the start.
    """
    for place, mapping in scene.unplaced:
        if mapping.path is not None and mapping.kind is Kind.HEAP:
            yield Claim(0, 0, "malloc heap", "name", "the kernel's name for what brk gave", place=place)
    for mapping in scene.select(lambda _, kind, path: path is not None and kind is Kind.HEAP):
        if records is not None and not records.arenas[0].segments[1:]:
            yield from _main_heap(scene, mapping, records.arenas[0])
        elif not scene.can_read:
            basis, how = _named_heap(scene)
            yield Claim(mapping.start, mapping.end, "malloc heap", basis, how)


def _named_heap(scene: Scene) -> tuple[Basis, str]:
    """Return how sure it is, by the name alone, that what brk gave is malloc's."""
    if len(scene.objects) == 1:
        return "shape", "the kernel's name for what brk gave, in a program without a C library of its own"
    return "name", "the kernel's name for what brk gave"


def _main_heap(scene: Scene, mapping: PlacedMapping, main: MallocArena) -> Iterator[Claim]:
    """Claim what the main arena has of a mapping of the heap; a fork that calls brk has two of these."""
    head = words(scene, main.top + scene.word_size, 1)
    end = main.top + (head[0] & ~7) if head else 0
    begin = end - main.system
    if not (begin < mapping.end and mapping.start < end) or not _is_one_heap(scene, begin, end):
        return
    if begin <= mapping.start + scene.page_size:
        how = (
            "the main arena's top chunk ends the heap, and its bytes from the kernel reach back to its start"
        )
        yield Claim(mapping.start, mapping.end, "malloc heap", "record", how)
    else:
        how = (
            "the main arena's top chunk ends the heap, which has memory that the program took from brk itself"
        )
        yield Claim(mapping.start, mapping.end, "malloc heap", "shape", how)


def _is_one_heap(scene: Scene, begin: int, end: int) -> bool:
    """Return whether what brk gave fills a range."""
    held = scene.within(begin, end)
    touching = all(below.end == above.start for below, above in pairwise(held))
    return touching and held[-1].end >= end and all(mapping.kind is Kind.HEAP for mapping in held)


def _regions(scene: Scene, main: MallocArena) -> Iterator[Claim]:
    """Claim what the main arena has, if brk did not give all of it."""
    how = "its chunks lead to its end, and all such regions have the bytes that malloc's main arena counts"
    for segment in main.segments if main.is_scattered else ():
        start = segment.start // scene.page_size * scene.page_size
        held = scene.at(start)
        label = "mapped" if held is not None and held.kind is not Kind.HEAP else None
        yield Claim(start, segment.end, "malloc heap", "record", how, label)


def _arenas(scene: Scene, records: Glibc) -> Iterator[Claim]:
    """Claim the heaps of each arena, their reserves included; the label counts arenas by age.

    A new arena is put in the circle right behind the main one, so the last one is the oldest.
    """
    for rank, arena in enumerate(reversed(records.arenas[1:]), start=1):
        step = arena.heap_size
        heaps = list(_heaps(scene, arena, step))
        how = _evidence(arena, heaps, step)
        for heap in heaps:
            yield Claim(heap.start, heap.start + step, "malloc arena", "record", how, f"arena {rank}")


def _heaps(scene: Scene, arena: MallocArena, step: int) -> Iterator[ArenaHeap]:
    """Yield the heaps of an arena, from the newest, which has its top chunk, to the first."""
    at = arena.top // step * step
    for _ in range(_MOST_HEAPS):
        head = words(scene, at, 4)
        if head is None or head[0] != arena.address or not 0 < head[2] <= head[3] <= step:
            return
        accessible = _accessible(scene, at, at + step)
        if accessible is None or accessible > at + head[3]:
            return
        yield ArenaHeap(at, accessible)
        if at == arena.address // step * step:
            return
        at = head[1]


def _accessible(scene: Scene, start: int, end: int) -> int | None:
    """Return where the accessible part of a heap ends, None if this is not one range of plain memory.

    A heap may have grown since the layout was read, so less may be accessible there than its header says.
    """
    reached = accessible = start
    for mapping in scene.within(start, end):
        low, high = max(mapping.start, start), min(mapping.end, end)
        if low == accessible and is_plain(mapping):
            accessible = high
        elif low != reached or mapping.kind is not Kind.RESERVED:
            return None
        reached = high
    return accessible if start < accessible and reached == end else None


def _evidence(arena: MallocArena, heaps: Sequence[ArenaHeap], step: int) -> str:
    """Return what was seen of an arena."""
    accessible = sum(heap.end - heap.start for heap in heaps)
    number = "1 heap has" if len(heaps) == 1 else f"{len(heaps)} heaps have"
    threads = arena.state[arena.layout.threads]
    return (
        f"heap_info at the start of each heap, of an arena in malloc's circle: {number} {size(accessible)}"
        f" of {size(len(heaps) * step)} accessible, for {threads} thread{'' if threads == 1 else 's'}"
    )


def _large_blocks(scene: Scene, records: Glibc) -> Iterator[Claim | Doubt]:
    if records.large is not None and not records.large.blocks:
        return
    # Since 2.43 the size in a large block's header leaves out a header's length.
    layout = records.arenas[0].layout
    short = 0 if layout.fast_bins else 2 * scene.word_size
    found = search(scene, ChunkForm(scene, short), records.large)
    again = find_large_blocks(scene, layout)  # the process goes on meanwhile
    counts = [counted for counted in (records.large, again) if counted is not None]
    sure = next((agreed for counted in counts if (agreed := believed(found.blocks, counted))), None)
    basis: Basis = "shape" if sure is None else "record"
    how = _UNCOUNTED if sure is None else _COUNTED
    for first, last, count in joined(found.blocks if sure is None else sure):
        yield Claim(first, last, LARGE_BLOCK, basis, how, f"{count} blocks" if count > 1 else None)
    if records.large is not None:
        yield from _missing(found, records.large)


def _missing(found: Search, expected: LargeBlocks) -> Iterator[Doubt]:
    """Yield what the search did not get to: memory without an owner there is not known to have none."""
    missing = expected.blocks - len(found.blocks)
    if missing > 0 and not found.all:
        yield Doubt(
            f"owners: {missing:,} of {expected.blocks:,} large blocks of malloc are among pages that were not"
            " looked at, so memory without an owner may be malloc's"
        )


def _like_arenas(scene: Scene) -> Iterator[Claim]:
    """Claim what has the layout of a heap: an accessible part and a reserve that fill it exactly."""
    step = HEAP_SIZE[scene.word_size]
    below: PlacedMapping | None = None
    for mapping in scene.mappings:
        if below is not None and mapping.kind is Kind.RESERVED and _fills(below, mapping, step):
            how = "begins at a multiple of the heap size and with the reserve above it is as long"
            yield Claim(below.start, below.start + step, "malloc arena", "shape", how)
        below = mapping


def _fills(below: PlacedMapping, above: PlacedMapping, step: int) -> bool:
    start = below.start
    return is_plain(below) and below.end == above.start and start % step == 0 and above.end == start + step
