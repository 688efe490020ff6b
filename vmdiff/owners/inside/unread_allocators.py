"""Allocators whose records are not read: what is in use of their memory is unknown, and said so."""

from collections.abc import Iterator

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.scene import Scene

# Their spans and pages tell what is free only with the layout of one release, which nothing in memory
# proves; jemalloc's does (`jemalloc_extents`).
_UNREAD = ("tcmalloc", "mimalloc")


def unread_allocators(scene: Scene, budget: Budget) -> Iterator[Usage]:  # noqa: ARG001  # there is nothing to do
    """Yield an unknown for each allocator that a process has and nobody reads."""
    for name in dict.fromkeys(held.owner.name for held in owned_ranges(scene, *_UNREAD)):
        yield Usage(
            owner=name, source="none", certainty="certain", partial=f"the records of {name} are not read"
        )
