"""HotSpot's metaspace and compressed class space, which its exported tables leave out.

Their lists are found by the name that they carry. Facts:
src/hotspot/share/memory/metaspace/{metaspaceContext,virtualSpaceList,virtualSpaceNode}.hpp, JDK 16 and later.
"""

from bisect import bisect_left
from collections import abc
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, unpacked, words, zeroed
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.scene import Scene

_METASPACE, _CLASS_SPACE = b"non-class-space\0", b"class-space\0"  # linkers may let them share the tail
MOST_NODES = 4096


class MetaspaceContext(NamedTuple):
    """A part of metaspace: its owner's name, its address, and those of its list of nodes and free chunks."""

    name: str
    at: int
    list: int
    chunks: int


def contexts(
    scene: Scene, library: Sequence[PlacedMapping], constants: Constants
) -> Iterator[MetaspaceContext]:
    """Yield the two MetaspaceContexts.

    A context begins with the address of its name, and points to a list with the same name in it.
    """
    names = _name_places(constants)
    found = set()
    for at in _pointing_to(scene, library, names):
        parts = words(scene, at, 3)
        list_ = parts and words(scene, parts[1], 2)
        if parts and list_ and list_[1] == parts[0] and at not in found:
            found.add(at)
            yield MetaspaceContext(names[parts[0]], at, parts[1], parts[2])
        if len(found) == len(names):
            return


def find(scene: Scene, library: Sequence[PlacedMapping], constants: Constants) -> Iterator[Claim]:
    """Claim the nodes of the lists that the two MetaspaceContexts hold.

    A node says twice where its memory is: that is what makes it certain.
    """
    for context in contexts(scene, library, constants):
        fields = words(scene, context.list, 3)
        if fields:
            yield from _nodes(scene, fields[2], context.name)


def _nodes(scene: Scene, node: int, name: str) -> Iterator[Claim]:
    for _ in range(MOST_NODES):
        fields = words(scene, node, 14) if node else None
        if fields is None:
            return
        start, size = fields[1], fields[2]
        again = any(pair == (start, size // 8) for pair in pairwise(fields[3:]))
        if again and is_block(scene, start, start + size):
            yield Claim(start, start + size, name, "record", "a node of HotSpot's metaspace VirtualSpaceList")
        node = fields[0]


def _name_places(constants: Constants) -> dict[int, str]:
    """Return the addresses of the two contexts' names in the constants of libjvm."""
    for start, raw in constants.segments():
        at, alone = raw.find(_METASPACE), raw.find(b"\0" + _CLASS_SPACE)
        if at >= 0:
            tail = at + _METASPACE.index(_CLASS_SPACE)
            place = start + (alone + 1 if alone >= 0 else tail)
            return {start + at: "jvm metaspace", place: "jvm class space"}
    return {}


def _pointing_to(
    scene: Scene, library: Sequence[PlacedMapping], names: abc.Mapping[int, str]
) -> Iterator[int]:
    """Yield what libjvm's variables point to, in memory that it allocated, that begins with a name."""
    if not names:
        return
    spelt = {name.to_bytes(8, "little") for name in names}
    for page, places in groupby(allocated_pointers(scene, library), lambda value: value // scene.page_size):
        raw = scene.read(page * scene.page_size, scene.page_size)
        if raw and any(name in raw for name in spelt):
            offsets = (at % scene.page_size for at in places)
            yield from (page * scene.page_size + at for at in offsets if raw[at : at + 8] in spelt)


def allocated_pointers(scene: Scene, library: Sequence[PlacedMapping]) -> Iterator[int]:
    """Yield, in order, the aligned addresses of malloc's memory in libjvm's .bss."""
    _, raw = zeroed(scene, library)
    values = sorted(value for value in set(unpacked(raw)) if not value & 7)
    for mapping in scene.mappings:
        if mapping.perms == "rw-p" and mapping.path in {None, "[heap]"}:
            low, high = bisect_left(values, mapping.start), bisect_left(values, mapping.end)
            yield from values[low:high]
