"""The buffers of CPython's objects: tables, items of lists, instances' values, numpy's data."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Protocol

from vmdiff.owners.inside.cpython_types import TypeObject
from vmdiff.owners.machine_words import raw_each, unpacked, words
from vmdiff.owners.runtimes.cpython_records import Pool
from vmdiff.owners.runtimes.cpython_runtime import holds_records
from vmdiff.owners.scene import Scene

_KEYS = 32
_OWNS_DATA = 4  # NPY_ARRAY_OWNDATA
_MOST_DIMENSIONS = 64
_LARGEST = 1 << 46
_SEPARATE_VALUES = {(3, 11): 0, (3, 12): 1}  # the word of a block that points to an instance's values
_WORDS = {"list": 5, "dict": 6, "set": 6, "frozenset": 6, "bytearray": 6, "numpy.ndarray": 9}


class Blocks(Protocol):
    """The blocks of a pool, as columns of words."""

    @property
    def stride(self) -> int:
        """The words of a block."""

    def column(self, place: int) -> list[int]:
        """Return word *place* of every block."""

    def address(self, index: int) -> int:
        """Return the address of a block."""


class Buffers:
    """Which buffers were seen to belong to objects of which type; each counts once."""

    def __init__(self, scene: Scene, pools: Sequence[Pool], version: tuple[int, int] | None) -> None:
        self._scene = scene
        self._version = version or (3, 0)
        self._length = pools[0].length if pools else 1
        self._sizes = {pool.start: pool.size for pool in pools}
        self._seen: set[int] = set()
        self._keys: dict[int, int] = {}
        self._arrays: list[tuple[int, int, int, int, int]] = []
        self._bytes: Counter[int] = Counter()
        self.pooled = self.pooled_blocks = 0

    def outside(self, addresses: Iterable[int]) -> list[int]:
        """Return those addresses that are not in a pool in use: no type object is small enough for one."""
        length, sizes = self._length, self._sizes
        return [at for at in addresses if at - at % length not in sizes]

    def wanted(self, kind: TypeObject) -> bool:
        """Return whether objects of a type point to buffers that are known here."""
        return kind.layout is not None or (kind.managed and self._version in _SEPARATE_VALUES)

    def note(self, kind_at: int, kind: TypeObject, blocks: Blocks, indices: Sequence[int]) -> None:
        """Note what the objects of a type in some *blocks* of a pool point to."""
        first = kind.head // 8  # the word with the reference count
        if kind.managed and self._version in _SEPARATE_VALUES:
            values = blocks.column(_SEPARATE_VALUES[self._version])
            for index in indices:
                self._take(kind_at, values[index] + (values[index] & 1), 0)  # tagged with 1 in 3.12
        if kind.layout is None or first + _WORDS[kind.layout] > blocks.stride:
            return
        if kind.layout == "dict":
            for keys in _picked(blocks, first + 4, indices):
                self._keys.setdefault(keys, kind_at)
        if kind.layout == "numpy.ndarray":
            self._note_arrays(kind_at, first, blocks, indices)
        else:
            for at, size in _sized(kind.layout, first, blocks, indices):
                self._take(kind_at, at, size)

    def _note_arrays(self, kind_at: int, first: int, blocks: Blocks, indices: Sequence[int]) -> None:
        data, count, shape, steps, flags = (blocks.column(first + place) for place in (2, 3, 4, 5, 8))
        self._arrays += [
            (kind_at, data[n], count[n] & 0xFFFFFFFF, shape[n], steps[n])
            for n in indices
            if flags[n] & _OWNS_DATA and data[n]
        ]

    def _take(self, kind_at: int, at: int, size: int) -> None:
        """Count a buffer: one in a pool takes a block, one of malloc's *size* bytes."""
        if not at or at in self._seen:
            return
        self._seen.add(at)
        block = self._sizes.get(at - at % self._length)
        if block is not None:
            self.pooled += block
            self.pooled_blocks += 1
            self._bytes[kind_at] += block
        elif 0 < size < _LARGEST and (held := self._scene.at(at)) and holds_records(held):
            self._bytes[kind_at] += size

    def settle(self) -> dict[int, int]:
        """Look up the sizes that only the buffers themselves tell; return the bytes by type."""
        places = [*self._keys]
        for at, raw in zip(places, raw_each(self._scene, places, _KEYS), strict=True):
            if raw:
                self._take(self._keys[at], at, self._keys_size(raw))
        for kind_at, at, count, shape, steps in self._arrays:
            self._take(kind_at, at, self._array_size(count, shape, steps))
        self._keys, self._arrays = {}, []
        return dict(self._bytes)

    def _keys_size(self, raw: bytes) -> int:
        """Return the bytes of the keys of a dict (PyDictKeysObject)."""
        if self._version >= (3, 11):
            log2_size, log2_indices, kind = raw[8:11]
            if log2_size > 40 or log2_indices > 44:
                return 0
            return 32 + (1 << log2_indices) + ((1 << log2_size) * 2 // 3) * (24 if kind == 0 else 16)
        size = unpacked(raw)[1]
        if size > _LARGEST:
            return 0
        width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4 if size <= 0xFFFFFFFF else 8
        return 40 + size * width + (size * 2 // 3) * 24

    def _array_size(self, count: int, shape: int, steps: int) -> int:
        """Return the bytes of the data of an array, by its dimensions and strides: it lies in one piece."""
        if not 0 < count <= _MOST_DIMENSIONS:
            return 0
        lengths, strides = words(self._scene, shape, count), words(self._scene, steps, count)
        if not lengths or not strides or not prod(lengths):
            return 0
        return max(length * stride for length, stride in zip(lengths, strides, strict=True))


def _picked(blocks: Blocks, place: int, indices: Sequence[int]) -> list[int]:
    column = blocks.column(place)
    return [column[index] for index in indices]


def _sized(layout: str, first: int, blocks: Blocks, indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield address and size of the buffers of objects that themselves tell both."""
    three, four, five = (_picked(blocks, first + place, indices) for place in (3, 4, 5))
    if layout == "list":
        yield from ((items, room * 8) for items, room in zip(three, four, strict=True))
    elif layout == "dict":
        yield from ((values, 0) for values in five)  # of a dict that shares its keys: in a pool
    elif layout == "bytearray":
        yield from zip(four, three, strict=True)
    else:  # a set; a small one has its table in itself
        for index, mask, table in zip(indices, four, five, strict=True):
            if not 0 <= table - blocks.address(index) < blocks.stride * 8:
                yield table, (mask + 1) * 16
