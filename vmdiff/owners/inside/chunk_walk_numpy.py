"""Go through the chunks of glibc's malloc with numpy: the same walk as `chunk_walk`, for 64 bits.

Chunks follow each other by their sizes, which is a chain. So memory is cut into rows of 64 places where a
chunk may begin. For every place of every row at once it is found where the chain that passes it leaves the
row, the last places first. What is left to do one by one is a step a row.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from vmdiff.owners.allocators.glibc_state import HeapSegment
from vmdiff.owners.inside.chunk_walk import FLAGS, PREV_INUSE, ChunkRange, ChunkWalk, HeaderWindow
from vmdiff.owners.inside.page_words import UnreadableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PLACES = 64  # a row; a place has the 16 bytes to which chunks are aligned
_ENDED = -1
_SMALL = 4096  # sizes below so many times 16 bytes are counted in an array


class NumpyChunkWalk(ChunkWalk):
    """A walk whose windows are arrays."""

    def _window(self, address: int, segment: HeapSegment) -> HeaderWindow:
        raw = self._read(address, segment)
        words: Any = np.frombuffer(raw, "<i8")
        headers = words[1::2]
        places: Any = np.flatnonzero(chain(headers))
        return HeaderWindow(address, headers[places], places * 2, words)

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        address, *arrays = window[:4]
        headers, offsets, before = (np.asarray(column) for column in arrays)
        self._count(address, headers, offsets)
        behind = np.flatnonzero(~headers & PREV_INUSE)
        if not len(behind):
            return []
        sizes = np.concatenate(([last], headers))[behind] & ~FLAGS
        ends = offsets[behind]
        if not np.array_equal(before[ends], sizes):
            raise UnreadableError(f"a free chunk behind {address:x} has two sizes")
        self.count.free.update(_counts(sizes))
        ends = address + ends * 8
        if self._beside:
            return self._yielded(sizes.tolist(), ends.tolist())
        wide = sizes >= self._wide
        return self._yielded(sizes[wide].tolist(), ends[wide].tolist())

    def _count(self, address: int, headers: "NDArray[np.int64]", offsets: "NDArray[np.int64]") -> None:
        sizes = headers[headers >= self._least] & ~FLAGS
        counted = _counts(sizes)
        self.count.chunks.update(counted)
        if not self._wanted.isdisjoint(counted):
            some = offsets[np.isin(headers & ~FLAGS, [*self._wanted])]
            self.count.suspects += (address + some * 8).tolist()


def _counts(sizes: "NDArray[np.int64]") -> dict[int, int]:
    """Count sizes, which are multiples of 16."""
    numbers = sizes >> 4
    small = np.bincount(numbers[numbers < _SMALL])
    counted = {int(number) * 16: int(small[number]) for number in np.flatnonzero(small)}
    others, counts = np.unique(sizes[numbers >= _SMALL], return_counts=True)
    return counted | dict(zip(others.tolist(), counts.tolist(), strict=True))


def chain(headers: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return which places chunks begin at, from the first on, by the word that is the header if one does.

    The last is the one that reaches beyond the end, or has no size.
    """
    count = len(headers)
    rows = -(-count // _PLACES)
    steps = np.zeros(rows * _PLACES, np.int32)
    np.clip(headers, 0, count * 16, out=steps[:count], casting="unsafe")
    steps >>= 4
    steps *= steps > 1  # else smaller than the smallest chunk
    table = np.ascontiguousarray(steps.reshape(rows, _PLACES).T)
    return _passed(table, _entries(table, _exits(table)))[:count]


def _exits(table: "NDArray[np.int32]") -> "NDArray[np.int32]":
    """Return for each place of each row where the chain leaves the row, in places from its start."""
    exits = np.empty_like(table)
    rows = np.arange(table.shape[1])
    for place in reversed(range(_PLACES)):
        after = table[place] + place
        inside = after < _PLACES
        exits[place] = np.where(inside, exits[np.minimum(after, _PLACES - 1), rows], after)
        exits[place][table[place] == 0] = _ENDED
    return exits


def _entries(table: "NDArray[np.int32]", exits: "NDArray[np.int32]") -> "NDArray[np.int32]":
    """Return for each row the place where the chain enters it, `_PLACES` if it passes over the row."""
    rows = table.shape[1]
    entries = np.full(rows, _PLACES, np.int32)
    view, flat, at = entries.data, exits.reshape(-1).data, 0
    while at < rows * _PLACES:
        row, place = divmod(at, _PLACES)
        view[row] = place
        out = flat[place * rows + row]
        if out == _ENDED:
            break
        at = row * _PLACES + out
    return entries


def _passed(table: "NDArray[np.int32]", entries: "NDArray[np.int32]") -> "NDArray[np.bool_]":
    """Return which places the chain passes, all rows at once, from where it enters each."""
    passed = np.zeros(table.shape[1] * _PLACES, np.bool_)
    rows = np.flatnonzero(entries < _PLACES)
    places = entries[rows]
    while len(rows):
        passed[rows * _PLACES + places] = True
        steps = table[places, rows]
        places = places + steps
        on = (steps > 0) & (places < _PLACES)
        rows, places = rows[on], places[on]
    return passed
