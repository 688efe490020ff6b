"""Chromium and what is built on it (Electron, CEF): PartitionAlloc, V8's cage, Blink's heap.

Each of them reserves gigabytes at aligned addresses and commits pieces at fixed places within
(base/allocator/partition_allocator/, v8/src/{heap,sandbox}/, v8/src/heap/cppgc/caged-heap.h). Their
own records lie behind tables that this build of the browser alone knows, so all of this is likely
and no more. Tried with Chromium 156.
"""

from collections.abc import Iterator, Sequence

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

_DATA = ("/icudtl.dat", "/v8_context_snapshot.bin", "/snapshot_blob.bin")  # what all of them map
_SMALLEST_RUN = 1 << 30
_SUPER_PAGE, _PAYLOAD = 2 << 20, 0x4000  # PartitionAlloc's unit, and where its slots begin
_CAGE = 4 << 30
_TRUSTED, _TRUSTED_FROM = 1 << 30, 16 << 20
_BLINK_FROM = 32 << 20


def chromium(scene: Scene) -> Iterator[Claim]:
    """Claim by place and alignment what lies in the large reservations of a browser process."""
    if any(path.endswith(_DATA) for path in scene.paths):
        yield from _claims(scene)


def _claims(scene: Scene) -> Iterator[Claim]:
    for run in _runs(scene):
        start, end = run[0].start, run[-1].end
        committed = [mapping for mapping in run if mapping.kind is Kind.ANONYMOUS]
        if end - start < _SMALLEST_RUN or not committed:
            continue
        offset = committed[0].start - start
        if end - start >= _CAGE and not start % _CAGE and offset == _BLINK_FROM:
            yield from _all(
                committed, "oilpan", "32 MiB into a reservation aligned to 4 GiB, as Blink's heap"
            )
        elif end - start == _TRUSTED and not start % _TRUSTED and offset == _TRUSTED_FROM:
            yield from _all(committed, "v8 heap", "16 MiB into a reservation of 1 GiB, as V8's trusted space")
        elif len(committed) > 1 and all(mapping.size == scene.page_size for mapping in committed):
            yield from _all(
                committed, "partition alloc", "single pages far apart in a reservation, as its metadata"
            )
        else:
            yield from _cage(committed)
            yield from _super_pages(committed)


def _runs(scene: Scene) -> Iterator[list[PlacedMapping]]:
    """Yield the private mappings without a name that follow each other without a gap."""
    run: list[PlacedMapping] = []
    for mapping in scene.mappings:
        nameless = mapping.path is None and mapping.kind in {Kind.ANONYMOUS, Kind.RESERVED}
        if run and (not nameless or run[-1].end != mapping.start):
            yield run
            run = []
        if nameless:
            run.append(mapping)
    if run:
        yield run


def _all(mappings: Sequence[PlacedMapping], name: str, evidence: str) -> Iterator[Claim]:
    for mapping in mappings:
        yield Claim(mapping.start, mapping.end, name, "shape", evidence)


def _cage(committed: Sequence[PlacedMapping]) -> Iterator[Claim]:
    """Claim V8's cage for compressed pointers: it begins with the heap's read-only pages."""
    bases = {m.start for m in committed if m.start and not m.start % _CAGE and m.perms[:3] == "r--"}
    inside = [m for m in committed if m.start // _CAGE * _CAGE in bases]
    yield from _all(inside, "v8 heap", "in the 4 GiB from read-only pages on, as V8's cage for pointers")


def _super_pages(committed: Sequence[PlacedMapping]) -> Iterator[Claim]:
    for mapping in committed:
        start, end = mapping.start, mapping.end
        if start % _SUPER_PAGE == _PAYLOAD and mapping.perms[:2] == "rw":
            low = start - _PAYLOAD
            evidence = "16 KiB into 2 MiB of a large reservation, as PartitionAlloc's super pages"
            yield Claim(low, max(low + _SUPER_PAGE, end), "partition alloc", "shape", evidence)
