"""Allocators and runtimes whose records are not read: what is in use there is unknown, and said so."""

from collections.abc import Iterator

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.scene import Scene

# The layout of their records is that of one release, which nothing in memory proves; jemalloc's is proved
# (`jemalloc_extents`). Of V8's chunks the first words are alike in all, but not what tells space and use.
_UNREAD = {
    "tcmalloc": "the records of tcmalloc are not read",
    "mimalloc": "the records of mimalloc are not read",
    "v8 heap": "the records of V8's spaces are not read: their layout changes with every few versions",
}


def unread_allocators(scene: Scene, budget: Budget) -> Iterator[Usage]:  # noqa: ARG001  # there is nothing to do
    """Yield an unknown for each owner whose memory a process has and nobody reads."""
    for name in dict.fromkeys(held.owner.name for held in owned_ranges(scene, *_UNREAD)):
        yield Usage(owner=name, source="none", certainty="certain", partial=_UNREAD[name])
