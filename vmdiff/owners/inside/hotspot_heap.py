"""The Java heap's use by generation or kind of region, from HotSpot's own tables.

Each collector leaves other traces: the size of G1's or Shenandoah's regions, Parallel's generations, ZGC's
memory file; Serial's are tried last. What is read is believed if it fits the heap's reservation. Facts:
src/hotspot/share/gc/*/vmStructs_*.hpp of JDK 11 to 25.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.machine_words import raw_each, word, words
from vmdiff.owners.runtimes.hotspot_structs import HotSpot

_PARTS = {"G1": 4, "Shenandoah": 1, "Parallel": 2, "ZGC": 1, "Serial": 2}
_MOST_REGIONS = 1 << 20
_REGION = 320  # bytes of a G1HeapRegion that are read
_COUNT = 0xFFFFFFFF
_G1_KINDS = ("young regions", "old regions", "humongous regions", "free regions")
_FREE, _EDEN, _SURVIVOR, _HUMONGOUS = 0, 2, 3, 4  # G1HeapRegionType; the last is a bit


class Space(NamedTuple):
    """A part of the heap: bytes in use, and bytes with memory behind them."""

    label: str
    used: int
    committed: int


class G1Region(NamedTuple):
    """A region of G1's heap that has memory: its kind, bytes in use, and its size."""

    kind: str
    used: int
    size: int


def spaces(jvm: HotSpot) -> tuple[str, tuple[Space, ...]] | None:
    """Return the collector's name and the parts of its heap; None where nothing fits."""
    readers = {"G1": _g1, "Shenandoah": _shenandoah, "Parallel": _parallel, "ZGC": _zgc, "Serial": _serial}
    for name, read in readers.items():
        found = tuple(read(jvm))
        whole = len(found) == _PARTS[name]
        if whole and all(0 <= space.used <= space.committed for space in found):
            return name, found
    return None


def _g1(jvm: HotSpot) -> Iterator[Space]:
    regions = g1_regions(jvm)
    for kind in _G1_KINDS if regions else ():
        some = [region for region in regions or () if region.kind == kind]
        yield Space(kind, sum(region.used for region in some), sum(region.size for region in some))


def g1_regions(jvm: HotSpot) -> list[G1Region] | None:
    """Return every region that has memory; None if one is not as expected."""
    type_ = "G1HeapRegion" if ("G1HeapRegion", "GrainBytes") in jvm.fields else "HeapRegion"
    size = jvm.static(type_, "GrainBytes")
    manager = jvm.address(jvm.static("Universe", "_collectedHeap"), "G1CollectedHeap", "_hrm")
    table = jvm.address(manager, f"{type_}Manager", "_regions")
    base, count = (
        jvm.member(table, "G1HeapRegionTable", "_base"),
        jvm.member(table, "G1HeapRegionTable", "_length"),
    )
    if not size or not jvm.heap or not base or not count or count > _MOST_REGIONS:
        return None
    places = words(jvm.scene, base, count)
    if count * size != jvm.heap[1] - jvm.heap[0] or places is None:
        return None
    return _g1_regions(jvm, type_, places, size)


def _g1_regions(jvm: HotSpot, region: str, places: Sequence[int], size: int) -> list[G1Region] | None:
    # Up to JDK 11 the bounds are those of the classes that a region is derived from.
    types = (region, "G1ContiguousSpace", "Space")
    bottom, top, type_ = (jvm.offset(name, *types) for name in ("_bottom", "_top", "_type"))
    tag = jvm.offset("_tag", f"{region}Type")
    if bottom is None or top is None or type_ is None or tag is None or not jvm.heap:
        return None
    known = [(at, start) for at, start in zip(places, range(*jvm.heap, size), strict=True) if at]
    found = []
    for (_, start), raw in zip(known, raw_each(jvm.scene, [at for at, _ in known], _REGION), strict=True):
        held = jvm.scene.at(start)
        if held is None or not held.accessible:
            continue
        fields = raw or bytes(_REGION)
        low, high = (int.from_bytes(fields[at : at + 8], "little") for at in (bottom, top))
        if low != start or not low <= high <= low + size:
            return None
        kind = _g1_kind(int.from_bytes(fields[type_ + tag : type_ + tag + 4], "little"))
        found.append(G1Region(kind, high - low, size))
    return found


def _g1_kind(tag: int) -> str:
    if tag in {_EDEN, _SURVIVOR}:
        return "young regions"
    if tag == _FREE:
        return "free regions"
    return "humongous regions" if tag & _HUMONGOUS else "old regions"


def _shenandoah(jvm: HotSpot) -> Iterator[Space]:
    heap, size = (
        jvm.static("Universe", "_collectedHeap"),
        jvm.static("ShenandoahHeapRegion", "RegionSizeBytes"),
    )
    count, committed = (jvm.member(heap, "ShenandoahHeap", name) for name in ("_num_regions", "_committed"))
    used = jvm.member(heap, "ShenandoahHeap", "_used")
    if used is None:  # from JDK 24 on
        generation = jvm.member(heap, "ShenandoahHeap", "_global_generation")
        used = jvm.member(generation, "ShenandoahGeneration", "_used")
    if not size or not count or committed is None or used is None or not jvm.heap:
        return
    if count * size == jvm.heap[1] - jvm.heap[0] and committed % size == 0:
        yield Space("regions", used, committed)


def _parallel(jvm: HotSpot) -> Iterator[Space]:
    young, old = (jvm.static("ParallelScavengeHeap", name) for name in ("_young_gen", "_old_gen"))
    if not young or not old:
        return
    parts = ("_eden_space", "_from_space", "_to_space")
    held = [jvm.member(young, "PSYoungGen", name) for name in parts]
    for label, at, type_, inside in (
        ("young generation", young, "PSYoungGen", held),
        ("old generation", old, "PSOldGen", [jvm.member(old, "PSOldGen", "_object_space")]),
    ):
        space = jvm.member(at, type_, "_virtual_space")
        bounds = [jvm.member(space, "PSVirtualSpace", f"_committed_{end}_addr") for end in ("low", "high")]
        yield from _generation(jvm, label, bounds, inside, ("MutableSpace", "ImmutableSpace"))


def _serial(jvm: HotSpot) -> Iterator[Space]:
    heap = jvm.static("Universe", "_collectedHeap")
    type_ = "SerialHeap" if ("SerialHeap", "_young_gen") in jvm.fields else "GenCollectedHeap"
    young, old = (jvm.member(heap, type_, name) for name in ("_young_gen", "_old_gen"))
    parts = ("_eden_space", "_from_space", "_to_space")
    for label, at, inside in (
        ("young generation", young, [jvm.member(young, "DefNewGeneration", name) for name in parts]),
        ("old generation", old, [jvm.member(old, "TenuredGeneration", "_the_space")]),
    ):
        space = jvm.address(at, "Generation", "_virtual_space")
        bounds = [jvm.member(space, "VirtualSpace", name) for name in ("_low", "_high")]
        yield from _generation(jvm, label, bounds, inside, ("ContiguousSpace", "Space"))


def _generation(
    jvm: HotSpot,
    label: str,
    bounds: Sequence[int | None],
    inside: Sequence[int | None],
    types: tuple[str, ...],
) -> Iterator[Space]:
    """Yield a generation if it lies in the heap and its spaces lie in it."""
    low, high = bounds
    if not low or not high or not jvm.heap or not jvm.heap[0] <= low <= high <= jvm.heap[1]:
        return
    used = 0
    for space in inside:
        offsets = [jvm.offset(name, *types) for name in ("_bottom", "_top", "_end")]
        ends = [None if at is None or not space else word(jvm.scene, space + at) for at in offsets]
        bottom, top, end = (value or 0 for value in ends)
        if not low <= bottom <= top <= end <= high:
            return
        used += top - bottom
    yield Space(label, used, high - low)


def _zgc(jvm: HotSpot) -> Iterator[Space]:
    if not any(mapping.path == "/memfd:java_heap" for mapping in jvm.scene.mappings):
        return
    collected = jvm.static("Universe", "_collectedHeap")
    for letter in "XZ":  # JDK 21 has both: X is the one without generations
        heap = jvm.address(collected, f"{letter}CollectedHeap", "_heap")
        allocator = jvm.address(heap, f"{letter}Heap", "_page_allocator")
        most = jvm.member(allocator, f"{letter}PageAllocator", "_max_capacity")
        capacity, used = (
            jvm.member(allocator, f"{letter}PageAllocator", name) for name in ("_capacity", "_used")
        )
        if capacity is None and (physical := jvm.address(allocator, "ZPageAllocator", "_physical")):
            most, capacity = (  # up to JDK 13
                jvm.member(physical, "ZPhysicalMemoryManager", name)
                for name in ("_max_capacity", "_capacity")
            )
        if capacity is None:
            capacity, used = _only_partition(jvm, allocator)
        if (
            most
            and capacity
            and used is not None
            and used <= capacity <= most
            and not (capacity | most) % (2 << 20)
        ):
            yield Space("pages", used, capacity)
            return


def _only_partition(jvm: HotSpot, allocator: int | None) -> tuple[int | None, int | None]:
    """Return capacity and use of the one partition that there is; with several their length is unknown."""
    count = jvm.static("ZNUMA", "_count")
    partitions = jvm.address(allocator, "ZPageAllocator", "_partitions")
    first = jvm.member(partitions, "ZPerNUMAZPartition", "_addr")
    if count is None or count & _COUNT != 1:
        return None, None
    return jvm.member(first, "ZPartition", "_capacity"), jvm.member(first, "ZPartition", "_used")
