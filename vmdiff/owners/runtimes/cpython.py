"""The arenas of CPython's own allocator, by the headers of their pools (Objects/obmalloc.c).

Arenas are 256 KiB of 4 KiB pools up to Python 3.9 and 1 MiB of 16 KiB pools since. Their start is
aligned to pages only, pools to their size, so the first pool may begin up to three pages later.
Pools are carved from the bottom up; those not carved yet are untouched. Free-threaded builds use
mimalloc instead.
"""

import re
import struct

from vmdiff.model import Kind
from vmdiff.owners.block_headers import FoundBlock, Peek
from vmdiff.owners.scene import Scene

ARENA = "python arena"
_SIZES = ((16 << 10, 1 << 20), (4 << 10, 256 << 10))  # of a pool and an arena

# struct pool_header: count, freeblock, nextpool, prevpool, arenaindex, szidx, nextoffset, maxnextoffset
_POOL = struct.Struct("<I4x3Q4I")
_CLASSES = {16: 32, 8: 64}  # size classes up to 512 bytes, by alignment (8 before Python 3.7)
_LARGEST_INDEX = 1 << 24
_PYTHON = re.compile(r"python|\.cpython-")


def is_python(scene: Scene) -> bool:
    """Tell whether an interpreter, its library or an extension module is mapped."""
    paths = {mapping.path for mapping in scene.mappings if mapping.kind is Kind.IMAGE}
    return any(_PYTHON.search((path or "").rpartition("/")[2]) for path in paths)


def arena(peek: Peek, address: int) -> FoundBlock | None:
    """Recognise an arena: wherever a pool of it is looked at, it has a header of this arena or none yet."""
    for pool, size in _SIZES:
        if address + size > peek.end or peek.word != 8:
            continue
        first = -(-address // pool) * pool
        index = _index(peek.at(first), pool)
        if index is None:
            continue
        count = (address + size - first) // pool
        if all(_belongs(peek, first + n * pool, pool, index) for n in (1, count // 2, count - 1)):
            return FoundBlock(address, address + size, ARENA)
    return None


def _belongs(peek: Peek, address: int, pool: int, index: int) -> bool:
    head = peek.at(address)
    return head is not None and (not any(head[: _POOL.size]) or _index(head, pool) == index)


def _index(head: bytes | None, pool: int) -> int | None:
    """Give the number of the arena that a pool header names, None if this is no pool header."""
    if head is None or len(head) < _POOL.size:
        return None
    count, free, after, before, index, kind, offset, last = _POOL.unpack_from(head)
    for alignment, classes in _CLASSES.items():
        size = (kind + 1) * alignment
        if (
            kind < classes
            and last == pool - size
            and count <= (pool - _POOL.size) // size
            and _POOL.size < offset <= last + size
            and (offset - _POOL.size) % size == 0
            and index < _LARGEST_INDEX
            and not (free | after | before) % 8
        ):
            return int(index)
    return None
