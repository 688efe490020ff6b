"""The memory of a snapshot by owner, wherever the kernel merged it."""

from collections.abc import Iterator
from heapq import merge

from vmdiff.model import Owner, Part
from vmdiff.owners.scene import OwnedRange, Scene


def owned_ranges(scene: Scene, *names: str) -> Iterator[OwnedRange]:
    """Yield the memory of the owners that are called one of *names*, in the order of addresses."""
    yield from merge(*(scene.owned.get(name, ()) for name in names), key=_start)


def owner_at(scene: Scene, address: int) -> Owner | Part | None:
    """Return whose memory *address* is in; None where nobody is known."""
    mapping = scene.at(address)
    return None if mapping is None or mapping.owner is None else mapping.owner.at(address)


def _start(held: OwnedRange) -> int:
    return held.start
