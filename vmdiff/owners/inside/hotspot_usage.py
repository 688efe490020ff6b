"""What a HotSpot JVM has in use: heap, metaspace, code cache, from its own tables."""

from collections.abc import Iterator, Sequence

from vmdiff.model import PlacedMapping, Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.hotspot_direct import OWNER, direct_buffers
from vmdiff.owners.inside.hotspot_heap import spaces
from vmdiff.owners.inside.hotspot_loaders import metaspace_by_loaders
from vmdiff.owners.inside.hotspot_spaces import HotSpotRegion, code_heaps, metaspace
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.runtimes.hotspot_structs import HotSpot, hotspot
from vmdiff.owners.scene import Scene


def hotspot_usage(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of the Java heap, of metaspace and of the code cache."""
    library = scene.find_object("libjvm.so")
    if library is None or any("libj9" in thing.path for thing in scene.objects):
        return
    constants = Constants(scene, library.mappings)
    jvm = hotspot(scene, library, constants)
    if jvm is not None and budget.allows(steps=1):
        yield from _heap(jvm)
        yield from _regions(jvm, library.mappings, constants, budget.steps)
        yield from _direct(jvm, budget.steps)


def _heap(jvm: HotSpot) -> Iterator[Usage]:
    found, steady = two_readings(lambda: spaces(jvm))
    if found is None:
        yield Usage(
            owner="jvm heap",
            source="HotSpot's gHotSpotVMStructs",
            certainty="certain",
            partial="the heap of this collector or version is not as expected",
        )
        return
    collector, parts = found
    for part in parts:
        yield Usage(
            owner="jvm heap",
            label=part.label,
            source=f"HotSpot's gHotSpotVMStructs, {collector}",
            certainty="certain",
            in_use=part.used,
            free=part.committed - part.used,
            cached=0,
            overhead=0,
            partial=None if steady else MOVED,
        )


def _regions(
    jvm: HotSpot, library: Sequence[PlacedMapping], constants: Constants, steps: int | None
) -> Iterator[Usage]:
    def read() -> tuple[HotSpotRegion, ...]:
        spaces = tuple(metaspace(jvm, library, constants))
        return (*(spaces or metaspace_by_loaders(jvm, library, steps)), *code_heaps(jvm, constants))

    found, steady = two_readings(read)
    yield from (_usage(region, steady=steady) for region in found)
    if not any(region.label is None for region in found):
        yield Usage(
            owner="jvm metaspace",
            source="HotSpot's metaspace",
            certainty="certain",
            partial="the JVM's own sums of metaspace were not found or did not agree, "
            "or it has more class loaders than are followed without --inside",
        )


def _direct(jvm: HotSpot, steps: int | None) -> Iterator[Usage]:
    found, steady = two_readings(lambda: direct_buffers(jvm, steps))
    if found is not None and steady:
        yield Usage(
            owner=OWNER,
            source="the counters of java.nio.Bits",
            certainty="certain",
            in_use=found.reserved,
            free=0,
            cached=0,
            overhead=0,
            blocks=found.buffers,
        )


def _usage(region: HotSpotRegion, *, steady: bool) -> Usage:
    return Usage(
        owner=region.owner,
        label=region.label,
        source="HotSpot's metaspace" if region.label is None else "HotSpot's CodeHeap",
        certainty="certain",
        in_use=region.used,
        free=region.committed - region.used - region.overhead,
        cached=0,
        overhead=region.overhead,
        reserved=region.reserved - region.committed,
        partial=None if steady else MOVED,
    )
