"""Every reader that lists the blocks of an allocator one by one."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from vmdiff.owners.inside.cpython_blocks import cpython_blocks
from vmdiff.owners.inside.glibc_blocks import glibc_blocks
from vmdiff.owners.inside.jemalloc_blocks import jemalloc_blocks
from vmdiff.owners.inside.musl_blocks import musl_blocks
from vmdiff.owners.inside.used_blocks import UsedBlocks
from vmdiff.owners.scene import Scene

BlockLister = Callable[[Scene], UsedBlocks | None]


def used_blocks(scene: Scene, bases: Sequence[int] = (), *, objects: bool = False) -> Iterator[UsedBlocks]:
    """Yield the blocks of each allocator of a process, and of runtimes' *objects*; owners must be assigned.

    *bases* are the addresses of the control blocks of threads, where registers told them. Runtimes cut memory
    of allocators, or of the kernel, into objects of their own.
    """
    # One line an allocator; a lister returns None where it is not there.
    allocators: list[BlockLister] = [
        glibc_blocks,
        partial(jemalloc_blocks, bases=bases),
        musl_blocks,
    ]
    runtimes: list[BlockLister] = [
        cpython_blocks,
    ]
    for lister in allocators + runtimes if objects else allocators:
        found = lister(scene)
        if found is not None:
            yield found
