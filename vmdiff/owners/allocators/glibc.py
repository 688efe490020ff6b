"""The memory of glibc's malloc, by the records it keeps in it (malloc/arena.c, malloc/malloc.c).

Every arena but the main one lives in heaps of one fixed size and alignment, each with a
``heap_info`` at its start; arenas are counted by what these say, not by the pairs of accessible and
reserved mappings, which are heaps. Large blocks have mappings of their own with a chunk header at
the start; the kernel merges neighbours, so their headers are walked.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.block_headers import FoundBlock, Peek
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene, is_plain
from vmdiff.units import size

# HEAP_MAX_SIZE by the bytes of a word (2 * DEFAULT_MMAP_THRESHOLD_MAX).
_HEAP_SIZE = {8: 64 << 20, 4: 1 << 20}
_MOST_HEAPS = 65_536
_FEW_HEAPS = 8  # tried in a mapping without knowing that the one before is a heap
_FARTHEST_ARENA = 0x40  # the arena's state follows the heap_info of its first heap

LARGE_BLOCK = "malloc large block"
_WIDE, _NARROW = struct.Struct("<2Q"), struct.Struct("<2I")  # prev_size and size of a chunk

# malloc_state.next since glibc 2.26, 64 bits: the arenas form a circle through the main one.
_NEXT_AT = 2160
_STATE_AT, _STATE = 2176, struct.Struct("<3Q")  # attached_threads, system_mem, max_system_mem


class Heap(NamedTuple):
    """One heap_info that was found true: *arena* and *before* are the addresses it holds.

    The heap is accessible up to *end* and has reserved what lies between there and the next one.
    """

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
    step = _HEAP_SIZE[scene.word_size]
    by_arena: dict[int, list[Heap]] = {}
    for heap in heaps:
        by_arena.setdefault(heap.arena, []).append(heap)
    for rank, arena in enumerate(_by_age(scene, by_arena), start=1):
        how = _told(scene, arena, by_arena[arena], step)
        for heap in by_arena[arena]:
            yield Claim(heap.start, heap.start + step, "malloc arena", "record", how, f"arena {rank}")
    if not heaps:
        yield from _like_arenas(scene)


def _heaps(scene: Scene) -> list[Heap]:
    """Give the heaps whose header is true, of arenas whose first heap was found too."""
    if scene.memory is None:
        return []
    step = _HEAP_SIZE[scene.word_size]
    found: dict[int, Heap] = {}
    starts = _aligned(scene, step)
    while starts:
        heaps = _at(scene, starts)
        found |= {heap.start: heap for heap in heaps}
        full = [heap.end for heap in heaps if heap.end == heap.start + step]
        starts = [start for start in full if start not in found and scene.at(start)]
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


def _at(scene: Scene, starts: Sequence[int]) -> list[Heap]:
    """Give the heaps that begin at some of these addresses."""
    form = struct.Struct("<4Q" if scene.word_size == 8 else "<4I")
    heads = scene.memory.read_many(starts, form.size) if scene.memory else ()
    heaps = [
        _heap(scene, start, form.unpack(head)) for start, head in zip(starts, heads, strict=True) if head
    ]
    return [heap for heap in heaps if heap]


def _arena_of(found: dict[int, Heap], start: int) -> int | None:
    return found[start].arena if start in found else None


def _aligned(scene: Scene, step: int) -> list[int]:
    """Give the addresses at which a heap may begin a mapping, or lie in one that is not large.

    Kernels merge full heaps with those that follow them; where one is found the next is tried.
    """
    found: list[int] = []
    for mapping in scene.touched:
        first, end = -(-mapping.start // step) * step, mapping.end
        if first < end and (first == mapping.start or end - first <= _FEW_HEAPS * step):
            found += range(first, min(end, first + _FEW_HEAPS * step), step)
    return found[:_MOST_HEAPS]


def _heap(scene: Scene, start: int, head: tuple[int, ...]) -> Heap | None:
    """Check a header against the layout: accessible up to its mprotect_size, inaccessible from there on.

    A heap may have grown since the layout was read, so less may be accessible there than it says now.
    """
    arena, before, used, length = head
    step = _HEAP_SIZE[scene.word_size]
    if not 0 < used <= length <= step or length % scene.page_size or not arena or before % step:
        return None
    reached = accessible = start
    for mapping in scene.within(start, start + step):
        low, high = max(mapping.start, start), min(mapping.end, start + step)
        if low == accessible and is_plain(mapping):
            accessible = high
        elif low != reached or mapping.kind is not Kind.RESERVED:
            return None
        reached = high
    fits = start < accessible <= start + length and reached == start + step
    return Heap(start, accessible, arena, before) if fits else None


def _told(scene: Scene, arena: int, heaps: Sequence[Heap], step: int) -> str:
    """Say what was seen of an arena: its heaps and, where its own state can be trusted, its threads."""
    accessible = sum(heap.end - heap.start for heap in heaps)
    number = "1 heap has" if len(heaps) == 1 else f"{len(heaps)} heaps have"
    reserved = size(len(heaps) * step)
    how = f"heap_info at the start of each heap: {number} {size(accessible)} of {reserved} accessible"
    raw = scene.read(arena + _STATE_AT, _STATE.size) if scene.word_size == 8 else None
    threads, system, peak = _STATE.unpack(raw) if raw else (0, 0, 0)
    if 0 < system <= peak and system <= accessible and system % scene.page_size == 0:
        how += f", for {threads} thread" + ("" if threads == 1 else "s")
    return how


def _by_age(scene: Scene, arenas: Iterable[int]) -> list[int]:
    """Give the arenas in the order in which they were made, or else by address.

    A new arena is put in the circle right behind the main one.
    """
    known = sorted(arenas)
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
    below: PlacedMapping | None = None
    for mapping in scene.mappings:
        if below is not None and mapping.kind is Kind.RESERVED and _fills(below, mapping, step):
            how = "begins at a multiple of the heap size and with the reserve above it is as long"
            yield Claim(below.start, below.start + step, "malloc arena", "shape", how)
        below = mapping


def _fills(below: PlacedMapping, above: PlacedMapping, step: int) -> bool:
    start = below.start
    return is_plain(below) and below.end == above.start and start % step == 0 and above.end == start + step


def chunk(peek: Peek, address: int) -> FoundBlock | None:
    """Recognise a large block: a chunk header with IS_MMAPPED alone, as long as whole pages."""
    head = peek.at(address)
    if head is None:
        return None
    if peek.word == 8:
        before, length = _WIDE.unpack_from(head)
        end = address + (length & ~7)
        fits = not before
    else:  # the header lies eight bytes in, so that what follows it is aligned to sixteen
        before, length = _NARROW.unpack_from(head, 8)
        end = address + 8 + (length & ~7)
        fits = before == 8
    if fits and length & 7 == 2 and address < end <= peek.end and end % peek.page == 0:
        return FoundBlock(address, end, LARGE_BLOCK)
    return None
