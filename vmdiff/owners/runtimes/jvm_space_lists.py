"""HotSpot's metaspace and compressed class space up to JDK 15, whose lists carry no name.

libjvm's variables point to one list for each. It counts its nodes and what they reserve and commit, and a
node says twice where its memory is. A list is believed if its nodes add up to all that it counts. Facts:
JDK 11, src/hotspot/share/memory/virtualspace.hpp, metaspace/{virtualSpaceList,virtualSpaceNode}.hpp.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, raw_each, words
from vmdiff.owners.runtimes.jvm_metaspace import MOST_NODES, allocated_pointers
from vmdiff.owners.scene import Scene

# Head, node in use, whether of classes, words reserved and committed, nodes, lowest and highest address.
_LIST = struct.Struct("<QQB7xQQQQQ")
# Words of a node: next, whether of classes, six of what is reserved, four bounds of what is committed.
_NODE = 12
_WORD = 8
_NAMES = ("jvm metaspace", "jvm class space")


class SpaceNode(NamedTuple):
    """A stretch of memory that is reserved for metaspace, committed up to *committed*."""

    start: int
    committed: int
    end: int


class SpaceList(NamedTuple):
    """A part of metaspace: its owner's name, and its memory."""

    name: str
    nodes: tuple[SpaceNode, ...]

    @property
    def reserved(self) -> int:
        """The bytes of address space."""
        return sum(node.end - node.start for node in self.nodes)

    @property
    def committed(self) -> int:
        """The bytes that have memory behind them."""
        return sum(node.committed - node.start for node in self.nodes)


def space_lists(scene: Scene, library: Sequence[PlacedMapping]) -> tuple[SpaceList, ...]:
    """Return the lists that libjvm's variables point to, each part of metaspace once."""
    places = allocated_pointers(scene, library)
    found = {}
    for raw in raw_each(scene, [*dict.fromkeys(places)], _LIST.size):
        if raw and (list_ := _list(scene, *_LIST.unpack(raw))):
            found[list_.name] = list_
    return tuple(found.values())


def find(scene: Scene, library: Sequence[PlacedMapping]) -> Iterator[Claim]:
    """Claim the nodes of both lists."""
    evidence = "a node of HotSpot's VirtualSpaceList, whose nodes add up to what it counts"
    for list_ in space_lists(scene, library):
        for node in list_.nodes:
            yield Claim(node.start, node.end, list_.name, "record", evidence)


def _list(
    scene: Scene,
    head: int,
    current: int,
    classes: int,
    reserved: int,
    committed: int,
    count: int,
    *bounds: int,
) -> SpaceList | None:
    """Return a list if its nodes are as many, as large and where it says."""
    if not head or not current or classes > 1 or not committed <= reserved or not 0 < count <= MOST_NODES:
        return None
    nodes = tuple(_nodes(scene, head, count, classes))
    list_ = SpaceList(_NAMES[classes], nodes)
    fits = (
        len(nodes) == count
        and (list_.reserved, list_.committed) == (reserved * _WORD, committed * _WORD)
        and all(bounds[0] <= node.start and node.end <= bounds[1] for node in nodes)
    )
    return list_ if fits else None


def _nodes(scene: Scene, node: int, count: int, classes: int) -> Iterator[SpaceNode]:
    """Yield the nodes from *node* on, up to the first that is none or to one more than *count*."""
    for _ in range(count + 1):
        fields = words(scene, node, _NODE) if node and not node % _WORD else None
        if fields is None:
            return
        start, size = fields[2:4]
        low, high, bottom, top = fields[8:]
        twice = (low, high, bottom) == (start, start + size, start) and fields[1] & 0xFF == classes
        if not twice or not bottom <= top <= high or not is_block(scene, start, start + size):
            return
        yield SpaceNode(start, top, high)
        node = fields[0]
