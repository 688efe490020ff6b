"""The memory of a snapshot by owner, wherever the kernel merged it."""

from collections.abc import Iterator
from typing import NamedTuple

from vmdiff.model import Owner, Part, PlacedMapping
from vmdiff.owners.scene import Scene


class OwnedRange(NamedTuple):
    """A stretch of memory, and whose it is."""

    start: int
    end: int
    owner: Owner | Part


def owned_ranges(scene: Scene, *names: str) -> Iterator[OwnedRange]:
    """Yield the memory of the owners that are called one of *names*, in the order of addresses."""
    for mapping in scene.mappings:
        yield from (held for held in _of(mapping) if held.owner.name in names)


def owner_at(scene: Scene, address: int) -> Owner | Part | None:
    """Return whose memory *address* is in; None where nobody is known."""
    mapping = scene.at(address)
    held = [] if mapping is None else list(_of(mapping))
    return next((owner for start, end, owner in held if start <= address < end), None)


def _of(mapping: PlacedMapping) -> Iterator[OwnedRange]:
    owner = mapping.owner
    if owner is None:
        return
    if not owner.parts:
        yield OwnedRange(mapping.start, mapping.end, owner)
    yield from (OwnedRange(part.start, part.end, part) for part in owner.parts)
