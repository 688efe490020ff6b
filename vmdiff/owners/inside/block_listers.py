"""Every reader that lists the blocks of an allocator one by one."""

from collections.abc import Callable, Iterator, Sequence

from vmdiff.owners.inside.cpython_blocks import cpython_blocks
from vmdiff.owners.inside.glibc_blocks import glibc_blocks
from vmdiff.owners.inside.jemalloc_blocks import jemalloc_blocks
from vmdiff.owners.inside.musl_blocks import musl_blocks
from vmdiff.owners.inside.used_blocks import UsedBlocks
from vmdiff.owners.scene import Scene

BlockLister = Callable[[Scene, Sequence[int]], UsedBlocks | None]

# One line an allocator, by the name of the owner of its memory; a lister returns None where it is not there.
LISTERS: dict[str, BlockLister] = {
    "malloc heap": glibc_blocks,
    "jemalloc": jemalloc_blocks,
    "musl heap": musl_blocks,
}


# The same for runtimes that cut memory of these, or of the kernel, into objects of their own.
OBJECT_LISTERS: dict[str, BlockLister] = {
    "cpython arena": cpython_blocks,
}


def used_blocks(scene: Scene, bases: Sequence[int] = (), *, objects: bool = False) -> Iterator[UsedBlocks]:
    """Yield the blocks of each allocator of a process, and of runtimes' *objects*; owners must be assigned.

    *bases* are the addresses of the control blocks of threads, where registers told them.
    """
    for lister in (LISTERS | OBJECT_LISTERS if objects else LISTERS).values():
        found = lister(scene, bases)
        if found is not None:
            yield found
