"""Metaspace's use up to JDK 15, where each class loader counts its own.

A ClassLoaderData points to a ClassLoaderMetaspace, and that to a SpaceManager for metadata and one for
classes, all three with the same lock. Each manager counts the words of its chunks, of their headers, and in
use. The sums over all loaders are believed if libjvm's variables hold the same: MetaspaceUtils' arrays,
classes first, which `jcmd VM.metaspace` prints. Facts: JDK 11, src/hotspot/share/memory/metaspace.hpp and
metaspace/spaceManager.hpp.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import PlacedMapping
from vmdiff.owners.inside.hotspot_spaces import HotSpotRegion
from vmdiff.owners.machine_words import data, raw_each, unpacked, zeroed
from vmdiff.owners.runtimes.hotspot_structs import HotSpot
from vmdiff.owners.runtimes.jvm_space_lists import space_lists

_LOADER, _HOLDER, _MANAGER = 24, 4, 7  # words of a ClassLoaderData, ClassLoaderMetaspace, SpaceManager
_MOST_LOADERS = 1 << 16  # up to JDK 14 each class that has no name is one
_CLASSES, _METADATA = 0, 1  # Metaspace::MetadataType
_NAMES = {_CLASSES: "jvm class space", _METADATA: "jvm metaspace"}
_HALF = 0xFFFFFFFF
_WORD = 8


class ManagerCount(NamedTuple):
    """What a manager of space for classes or metadata counts, in words."""

    kind: int
    overhead: int
    capacity: int
    used: int


def metaspace_by_loaders(
    jvm: HotSpot, library: Sequence[PlacedMapping], steps: int | None
) -> Iterator[HotSpotRegion]:
    """Yield the parts of metaspace whose use is proven, within *steps* class loaders."""
    loaders = [*_loaders(jvm, _MOST_LOADERS if steps is None else min(steps, _MOST_LOADERS))]
    counts = _counts(jvm, loaders)
    if not counts or not _counted_by_libjvm(jvm, library, counts):
        return
    for list_ in space_lists(jvm.scene, library):
        own = [one for one in counts if _NAMES[one.kind] == list_.name]
        used, overhead = (
            _WORD * sum(words) for words in ([one.used for one in own], [one.overhead for one in own])
        )
        if used + overhead <= list_.committed:
            yield HotSpotRegion(list_.name, None, used, list_.committed, list_.reserved, overhead)


def _loaders(jvm: HotSpot, most: int) -> Iterator[int]:
    loader = jvm.static("ClassLoaderDataGraph", "_head")
    for _ in range(most):
        if not loader:
            return
        yield loader
        loader = jvm.member(loader, "ClassLoaderData", "_next")


def _counts(jvm: HotSpot, loaders: Sequence[int]) -> list[ManagerCount]:
    """Return what the managers of all *loaders* count; all point to theirs at the same word."""
    raws = raw_each(jvm.scene, loaders, _LOADER * _WORD)
    fields = [unpacked(raw) for raw in raws if raw]
    for column in zip(*fields, strict=True) if len(fields) == len(loaders) else ():
        holders = [place for place in column if place]  # a loader that has no class yet has none
        if all(map(jvm.scene.writable.at, holders)) and (found := _managers(jvm, holders)):
            return found
    return []


def _managers(jvm: HotSpot, holders: Sequence[int]) -> list[ManagerCount]:
    """Return what the managers count to which all *holders* lead; nothing if one does not."""
    found = []
    for raw in raw_each(jvm.scene, holders, _HOLDER * _WORD):
        use, lock, *managers = unpacked(raw) or (0, 0)
        known = [at for at in managers if at]
        for manager in raw_each(jvm.scene, known, _MANAGER * _WORD):
            own_lock, kinds, _, _, *counted = unpacked(manager) or (0, 0, 0, 0)
            kind, own_use = kinds & _HALF, kinds >> 32
            if not lock or (own_lock, own_use) != (lock, use & _HALF) or kind not in _NAMES:
                return []
            found.append(ManagerCount(kind, *counted))
        if not known:
            return []
    return found


def _counted_by_libjvm(
    jvm: HotSpot, library: Sequence[PlacedMapping], counts: Sequence[ManagerCount]
) -> bool:
    """Return whether libjvm's variables hold the sums, in arrays of two words."""
    places = [zeroed(jvm.scene, library), *data(jvm.scene, library)]
    for column in (1, 2, 3):
        sums = [sum(one[column] for one in counts if one.kind == kind) for kind in (_CLASSES, _METADATA)]
        wanted = struct.pack("<2Q", *sums)
        if not any(sums) or not any(wanted in raw for _, raw in places):
            return False
    return True
