"""CPython's own allocator: blocks in use and free by size, from its vector of arenas and its pools.

`arenas` is a vector of arena objects that the interpreter's variables point to. Each has the bounds of an
arena and how many of its pools are free; a pool begins with how many of its blocks are in use. No object
is read. The figures are those of `sys._debugmallocstats`. Facts: Objects/obmalloc.c and
Include/internal/pycore_obmalloc.h of CPython 3.7 to 3.14; the structures are the same in all of them, only
the sizes differ. A vector is believed if every object in it fits the others, and the pools carry the
numbers of their arenas.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vmdiff.owners.machine_words import raw_each
from vmdiff.owners.runtimes.cpython_runtime import Interpreter, holds_records
from vmdiff.owners.scene import Scene

# struct arena_object: address, pool_address, nfreepools, ntotalpools, freepools, nextarena, prevarena
_ARENA_OBJECT = struct.Struct("<QQIIQQQ")
_TOTAL, _TOTALS = slice(20, 24), {pools.to_bytes(4, "little") for pools in (63, 64)}
_FIRST_VECTOR = 16  # INITIAL_ARENA_OBJECTS; the vector doubles whenever it is full
_MOST_ARENAS = 1 << 20
_CANDIDATES = 1 << 16
_VECTOR = "vector of arenas"
_POOL_HEADER = 48
_POOL = struct.Struct("<I4xQ16xIIII")  # count, freeblock, arenaindex, szidx, nextoffset, maxnextoffset
_LAYOUTS = ((1 << 20, 16 << 10), (256 << 10, 4 << 10))  # of an arena and a pool: 3.10 and later, before
_ALIGNMENT = 16
_CLASSES = {16: 32, 8: 64}  # size classes up to 512 bytes, by alignment (8 before Python 3.7)


@dataclass(frozen=True, slots=True)
class Arena:
    """An arena of *size* bytes, cut into pools of *pool* bytes, carved from *first* up to *carved*."""

    index: int
    start: int
    size: int
    pool: int
    carved: int
    free_pools: int

    @property
    def first(self) -> int:
        """The address of the first pool: an arena is aligned to pages only."""
        return -(-self.start // self.pool) * self.pool

    @property
    def pools(self) -> int:
        """How many pools there are, carved or not."""
        return (self.start + self.size - self.first) // self.pool

    @property
    def places(self) -> range:
        """The addresses of the pools that have been carved."""
        return range(self.first, self.carved, self.pool)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool with blocks in use: *size* is that of a block, *free* heads the list of freed ones."""

    start: int
    length: int
    size: int
    used: int
    free: int
    carved: int  # blocks that were handed out at least once, from the first on

    @property
    def blocks(self) -> int:
        """How many blocks fit."""
        return (self.length - _POOL_HEADER) // self.size

    @property
    def first(self) -> int:
        """The address of the first block."""
        return self.start + _POOL_HEADER


def find_arenas(scene: Scene, interpreter: Interpreter) -> int | None:
    """Return the address of the vector of arenas that the interpreter's variables point to."""
    hint = interpreter.remembered(_VECTOR)
    if hint and arenas(scene, hint):
        return hint
    found = _searched(scene, interpreter)
    if found is not None:
        interpreter.remember(_VECTOR, found)
    return found


def _searched(scene: Scene, interpreter: Interpreter) -> int | None:
    # The first arena has what the interpreter made when it began, so it is there as long as the interpreter.
    places = interpreter.pointers()[:_CANDIDATES]
    heads = raw_each(scene, places, _ARENA_OBJECT.size)
    likely = (at for at, raw in zip(places, heads, strict=True) if raw and raw[_TOTAL] in _TOTALS)
    return next((at for at in likely if arenas(scene, at)), None)


def arenas(scene: Scene, vector: int) -> tuple[Arena, ...]:
    """Return the arenas of a vector that fits in every respect, none if it does not."""
    every = (_arenas(scene, vector, layout) for layout in _LAYOUTS)
    return next((tuple(found) for found in every if _numbered(scene, found)), ())


def _arenas(scene: Scene, vector: int, layout: tuple[int, int]) -> list[Arena]:
    found: list[Arena] = []
    first, count = 0, _FIRST_VECTOR
    while count <= _MOST_ARENAS:
        more = _part(scene, vector, range(first, count), layout)
        if more is None:
            break
        found += more
        first, count = count, count * 2
    return found


def _part(scene: Scene, vector: int, indices: range, layout: tuple[int, int]) -> list[Arena] | None:
    """Return the arenas among the objects with *indices*; None if one does not fit."""
    raw = scene.read(vector + indices.start * _ARENA_OBJECT.size, len(indices) * _ARENA_OBJECT.size)
    found = []
    for index, place in zip(indices, range(0, len(raw or b""), _ARENA_OBJECT.size), strict=False):
        arena = _sound(scene, vector, index, (raw or b"")[place:], layout)
        if arena is None:
            return None
        if arena.start:
            found.append(arena)
    return None if raw is None else found


def _sound(scene: Scene, vector: int, index: int, raw: bytes, layout: tuple[int, int]) -> Arena | None:
    """Return the arena that an object describes (at 0 if it has none), None if it is no arena object."""
    start, carved, free, total, pools, after, _ = _ARENA_OBJECT.unpack_from(raw)
    size, pool = layout
    arena = Arena(index, start, size, pool, carved, free)
    if start == 0:
        place = after - vector
        inside = place % _ARENA_OBJECT.size == 0 and 0 <= place < _MOST_ARENAS * _ARENA_OBJECT.size
        return arena if not after or inside else None
    fits = (
        start % scene.page_size == 0
        and free <= total == arena.pools
        and carved % pool == 0
        and arena.first <= carved <= arena.first + total * pool
        and (pools == 0 or (pools % pool == 0 and arena.first <= pools < carved))
        and all((held := scene.at(at)) and holds_records(held) for at in (start, start + size - 1))
    )
    return arena if fits else None


def _numbered(scene: Scene, found: Sequence[Arena]) -> bool:
    """Return whether the first pool of every arena, if it is carved, fits the arena."""
    carved = [arena for arena in found if arena.carved > arena.first]
    heads = raw_each(scene, [arena.first for arena in carved], _POOL_HEADER)
    return bool(carved) and all(
        raw is not None and _belongs(arena, _POOL.unpack_from(raw))
        for arena, raw in zip(carved, heads, strict=True)
    )


def _belongs(arena: Arena, header: tuple[int, ...]) -> bool:
    _, _, index, kind, _, last = header
    sizes = {(kind + 1) * alignment for alignment, classes in _CLASSES.items() if kind < classes}
    return index == arena.index and arena.pool - last in sizes


def pools(scene: Scene, arena: Arena) -> list[Pool] | None:
    """Return the pools of an arena that have blocks in use; None if their headers do not fit the arena.

    That as many pools are free as the arena says proves that all belong to one moment.
    """
    heads = raw_each(scene, arena.places, _POOL_HEADER)
    found = []
    for start, raw in zip(arena.places, heads, strict=True):
        pool = None if raw is None else _pool(start, arena, raw)
        if pool is None:
            return None
        if pool.used:
            found.append(pool)
    return found if arena.pools - len(found) == arena.free_pools else None


def _pool(start: int, arena: Arena, raw: bytes) -> Pool | None:
    header = count, free, _, kind, offset, _ = _POOL.unpack_from(raw)
    size = (kind + 1) * _ALIGNMENT
    if count == 0:
        return replace(_EMPTY, start=start)
    fits = (
        _belongs(arena, header)
        and _POOL_HEADER < offset <= arena.pool
        and (offset - _POOL_HEADER) % size == 0
        and count * size <= offset - _POOL_HEADER
        and (free == 0 or start < free < start + arena.pool)
    )
    return Pool(start, arena.pool, size, count, free, (offset - _POOL_HEADER) // size) if fits else None


_EMPTY = Pool(0, _POOL_HEADER, _ALIGNMENT, 0, 0, 0)
