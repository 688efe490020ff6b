"""What an allocator or runtime records about its own memory: in use, or freed and kept."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from vmdiff.model.frozen import Count, Frozen, Name
from vmdiff.model.mapping import Bytes, Text
from vmdiff.model.owner import Certainty

MOST_USAGES = 16_384  # an arena for each of the threads that a host may have
MOST_GROUPS = 65_536  # block sizes or types in one usage
NO_CLASS = "(no class)"  # the type of blocks that begin with no pointer to a C++ class's table

BlockSize = tuple[Bytes, Count, Count]
TypeCount = tuple[Name, Count, Bytes]


class Usage(Frozen):
    """The use of one allocator's or runtime's memory; bytes, None where unknown.

    *owner*, *label* and *tid* are those of the memory's `Owner`. *source* names the records that were
    read (``glibc 2.36 malloc_state and chunk headers``).

    Every byte that was walked is in exactly one of *in_use* (the program holds it), *free* (the program
    returned it, the allocator keeps it), *cached* (returned to a cache of one thread, such as glibc's
    tcache; counted as neither of the two) and *overhead* (the allocator's own records). *releasable* is
    the part of the resident memory of *free* that the allocator could return to the kernel now, in whole
    pages; *reserved* is address space that is set aside without memory behind it.

    *blocks* is how many blocks are in use. *sizes* has a (block size, blocks in use, free blocks) for each
    block size, ascending; *types* a (name, objects, bytes) for each type of object or context. Both are
    empty where nobody counted. *types_certainty* is "likely" where objects were recognised by how they look,
    "certain" where the program's own records name them. *partial* says why a figure is missing or may be off;
    None if none is.
    """

    owner: Name
    label: Text | None = None
    tid: Count | None = None
    source: Text
    certainty: Certainty
    in_use: Bytes | None = None
    free: Bytes | None = None
    cached: Bytes | None = None
    overhead: Bytes | None = None
    releasable: Bytes | None = None
    reserved: Bytes | None = None
    blocks: Count | None = None
    sizes: Annotated[tuple[BlockSize, ...], Field(max_length=MOST_GROUPS)] = ()
    types: Annotated[tuple[TypeCount, ...], Field(max_length=MOST_GROUPS)] = ()
    types_certainty: Certainty | None = None
    partial: Text | None = None

    @model_validator(mode="after")
    def _groups_are_distinct(self) -> Self:
        """Refuse a block size out of order, and a size or type that is named twice: sums would be wrong."""
        if any(low[0] >= high[0] for low, high in pairwise(self.sizes)):
            raise ValueError("the block sizes are not in ascending order")
        if len({name for name, _, _ in self.types}) != len(self.types):
            raise ValueError("a type is named twice")
        return self
