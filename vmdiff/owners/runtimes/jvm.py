"""HotSpot's memory, from the tables in which the JVM describes its own structures.

libjvm.so exports arrays of its C++ types' fields, with offsets and the addresses of static ones
(``gHotSpotVMStructs``, src/hotspot/share/runtime/vmStructs.hpp), so that debuggers can find their
way about a JVM that does not cooperate. They lead to the Java heap, the code cache, the card table,
the class data archive and the threads, whatever the version. Metaspace is not in them: its lists are
found by the name that they carry (src/hotspot/share/memory/metaspace/, JDK 16 and later).

Tried with JDK 11, 17, 21 and 25. Whatever is not found, or does not look like what it should be,
falls back to the layout or stays without an owner.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, raw_each, word, words
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.runtimes import jvm_metaspace, jvm_threads
from vmdiff.owners.runtimes.hotspot_structs import ARCHIVE, HotSpot, hotspot
from vmdiff.owners.scene import Scene

_MOST_SEGMENTS = 16
_HEAP_OBJECT = 400  # words of a ShenandoahHeap that hold its regions


def jvm(scene: Scene) -> Iterator[Claim]:
    """Claim what a HotSpot JVM keeps in memory of its own: heap, code, classes, stacks."""
    library = scene.find_object("libjvm.so")
    if library is None or any("libj9" in thing.path for thing in scene.objects):
        return  # OpenJ9 brings a libjvm.so too, with nothing of this inside
    constants = Constants(scene, library.mappings)
    tables = hotspot(scene, library, constants)
    claims = [*_named(scene)]
    if tables is not None:
        claims += _recorded(tables, library.mappings, constants)
    yield from claims
    known = {claim.name for claim in claims}
    yield from (claim for claim in _shapes(scene) if claim.name not in known)


def _named(scene: Scene) -> Iterator[Claim]:
    for mapping in scene.mappings:
        if mapping.path == "/memfd:java_heap":
            yield Claim(mapping.start, mapping.end, "jvm heap", "name", "ZGC names its memory file so")


def _recorded(tables: HotSpot, library: Sequence[PlacedMapping], constants: Constants) -> Iterator[Claim]:
    if tables.heap:
        yield Claim(
            *tables.heap, "jvm heap", "record", "HotSpot's Universe::_collectedHeap: its reserved range"
        )
        yield from _collector(tables, *tables.heap)
    yield from _code(tables)
    spaces = [*jvm_metaspace.find(tables.scene, library, constants)]
    yield from spaces
    yield from _archive(tables, [space.start for space in spaces])
    yield from jvm_threads.find(tables)


def _collector(tables: HotSpot, start: int, end: int) -> Iterator[Claim]:
    """Claim the tables that a collector keeps beside the heap, in proportion to it."""
    barrier = tables.static("BarrierSet", "_barrier_set")
    card_table = tables.member(barrier, "CardTableBarrierSet", "_card_table")
    table = tables.member(card_table, "CardTable", "_byte_map")
    size = tables.member(card_table, "CardTable", "_byte_map_size")
    if table and size and size >= (end - start) // 512:
        yield from _gc(tables.scene, table, table + size, "card table", "HotSpot's CardTable::_byte_map")
    yield from _g1_tables(tables, start, end)
    yield from _shenandoah_bitmaps(tables, start, end)


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


def _bounds(raw: bytes, heap: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of words that could bound the heap or a 1/64 or 1/512 of it."""
    values = struct.unpack(f"<{len(raw) // 8}Q", raw)
    for low, high in pairwise(values):
        if low and low < high and high - low in {heap, _whole_pages(heap // 64), _whole_pages(heap // 512)}:
            yield low, high


def _whole_pages(size: int) -> int:
    return -(-size // 4096) * 4096


def _code(tables: HotSpot) -> Iterator[Claim]:
    low, high = (tables.static("CodeCache", name) for name in ("_low_bound", "_high_bound"))
    if low and high and is_block(tables.scene, low, high):
        yield Claim(low, high, "jvm code cache", "record", "HotSpot's CodeCache: its bounds")
    heaps = tables.static("CodeCache", "_heaps")
    count = tables.member(heaps, "GrowableArrayBase", "_len")
    data = tables.member(heaps, "GrowableArray<int>", "_data")
    segments = words(tables.scene, data, min(count & 0xFFFFFFFF, _MOST_SEGMENTS)) if data and count else None
    offset = tables.offset("_segmap", "CodeHeap")
    for segment in segments or () if offset is not None else ():
        low = tables.member(segment + (offset or 0), "VirtualSpace", "_low_boundary")
        high = tables.member(segment + (offset or 0), "VirtualSpace", "_high_boundary")
        if low and high and is_block(tables.scene, low, high):
            yield Claim(low, high, "jvm code cache", "record", "HotSpot's CodeHeap::_segmap", "segment map")


def _archive(tables: HotSpot, spaces: Sequence[int]) -> Iterator[Claim]:
    """Claim the class data archive, and what was reserved with it below the class space."""
    low = tables.static("MetaspaceObj", "_shared_metaspace_base")
    high = tables.static("MetaspaceObj", "_shared_metaspace_top")
    if not low or not high or not is_block(tables.scene, low, high, files=ARCHIVE):
        return
    above = min((start for start in spaces if start > high), default=high)
    rest = tables.scene.within(high, above) if above > high else ()
    if is_block(tables.scene, high, above) and not any(mapping.accessible for mapping in rest):
        high = above
    yield Claim(low, high, "jvm cds", "record", "HotSpot's MetaspaceObj: bounds of the class data archive")


_FOUR_GIB = 1 << 32


def _shapes(scene: Scene) -> Iterator[Claim]:
    """Claim what the layout alone shows, in a process that has libjvm."""
    for mapping in scene.mappings:
        if mapping.path is not None or mapping.perms[3] != "p":
            continue
        if "x" in mapping.perms:
            yield from _code_shape(scene, mapping)
        if mapping.end in {_FOUR_GIB, 8 * _FOUR_GIB} and mapping.accessible:
            evidence = "unnamed memory in a JVM that ends at 4 or 32 GiB, where compressed references end"
            yield Claim(mapping.start, mapping.end, "jvm heap", "shape", evidence)


def _code_shape(scene: Scene, mapping: PlacedMapping) -> Iterator[Claim]:
    evidence = "unnamed executable memory in a JVM"
    if mapping.size >= scene.page_size * 16:
        yield Claim(mapping.start, mapping.end, "jvm code cache", "shape", evidence)
