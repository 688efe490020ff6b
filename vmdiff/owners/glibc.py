"""The memory of glibc's malloc, by the records it keeps in it (malloc/arena.c, malloc/malloc.c).

Every arena but the main one lives in heaps of one fixed size and alignment, each with a
``heap_info`` at its start; arenas are counted by what these say, not by the pairs of accessible and
reserved mappings, which are heaps. Large blocks have mappings of their own with a chunk header at
the start; the kernel merges neighbours, so their headers are walked.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vmdiff.model import Kind, Mapping
from vmdiff.owners.claims import Claim, Scene, is_plain
from vmdiff.owners.peek import Block, Peek

# HEAP_MAX_SIZE by the bytes of a word (2 * DEFAULT_MMAP_THRESHOLD_MAX).
_HEAP_SIZE = {8: 64 << 20, 4: 1 << 20}
_MOST_HEAPS = 65_536
_FARTHEST_ARENA = 0x40  # the arena's state follows the heap_info of its first heap

LARGE_BLOCK = "malloc large block"
_WIDE, _NARROW = struct.Struct("<2Q"), struct.Struct("<2I")  # prev_size and size of a chunk

# malloc_state.next since glibc 2.26, 64 bits: the arenas form a circle through the main one.
_NEXT_AT = 2160


class Heap(NamedTuple):
    """One heap_info that was found true: *arena* and *before* are the addresses it holds."""

    start: int
    end: int
    arena: int
    before: int


def brk_heap(scene: Scene) -> Iterator[Claim]:
    """Claim ``[heap]``, which glibc (and whoever else calls brk) allocates from."""
    for place, mapping in enumerate(scene.snapshot.mappings):
        if mapping.path is not None and mapping.kind is Kind.HEAP:
            bounds = (mapping.start, mapping.end) if mapping.start and mapping.end else (0, 0)
            where = None if all(bounds) else place
            yield Claim(*bounds, "malloc heap", "name", "the kernel's name for what brk gave", place=where)


def arenas(scene: Scene) -> Iterator[Claim]:
    """Claim the heaps of each arena, their reserves included; the label counts arenas by age."""
    heaps = _heaps(scene)
    rank = {arena: number for number, arena in enumerate(_by_age(scene, heaps), start=1)}
    for heap in heaps:
        how = "heap_info at its start: its arena, and as mprotect_size the accessible length"
        yield Claim(heap.start, heap.end, "malloc arena", "record", how, f"arena {rank[heap.arena]}")
    if not heaps:
        yield from _like_arenas(scene)


def _heaps(scene: Scene) -> list[Heap]:
    """Give the heaps whose header is true, of arenas whose first heap was found too."""
    if scene.memory is None:
        return []
    word = scene.word_size
    starts = [start for start, _ in zip(_aligned(scene, _HEAP_SIZE[word]), range(_MOST_HEAPS), strict=False)]
    heads = scene.memory.read_many(starts, 4 * word)
    form = struct.Struct("<4Q" if word == 8 else "<4I")
    found = {
        heap.start: heap
        for start, head in zip(starts, heads, strict=True)
        if head and (heap := _heap(scene, start, form.unpack(head)))
    }
    first = {
        heap.arena
        for heap in found.values()
        if not heap.before and heap.start < heap.arena <= heap.start + _FARTHEST_ARENA
    }
    return [
        heap
        for heap in found.values()
        if heap.arena in first and (not heap.before or _arena_of(found, heap.before) == heap.arena)
    ]


def _arena_of(found: dict[int, Heap], start: int) -> int | None:
    return found[start].arena if start in found else None


def _aligned(scene: Scene, step: int) -> Iterator[int]:
    """Yield the addresses at which a heap may begin: kernels merge full heaps that are neighbours."""
    for mapping in scene.touched:
        first = -(-(mapping.start or 0) // step) * step
        if first < (mapping.end or 0):
            yield from range(first, mapping.end or 0, step)


def _heap(scene: Scene, start: int, head: tuple[int, ...]) -> Heap | None:
    """Check a header against the layout: accessible up to its mprotect_size, inaccessible from there on."""
    arena, before, size, length = head
    step = _HEAP_SIZE[scene.word_size]
    if not 0 < size <= length <= step or length % scene.page_size or not arena or before % step:
        return None
    reached = start
    for mapping in scene.within(start, start + step):
        low, high = max(mapping.start or 0, start), min(mapping.end or 0, start + step)
        committed = low < start + length
        fits = is_plain(mapping) and high <= start + length if committed else mapping.kind is Kind.RESERVED
        if low != reached or not fits:
            return None
        reached = high
    return Heap(start, reached, arena, before) if reached == start + step else None


def _by_age(scene: Scene, heaps: Iterable[Heap]) -> list[int]:
    """Give the arenas in the order in which they were made, or else by address.

    A new arena is put in the circle right behind the main one.
    """
    known = sorted({heap.arena for heap in heaps})
    if scene.word_size != 8 or not known:
        return known
    circle = known[:1]
    while len(circle) <= len(known):
        raw = scene.read(circle[-1] + _NEXT_AT, 8)
        circle.append(int.from_bytes(raw, "little") if raw else 0)
    return _from_main(circle, set(circle) - set(known), known)


def _from_main(circle: list[int], strangers: set[int], known: list[int]) -> list[int]:
    """Turn the circle so that it begins behind the only stranger in it, the main arena; oldest first."""
    if len(strangers) != 1 or set(known) != set(circle) - strangers:
        return known
    at = circle.index(strangers.pop())
    return [*circle[:at][::-1], *circle[at + 1 :][::-1]]


def _like_arenas(scene: Scene) -> Iterator[Claim]:
    """Claim what has the layout of a heap: an accessible part and a reserve that fill it exactly."""
    step = _HEAP_SIZE[scene.word_size]
    if scene.memory is not None and "memory" not in scene.memory.denied:
        return
    below: Mapping | None = None
    for mapping in scene.mappings:
        if below is not None and mapping.kind is Kind.RESERVED and _fills(below, mapping, step):
            how = "begins at a multiple of the heap size and with the reserve above it is as long"
            yield Claim(below.start or 0, (below.start or 0) + step, "malloc arena", "shape", how)
        below = mapping


def _fills(below: Mapping, above: Mapping, step: int) -> bool:
    start = below.start or 0
    return (
        is_plain(below)
        and below.end == above.start
        and start % step == 0
        and (above.end or 0) == start + step
    )


def chunk(peek: Peek, address: int) -> Block | None:
    """Recognise a large block: a chunk header with IS_MMAPPED alone, as long as whole pages."""
    head = peek.at(address)
    if head is None:
        return None
    if peek.word == 8:
        before, size = _WIDE.unpack_from(head)
        end = address + (size & ~7)
        fits = not before
    else:  # the header lies eight bytes in, so that what follows it is aligned to sixteen
        before, size = _NARROW.unpack_from(head, 8)
        end = address + 8 + (size & ~7)
        fits = before == 8
    if fits and size & 7 == 2 and address < end <= peek.end and end % peek.page == 0:
        return Block(address, end, LARGE_BLOCK)
    return None
