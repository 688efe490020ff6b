"""The headers of blocks in one mapping, and what readers make of them."""

from collections.abc import Callable
from typing import NamedTuple

from vmdiff.model import PlacedMapping
from vmdiff.owners.scene import Scene

HEADER = 64  # bytes that a reader sees of a page
_AHEAD = 64  # pages


class FoundBlock(NamedTuple):
    """A block that a reader recognised by its header; *kind* is the owner's name."""

    start: int
    end: int
    kind: str


class Peek:
    """The first bytes of the pages of one mapping, each fetched once."""

    def __init__(self, scene: Scene, mapping: PlacedMapping, head: bytes | None) -> None:
        self._scene = scene
        self.start, self.end = mapping.start, mapping.end
        self._known = {self.start: head}
        self.page, self.word = scene.page_size, scene.word_size

    def at(self, address: int) -> bytes | None:
        """Give the first bytes of the page at *address*, None where they cannot be read."""
        if address not in self._known:
            self._known[address] = self._scene.read(address, HEADER)
        return self._known[address]

    def fetch(self, address: int) -> None:
        """Fetch the pages from *address* on together, since they are all going to be asked for."""
        memory = self._scene.memory
        if address in self._known or memory is None:
            return
        pages = list(range(address, min(address + _AHEAD * self.page, self.end), self.page))
        self._known.update(zip(pages, memory.read_many(pages, HEADER), strict=True))


# A reader gives the block that begins at an address, or None if it knows no header there.
BlockReader = Callable[[Peek, int], FoundBlock | None]
