"""The blocks that an allocator has handed out, one by one: what the search for lost blocks works on."""

from array import array
from typing import NamedTuple

MOST_FREE = 4_000_000  # blocks in lists and caches that are followed, of one arena


class BlockRange(NamedTuple):
    """A stretch of memory that an allocator manages: blocks, free memory and its own records."""

    start: int
    end: int


class UsedBlocks(NamedTuple):
    """The blocks in use of one *allocator*: *starts* and *sizes* of what the program may write, in no order.

    *grounds* hold those blocks, free memory and records: what lies there outside of every block is nobody's
    data. *unread* says which memory could not be read, so that its blocks are not among these.
    """

    allocator: str
    starts: "array[int]"
    sizes: "array[int]"
    grounds: tuple[BlockRange, ...]
    unread: tuple[str, ...] = ()
