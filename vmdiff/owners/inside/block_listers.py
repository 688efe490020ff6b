"""Every reader that lists the blocks of an allocator one by one."""

from collections.abc import Callable, Iterator

from vmdiff.owners.inside.glibc_blocks import glibc_blocks
from vmdiff.owners.inside.used_blocks import UsedBlocks
from vmdiff.owners.scene import Scene

BlockLister = Callable[[Scene], UsedBlocks | None]

# One line an allocator, by the name of the owner of its memory; a lister returns None where it is not there.
LISTERS: dict[str, BlockLister] = {
    "malloc heap": glibc_blocks,
}


def used_blocks(scene: Scene) -> Iterator[UsedBlocks]:
    """Yield the blocks of each allocator of a process; the owners must be assigned."""
    for lister in LISTERS.values():
        found = lister(scene)
        if found is not None:
            yield found
