"""HotSpot's description of its own structures: where in a JVM's memory which field is.

libjvm.so exports an array of its C++ types' fields, with offsets and the addresses of static ones
(``gHotSpotVMStructs``, src/hotspot/share/runtime/vmStructs.hpp), so that debuggers can find their
way about a JVM that does not cooperate. Only the fields in ``WANTED`` are kept.
"""

import struct
from collections import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vmdiff.owners.machine_words import is_block, word, word_each
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.scene import Scene

_EXPORTS = {
    "table": "gHotSpotVMStructs",
    "stride": "gHotSpotVMStructEntryArrayStride",
    "type": "gHotSpotVMStructEntryTypeNameOffset",
    "field": "gHotSpotVMStructEntryFieldNameOffset",
    "offset": "gHotSpotVMStructEntryOffsetOffset",
    "address": "gHotSpotVMStructEntryAddressOffset",
}
_STRING_CLASS = (
    "_klasses[static_cast<int>(vmClassID::String_klass_knum)]",
    "_well_known_klasses[SystemDictionary::String_klass_knum]",
)
WANTED: abc.Mapping[str, frozenset[str]] = {
    "BarrierSet": frozenset({"_barrier_set"}),
    "CardTable": frozenset({"_byte_map", "_byte_map_size"}),
    "CardTableBarrierSet": frozenset({"_card_table"}),
    "ClassLoaderData": frozenset({"_klasses", "_next"}),
    "ClassLoaderDataGraph": frozenset({"_head"}),
    "CodeCache": frozenset({"_low_bound", "_high_bound", "_heaps"}),
    "CodeHeap": frozenset({"_segmap", "_memory", "_log2_segment_size"}),
    "CollectedHeap": frozenset({"_reserved"}),
    "CompressedKlassPointers": frozenset({"_base", "_shift", "_narrow_klass._base", "_narrow_klass._shift"}),
    "CompressedOops": frozenset({"_base", "_shift", "_narrow_oop._base", "_narrow_oop._shift"}),
    "ContiguousSpace": frozenset({"_bottom", "_end", "_top"}),
    "DefNewGeneration": frozenset({"_eden_space", "_from_space", "_to_space"}),
    "G1CollectedHeap": frozenset({"_hrm"}),
    "G1ContiguousSpace": frozenset({"_top"}),
    "G1HeapRegion": frozenset({"GrainBytes", "_bottom", "_top", "_type"}),
    "G1HeapRegionManager": frozenset({"_regions"}),
    "G1HeapRegionTable": frozenset({"_base", "_length"}),
    "G1HeapRegionType": frozenset({"_tag"}),
    "GenCollectedHeap": frozenset({"_young_gen", "_old_gen"}),
    "GenericGrowableArray": frozenset({"_len"}),
    "Generation": frozenset({"_virtual_space"}),
    "GrowableArray<int>": frozenset({"_data"}),
    "GrowableArrayBase": frozenset({"_len"}),
    "HeapRegion": frozenset({"GrainBytes", "_bottom", "_top", "_type"}),
    "HeapRegionManager": frozenset({"_regions"}),
    "HeapRegionType": frozenset({"_tag"}),
    "ImmutableSpace": frozenset({"_bottom", "_end"}),
    "InstanceKlass": frozenset({"_java_mirror"}),
    "JavaThread": frozenset({"_osthread", "_stack_base", "_stack_size", "_threadObj"}),
    "Klass": frozenset({"_name", "_next_link", "_java_mirror"}),
    "MemRegion": frozenset({"_start", "_word_size"}),
    "MetaspaceObj": frozenset({"_shared_metaspace_base", "_shared_metaspace_top"}),
    "MutableSpace": frozenset({"_bottom", "_end", "_top"}),
    "OSThread": frozenset({"_thread_id"}),
    "PSOldGen": frozenset({"_object_space", "_virtual_space"}),
    "PSVirtualSpace": frozenset(
        {"_reserved_low_addr", "_reserved_high_addr", "_committed_low_addr", "_committed_high_addr"}
    ),
    "PSYoungGen": frozenset({"_eden_space", "_from_space", "_to_space", "_virtual_space"}),
    "ParallelScavengeHeap": frozenset({"_young_gen", "_old_gen"}),
    "SerialHeap": frozenset({"_young_gen", "_old_gen"}),
    "ShenandoahGeneration": frozenset({"_used"}),
    "ShenandoahHeap": frozenset({"_num_regions", "_used", "_committed", "_global_generation"}),
    "ShenandoahHeapRegion": frozenset({"RegionSizeBytes"}),
    "Space": frozenset({"_bottom", "_end"}),
    "Symbol": frozenset({"_length", "_body", "_body[0]"}),
    "SystemDictionary": frozenset({_STRING_CLASS[1]}),
    "TenuredGeneration": frozenset({"_the_space"}),
    "Thread": frozenset({"_osthread", "_stack_base", "_stack_size"}),
    "ThreadsList": frozenset({"_length", "_threads"}),
    "ThreadsSMRSupport": frozenset({"_java_thread_list"}),
    "Universe": frozenset(
        {
            "_collectedHeap",
            "_narrow_oop._base",
            "_narrow_oop._shift",
            "_narrow_klass._base",
            "_narrow_klass._shift",
        }
    ),
    "VirtualSpace": frozenset({"_low_boundary", "_high_boundary", "_low", "_high"}),
    "XCollectedHeap": frozenset({"_heap"}),
    "XHeap": frozenset({"_page_allocator"}),
    "XPageAllocator": frozenset({"_max_capacity", "_capacity", "_used"}),
    "ZCollectedHeap": frozenset({"_heap"}),
    "ZHeap": frozenset({"_page_allocator"}),
    "ZNUMA": frozenset({"_count"}),
    "ZPageAllocator": frozenset({"_max_capacity", "_capacity", "_used", "_partitions", "_physical"}),
    "ZPartition": frozenset({"_capacity", "_used"}),
    "ZPerNUMAZPartition": frozenset({"_addr"}),
    "ZPhysicalMemoryManager": frozenset({"_max_capacity", "_capacity"}),
    "vmClasses": frozenset({_STRING_CLASS[0]}),
}
ARCHIVE = (".jsa",)
"""Class data archives are mapped into the middle of what the JVM reserved."""

_MOST_FIELDS = 16_384  # JDK 17 has 1,100
_LONGEST_NAME = 80


class StructField(NamedTuple):
    """Where a field is: *offset* in its structure, or for static ones their *address*."""

    offset: int
    address: int


@dataclass(frozen=True, eq=False)
class HotSpot:
    """A HotSpot JVM: what its tables say of its structures."""

    scene: Scene
    fields: abc.Mapping[tuple[str, str], StructField]

    @cached_property
    def heap(self) -> tuple[int, int] | None:
        """The bounds of the Java heap's reservation, if there is such memory."""
        heap = self.static("Universe", "_collectedHeap")
        reserved = self.offset("_reserved", "CollectedHeap")
        if not heap or reserved is None:
            return None
        start = self.member(heap + reserved, "MemRegion", "_start")
        count = self.member(heap + reserved, "MemRegion", "_word_size")
        if not start or not count or not is_block(self.scene, start, start + count * 8, files=ARCHIVE):
            return None
        return start, start + count * 8

    @cached_property
    def string_class(self) -> int | None:
        """The address of the class of strings."""
        return self.static("vmClasses", *_STRING_CLASS) or self.static("SystemDictionary", *_STRING_CLASS)

    def narrow(self, what: str) -> tuple[int, int] | None:
        """Return what references ("oop") or classes ("klass") of 4 bytes stand for: base and shift.

        Up to JDK 12 the fields are Universe's.
        """
        type_ = {"oop": "CompressedOops", "klass": "CompressedKlassPointers"}[what]
        prefix = f"_narrow_{what}."
        holder = (
            type_
            if (type_, "_base") in self.fields or (type_, f"{prefix}_base") in self.fields
            else "Universe"
        )
        base, shift = (self.static(holder, name, prefix + name) for name in ("_base", "_shift"))
        return None if base is None or shift is None else (base, shift & 31)

    def static(self, type_: str, *names: str) -> int | None:
        """Return the word in the first static field of *names* that there is."""
        for name in names:
            if field := self.fields.get((type_, name)):
                return word(self.scene, field.address)
        return None

    def offset(self, name: str, *types: str) -> int | None:
        """Return where the field *name* is in the first of *types* that has it."""
        return next((f.offset for type_ in types if (f := self.fields.get((type_, name)))), None)

    def each(self, places: Sequence[int], name: str, *types: str, width: int = 8) -> list[int]:
        """Return the field *name* of *width* bytes of every structure in *places*, 0 where there is none."""
        offset = self.offset(name, *types)
        if offset is None:
            return [0] * len(places)
        return [value or 0 for value in word_each(self.scene, [at + offset for at in places], width)]

    def address(self, at: int | None, type_: str, name: str) -> int | None:
        """Return where a field of the structure at *at* is."""
        offset = self.offset(name, type_)
        return None if not at or offset is None else at + offset

    def member(self, at: int | None, type_: str, name: str) -> int | None:
        """Return the word in a field of the structure at *at*."""
        field = self.fields.get((type_, name))
        return None if at is None or field is None else word(self.scene, at + field.offset)


def hotspot(
    scene: Scene,
    library: MappedObject,
    constants: Constants,
    wanted: abc.Mapping[str, frozenset[str]] = WANTED,
) -> HotSpot | None:
    """Read the table of fields, if the exported description of its entries is as expected.

    Of each type the *wanted* fields are kept.
    """
    symbols = library.symbols(_EXPORTS.values())
    places = {key: word(scene, symbols[name]) for key, name in _EXPORTS.items() if name in symbols}
    expected = {"stride": 48, "type": 0, "field": 8, "offset": 32, "address": 40}
    table = places.pop("table", None)
    if not table or places != expected:
        return None
    entries = [*_entries(scene, table)]
    types = _names(constants, {entry[0] for entry in entries})
    entries = [entry for entry in entries if types.get(entry[0]) in wanted]
    names = _names(constants, {entry[1] for entry in entries})
    fields = {
        (type_, name): StructField(offset, address)
        for type_at, name_at, offset, address in entries
        if (name := names.get(name_at, "")) in wanted[type_ := types[type_at]]
    }
    return HotSpot(scene, fields)


def _entries(scene: Scene, table: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield type name, field name, offset and address of every entry, up to the empty one."""
    form, batch = struct.Struct("<QQQQQQ"), 128
    for first in range(0, _MOST_FIELDS, batch):
        raw = scene.read(table + first * form.size, batch * form.size)
        if raw is None:
            return
        for type_, name, _, _, offset, address in form.iter_unpack(raw):
            if not type_:
                return
            yield type_, name, offset, address


def _names(constants: Constants, places: set[int]) -> dict[int, str]:
    return {at: name for at in places if (name := constants.text(at, _LONGEST_NAME))}
