"""HotSpot's memory, from the tables in which the JVM describes its own structures.

libjvm.so exports arrays of its C++ types' fields, with offsets and the addresses of static ones
(``gHotSpotVMStructs``, src/hotspot/share/runtime/vmStructs.hpp), so that debuggers can find their
way about a JVM that does not cooperate. They lead to the Java heap and what its collector keeps beside
it, the code cache, the class data archive and the threads, whatever the version. Metaspace is not in
them: its lists are found by the name that they carry (src/hotspot/share/memory/metaspace/, JDK 16 and
later), or by what they count.

Tried with JDK 11, 17, 21 and 25. Whatever is not found, or does not look like what it should be,
falls back to the layout or stays without an owner.
"""

from collections.abc import Iterator, Sequence

from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, words
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.runtimes import jvm_collector, jvm_metaspace, jvm_space_lists, jvm_threads
from vmdiff.owners.runtimes.hotspot_structs import ARCHIVE, HotSpot, hotspot
from vmdiff.owners.scene import Scene

_MOST_SEGMENTS = 16


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
    yield from jvm_collector.find(tables, library)
    yield from _code(tables)
    spaces = [*jvm_metaspace.find(tables.scene, library, constants)]
    spaces = spaces or [*jvm_space_lists.find(tables.scene, library)]
    yield from spaces
    yield from _archive(tables, [space.start for space in spaces])
    yield from jvm_threads.find(tables)


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
