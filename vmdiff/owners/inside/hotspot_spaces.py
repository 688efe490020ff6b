"""Metaspace and code cache: used against committed.

The lists of metaspace's nodes count what is committed. What is used is counted at a place to which the arenas
of class loaders point; they are known by the free chunks of their part of metaspace. A code heap's fields
after its tables follow one that HotSpot exports. Facts: src/hotspot/share/memory/metaspace/
{metaspaceArena,virtualSpaceList}.hpp of JDK 17 to 25, and src/hotspot/share/memory/heap.hpp of JDK 11 to 25.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import PlacedMapping
from vmdiff.owners.machine_words import word, words
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.runtimes.hotspot_structs import HotSpot
from vmdiff.owners.runtimes.jvm_metaspace import MetaspaceContext, contexts
from vmdiff.owners.scene import Scene

_MOST_LOADERS = 256
_MOST_CODE_HEAPS = 16
_LOADER, _ARENAS, _ARENA = 24, 4, 8  # words of ClassLoaderData, ClassLoaderMetaspace, MetaspaceArena
_CHUNKS, _USED, _NAME = 1, 6, 7  # of a MetaspaceArena
_RESERVED, _COMMITTED = 5, 6  # of a VirtualSpaceList, in words
_LONGEST_NAME = 64
_HALF = 0xFFFFFFFF


class HotSpotRegion(NamedTuple):
    """A part of metaspace or of the code cache, in bytes."""

    owner: str
    label: str | None
    used: int
    committed: int
    reserved: int
    overhead: int = 0


def metaspace(
    jvm: HotSpot, library: Sequence[PlacedMapping], constants: Constants
) -> Iterator[HotSpotRegion]:
    """Yield the parts of metaspace whose use is proven."""
    parts = {context.chunks: context for context in contexts(jvm.scene, library, constants)}
    counters = _counters(jvm, constants, parts)
    for chunks, context in parts.items():
        list_ = words(jvm.scene, context.list, _COMMITTED + 1)
        used = word(jvm.scene, counters[chunks]) if chunks in counters else None
        if list_ and used is not None and used <= list_[_COMMITTED] <= list_[_RESERVED]:
            yield HotSpotRegion(context.name, None, used * 8, list_[_COMMITTED] * 8, list_[_RESERVED] * 8)


def _counters(jvm: HotSpot, constants: Constants, parts: dict[int, MetaspaceContext]) -> dict[int, int]:
    """Return where the words used of each part are counted, by the address of its free chunks."""
    found: dict[int, int] = {}
    loader = jvm.static("ClassLoaderDataGraph", "_head")
    for _ in range(_MOST_LOADERS):
        if not loader or found.keys() == parts.keys():
            break
        for arena in _arenas(jvm.scene, loader):
            if arena[_CHUNKS] in parts and "class" in (constants.text(arena[_NAME], _LONGEST_NAME) or ""):
                found.setdefault(arena[_CHUNKS], arena[_USED])
        loader = jvm.member(loader, "ClassLoaderData", "_next")
    return found


def _arenas(scene: Scene, loader: int) -> Iterator[tuple[int, ...]]:
    """Yield what may be the arenas of a class loader: two steps from one of its words."""
    for place in words(scene, loader, _LOADER) or ():
        metaspace_of_loader = _followed(scene, place, _ARENAS)
        for arena in metaspace_of_loader or ():
            if fields := _followed(scene, arena, _ARENA):
                yield fields


def _followed(scene: Scene, place: int, count: int) -> tuple[int, ...] | None:
    held = scene.at(place)
    return words(scene, place, count) if held and not place % 8 and held.perms[:2] == "rw" else None


def code_heaps(jvm: HotSpot, constants: Constants) -> Iterator[HotSpotRegion]:
    """Yield the heaps of the code cache that are as HotSpot's exported fields say."""
    heaps = jvm.static("CodeCache", "_heaps")
    length = jvm.offset("_len", "GrowableArrayBase", "GenericGrowableArray")  # of JDK 17, of 11
    count = word(jvm.scene, heaps + length) if heaps and length is not None else None
    data = jvm.member(heaps, "GrowableArray<int>", "_data")
    if count and data:
        for heap in words(jvm.scene, data, min(count & _HALF, _MOST_CODE_HEAPS)) or ():
            yield from _code_heap(jvm, constants, heap)


def _code_heap(jvm: HotSpot, constants: Constants, heap: int) -> Iterator[HotSpotRegion]:
    log2 = jvm.address(heap, "CodeHeap", "_log2_segment_size")
    memory = jvm.address(heap, "CodeHeap", "_memory")
    ends = ("_low_boundary", "_low", "_high", "_high_boundary")
    bounds = [jvm.member(memory, "VirtualSpace", end) or 0 for end in ends]
    fields = words(jvm.scene, log2 - 24, 12) if log2 else None
    if not fields:
        return
    # Segments committed and reserved, their size, its logarithm, the next one, the free list, where it was
    # last added to, segments in it; later the name.
    committed, reserved, size, shift, after, _, _, free, *others = fields
    shift &= _HALF
    if not 0 < shift < 32 or size != 1 << shift or not 0 < bounds[0] <= bounds[1] <= bounds[2] <= bounds[3]:
        return
    fits = committed << shift == bounds[2] - bounds[1] and reserved << shift == bounds[3] - bounds[0]
    if fits and free <= after <= committed:
        texts = (constants.text(at, _LONGEST_NAME) or "" for at in others)
        name = next((text for text in texts if text.startswith("Code")), None)
        yield HotSpotRegion(
            "jvm code cache", name, after - free << shift, committed << shift, reserved << shift
        )
