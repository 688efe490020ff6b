"""What HotSpot's collectors keep beside the Java heap: card tables, mark bitmaps, mark stacks, region tables.

Few of these are in the table of fields that debuggers read. The others are found in the objects that it leads
to, each by a structure that bounds it (src/hotspot/share/gc/, JDK 11 to 25): the bounds of a reservation and
of what is committed of it must agree with the permissions, a count with the size of the memory.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, is_block, raw_each, unpacked, word, words, zeroed
from vmdiff.owners.runtimes.hotspot_structs import HotSpot
from vmdiff.owners.scene import Scene

_HEAP_OBJECT = (
    400  # words of a ShenandoahHeap that hold its regions, of a G1CollectedHeap that lead to others
)
_Z_HEAP = 512  # words of a ZHeap, of which the last that is looked for is the 120th in JDK 17
_GRANULE = 2 << 20
_GRANULES = {1 << bits - 21 for bits in (42, 43, 44)}  # in the addresses of ZGC without generations
_GENERATION = 128  # words of a generation
_SPACE_OBJECT = 0x60  # bytes that a PSVirtualSpace has at the most
_PART = 0x400  # bytes of an object that another leads to
_BESIDE_START = 16  # words of a structure of Parallel's compaction, which begins with the heap's start
_CHUNK = 8192  # bytes of a chunk of G1's mark stack, 1,023 entries and a link
_MOST_CHUNKS = 1 << 24
_FIRST_FIELDS = 4  # of G1ConcurrentMark, one of which is the heap
_MOST_BUCKETS = 32
_PARALLEL_SPACE = ("_reserved_low_addr", "_reserved_high_addr", "_committed_low_addr", "_committed_high_addr")


def find(tables: HotSpot, library: Sequence[PlacedMapping]) -> Iterator[Claim]:
    """Claim the tables of the collector that runs."""
    if tables.heap:
        yield from _card_table(tables, *tables.heap)
        yield from _g1_tables(tables, *tables.heap)
        yield from _g1_mark_stack(tables)
        yield from _shenandoah_bitmaps(tables, *tables.heap)
        yield from _old_generation(tables, *tables.heap)
        yield from _compaction(tables, library, tables.heap[0])
    else:  # ZGC maps its heap several times, and has no such range
        yield from _z_tables(tables)


def _card_table(tables: HotSpot, start: int, end: int) -> Iterator[Claim]:
    barrier = tables.static("BarrierSet", "_barrier_set")
    card_table = tables.member(barrier, "CardTableBarrierSet", "_card_table")
    table = tables.member(card_table, "CardTable", "_byte_map")
    size = tables.member(card_table, "CardTable", "_byte_map_size")
    if table and size and size >= (end - start) // 512:
        yield from _gc(tables.scene, table, table + size, "card table", "HotSpot's CardTable::_byte_map")


def _gc(scene: Scene, start: int, end: int, label: str, evidence: str) -> Iterator[Claim]:
    page = scene.page_size
    start, end = start // page * page, -(-end // page) * page
    if is_block(scene, start, end):
        yield Claim(start, end, "jvm gc", "record", evidence, label)


def _g1_tables(tables: HotSpot, start: int, end: int) -> Iterator[Claim]:
    """Claim what G1's region manager maps in step with the heap: block offsets, mark bitmap.

    Each G1RegionToSpaceMapper holds the bounds of its reservation. That it was understood is shown
    by the heap's own mapper being among those found.
    """
    heap = tables.static("Universe", "_collectedHeap")
    manager = tables.offset("_hrm", "G1CollectedHeap")
    fields = words(tables.scene, heap + manager, 40) if heap and manager is not None else None
    if not fields:
        return
    mappers = raw_each(tables.scene, [at for at in fields if at > tables.scene.page_size], 0x80)
    mapped = {pair for raw in mappers if raw for pair in _bounds(raw, end - start)}
    if (start, end) in mapped:
        for low, high in sorted(mapped - {(start, end)}):
            label = "mark bitmap" if (high - low) * 100 > end - start else "block offsets or card counts"
            yield from _gc(tables.scene, low, high, label, "bounds in HotSpot's G1RegionToSpaceMapper")


def _bounds(raw: bytes, heap: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of words that could bound the heap or a 1/64 or 1/512 of it."""
    values = struct.unpack(f"<{len(raw) // 8}Q", raw)
    for low, high in pairwise(values):
        if low and low < high and high - low in {heap, _whole_pages(heap // 64), _whole_pages(heap // 512)}:
            yield low, high


def _whole_pages(size: int) -> int:
    return -(-size // 4096) * 4096


def _g1_mark_stack(tables: HotSpot) -> Iterator[Claim]:
    """Claim the stack of concurrent marking, whose owner G1CollectedHeap leads to, and which leads back."""
    heap = tables.static("Universe", "_collectedHeap")
    if not heap or tables.offset("_hrm", "G1CollectedHeap") is None:
        return
    for part in _parts(tables.scene, heap, _HEAP_OBJECT):
        if heap not in part[:_FIRST_FIELDS] or tables.heap is None or tables.heap[0] not in part:
            continue
        for low, chunks in (*_one_stack(part), *_buckets(tables.scene, part)):
            high = low + chunks * _CHUNK
            if low and not low % tables.scene.page_size:
                yield from _gc(
                    tables.scene, low, high, "mark stack", "base and capacity in HotSpot's G1CMMarkStack"
                )


def _parts(scene: Scene, at: int, count: int) -> Iterator[Sequence[int]]:
    """Yield the words of each object that the *count* words at *at* lead to."""
    places = [
        value for value in words(scene, at, count) or () if value > scene.page_size and not value % WORD
    ]
    yield from (unpacked(raw) for raw in raw_each(scene, [p for p in places if scene.at(p)], _PART))


def _one_stack(part: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield base and capacity as they are up to JDK 22; the most chunks, where they are, how many."""
    for at, most in enumerate(part[:-2]):
        if 0 < part[at + 2] <= most <= _MOST_CHUNKS:
            yield part[at + 1], part[at + 2]


def _buckets(scene: Scene, part: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield base and capacity of each bucket, since JDK 23: each is twice as large.

    ChunkAllocator has the least, the most and the present number of chunks, that of buckets, and the buckets.
    """
    for at, least in enumerate(part[:-5]):
        most, now, count, _, place = part[at + 1 : at + 6]
        if not (0 < least <= now <= most <= _MOST_CHUNKS and 0 < count <= _MOST_BUCKETS) or least & least - 1:
            continue
        sizes = [least << max(number - 1, 0) for number in range(count)]
        held = [pair for pair in zip(words(scene, place, count) or (), sizes, strict=False) if pair[0]]
        if sum(size for _, size in held) == now:
            yield from held


def _shenandoah_bitmaps(tables: HotSpot, start: int, end: int) -> Iterator[Claim]:
    """Claim the mark bitmaps, which ShenandoahHeap has as regions of memory: 2 bits for 8 bytes of heap."""
    heap = tables.static("Universe", "_collectedHeap") or 0
    region = tables.static("ShenandoahHeapRegion", "RegionSizeBytes")  # 0 where another collector runs
    count_at = tables.offset("_num_regions", "ShenandoahHeap")
    regions = None if count_at is None or not heap else word(tables.scene, heap + count_at)
    if not region or not regions or regions * region != end - start:
        return
    for low, count in pairwise(words(tables.scene, heap, _HEAP_OBJECT) or ()):
        if count * 8 * 32 == end - start:
            yield from _gc(tables.scene, low, low + count * 8, "mark bitmap", "a region in ShenandoahHeap")


class _Reservation(NamedTuple):
    """A reservation of Serial's or Parallel's, and how much of it is committed."""

    low: int
    high: int
    committed_low: int
    committed_high: int


def _old_generation(tables: HotSpot, start: int, end: int) -> Iterator[Claim]:
    """Claim the block offsets of Serial's and Parallel's old generation: a byte for 512 of what it has."""
    scene = tables.scene
    heap = tables.static("Universe", "_collectedHeap")
    types = ("SerialHeap", "GenCollectedHeap", "ParallelScavengeHeap")
    found = (tables.static(type_, "_old_gen") or tables.member(heap, type_, "_old_gen") for type_ in types)
    for generation in {place for place in found if place}:
        parts = (words(scene, generation, _GENERATION) or (), *_parts(scene, generation, _GENERATION))
        spaces = {space for part in parts for space in _described(tables, part) if _agrees(scene, space)}
        sizes = {_whole_pages((s.high - s.low) // 512) for s in spaces if start <= s.low and s.high <= end}
        for space in sorted(space for space in spaces if space.high - space.low in sizes):
            how = "bounds in a VirtualSpace of HotSpot's old generation, a byte for 512 of it"
            yield from _gc(scene, space.low, space.high, "block offsets", how)


def _compaction(tables: HotSpot, library: Sequence[PlacedMapping], start: int) -> Iterator[Claim]:
    """Claim the mark bitmap and the table of regions of Parallel's compaction, by two static structures.

    Each begins with the heap's start, and leads to a PSVirtualSpace and to where that begins.
    """
    scene = tables.scene
    values = unpacked(zeroed(scene, library)[1])
    starts = (at for at, value in enumerate(values) if value == start)
    beside = {value for at in starts for value in values[at + 1 : at + _BESIDE_START]}
    places = sorted(value for value in beside if value and not value % WORD and scene.at(value))
    parts = map(unpacked, raw_each(scene, places, _SPACE_OBJECT))
    for space in sorted({space for part in parts for space in _described(tables, part)}):
        if space.low in beside and _agrees(scene, space):
            how = "bounds in a PSVirtualSpace beside the heap's start in HotSpot's variables"
            yield from _gc(scene, space.low, space.high, "mark bitmap or regions", how)


def _described(tables: HotSpot, part: Sequence[int]) -> Iterator[_Reservation]:
    """Yield what may be a VirtualSpace or PSVirtualSpace anywhere in the words of an object."""
    for type_, names in (
        ("VirtualSpace", ("_low_boundary", "_high_boundary", "_low", "_high")),
        (
            "PSVirtualSpace",
            ("_reserved_low_addr", "_reserved_high_addr", "_committed_low_addr", "_committed_high_addr"),
        ),
    ):
        offsets = [tables.offset(name, type_) for name in names]
        at = [offset // WORD for offset in offsets if offset is not None]
        if len(at) == len(names):
            yield from (_Reservation(*(part[n + place] for place in at)) for n in range(len(part) - max(at)))


def _agrees(scene: Scene, space: _Reservation) -> bool:
    """Return whether a space is what it says: reserved as a whole, accessible just where it is committed."""
    low, high, first, last = space
    if not 0 < low == first < last <= high or (low | high | last) % scene.page_size:
        return False
    rest = scene.within(last, high) if last < high else ()
    return _is_accessible(scene, low, last) and not any(mapping.accessible for mapping in rest)


def _is_accessible(scene: Scene, low: int, high: int) -> bool:
    return all(mapping.accessible for mapping in scene.within(low, high))


def _z_tables(tables: HotSpot) -> Iterator[Claim]:
    """Claim the tables by granule of ZGC without generations, and the stacks of its marking (up to JDK 22).

    ZHeap, or XHeap of JDK 21, is a part of the collected heap and has their bounds.
    """
    scene = tables.scene
    heap = tables.static("Universe", "_collectedHeap")
    at = [place for letter in "XZ" if (place := tables.address(heap, f"{letter}CollectedHeap", "_heap"))]
    fields = (words(scene, at[0], _Z_HEAP) if at else None) or ()
    for count, low in pairwise(fields):
        if count in _GRANULES and low and not low % _GRANULE:
            how = "base and size in HotSpot's ZHeap (ZGranuleMap)"
            yield from _gc(scene, low, low + count * WORD, "table by granule", how)
    for low, top, high in zip(fields, fields[1:], fields[2:], strict=False):
        if 0 < low <= top <= high and low < high and not (low | high) % scene.page_size:
            behind = scene.at(high)
            if behind is not None and behind.kind is Kind.RESERVED and _is_accessible(scene, low, high):
                yield from _gc(scene, low, high, "mark stack", "bounds in HotSpot's ZMarkStackSpace")
