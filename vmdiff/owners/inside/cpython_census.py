"""Count CPython's objects by type, with the buffers that belong to them.

Every block in use of a pool is looked at. It is an object if the word where its type belongs, by that very
type's flags, is the address of a type, the word before can be a reference count, and the block has the size
that such an object takes. What else is in use (the tables of dicts, the items of lists) goes to the object
that has its address. Facts: Include/cpython/{listobject,dictobject,setobject,bytearrayobject}.h,
Include/internal/pycore_dict.h of CPython 3.9 to 3.14; numpy/core/include/numpy/ndarraytypes.h.
"""

from collections import Counter, abc
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from vmdiff.owners.inside.cpython_buffers import Buffers
from vmdiff.owners.inside.cpython_types import TypeObject, Types
from vmdiff.owners.machine_words import raw_each
from vmdiff.owners.runtimes.cpython_arenas import Pool
from vmdiff.owners.runtimes.cpython_runtime import Interpreter

NO_OBJECT = "(no object)"
_HEADER_WORDS = 6
_TOGETHER = 256  # pools
_PLACES = (1, 3, 5)  # the words of a block where a type may be
_OVERFLOW = 0xFFFF << 32  # never set in a reference count, always in an address of user space above 4 GiB
_COUNT = _STATE = 0xFFFFFFFF
_LOWEST = 0x10000  # addresses begin here (vm.mmap_min_addr)

Row = tuple[str, int, int]


class Census(NamedTuple):
    """Rows of (name, objects, bytes), the largest first."""

    rows: tuple[Row, ...]
    whole: bool


def census(interpreter: Interpreter, pools: Sequence[Pool]) -> Census:
    """Count the objects in *pools*; not whole if a pool could not be read or had changed."""
    counting = _Counting(interpreter, pools)
    for first in range(0, len(pools), _TOGETHER):
        counting.add(pools[first : first + _TOGETHER])
    return Census(tuple(counting.rows()), counting.whole)


class _Counting:
    """The sums while pools are looked at."""

    def __init__(self, interpreter: Interpreter, pools: Sequence[Pool]) -> None:
        self.scene = interpreter.scene
        self.types = Types(self.scene, interpreter.symbols["PyType_Type"])
        self.types.learn([self.types.root])
        self.buffers = Buffers(self.scene, pools, interpreter.version)
        self.objects: Counter[int] = Counter()
        self.bytes: Counter[int] = Counter()
        self.in_use = sum(pool.used * pool.size for pool in pools)
        self.blocks = sum(pool.used for pool in pools)
        self.whole = True
        self._belonging: dict[tuple[int, int], tuple[int, dict[int, TypeObject]]] = {}

    def add(self, pools: Sequence[Pool]) -> None:
        """Count what is in some pools."""
        views = []
        for length, some in groupby(pools, key=lambda pool: pool.length):
            together = [*some]
            raws = raw_each(self.scene, [pool.start for pool in together], length)
            views += [_View.of(pool, raw) for pool, raw in zip(together, raws, strict=True)]
        found = [view for view in views if view is not None]
        self.whole = self.whole and len(found) == len(views)
        self.types.learn(self.buffers.outside({at for view in found for at in view.candidates()}))
        for view in found:
            self._count(view)

    def _count(self, view: "_View") -> None:
        size = view.pool.size
        for place, column in view.columns.items():
            every = self._kinds(place, size)
            kinds = {at: every[at] for at in every.keys() & {*column}}
            if not kinds:
                continue
            found = view.objects(place, kinds)
            view.taken.update(found)
            for at, count in Counter([column[index] for index in found]).items():
                self.objects[at] += count
                self.bytes[at] += count * size
            for at, kind in kinds.items():
                if self.buffers.wanted(kind):
                    self.buffers.note(at, kind, view, [index for index in found if column[index] == at])

    def _kinds(self, place: int, size: int) -> dict[int, TypeObject]:
        """Return the known types that word *place* of blocks of *size* bytes can name."""
        seen, kinds = self._belonging.get((place, size), (0, {}))
        if seen != len(self.types.found):
            fitting = self.types.found.items()
            kinds = {at: kind for at, kind in fitting if kind.head == (place - 1) * 8 and kind.fits(size)}
            self._belonging[place, size] = len(self.types.found), kinds
        return kinds

    def rows(self) -> Iterator[Row]:
        """Yield the sums by name, the largest first, and last what no object was seen to have."""
        pooled = Counter(self.buffers.settle())
        names: dict[str, list[int]] = {}
        for at, count in self.objects.items():
            kind = self.types.known[at]
            row = names.setdefault(kind.name if kind else "", [0, 0])
            row[0] += count
            row[1] += self.bytes[at] + pooled[at]
        ordered = sorted(names.items(), key=lambda item: (-item[1][1], item[0]))
        yield from ((name, count, size) for name, (count, size) in ordered)
        rest = self.in_use - sum(self.bytes.values()) - self.buffers.pooled
        yield NO_OBJECT, self.blocks - sum(self.objects.values()) - self.buffers.pooled_blocks, max(rest, 0)


class _View:
    """The blocks in use of a pool, as columns of words."""

    def __init__(self, pool: Pool, words: memoryview, free: Iterable[int]) -> None:
        self.pool, self.words = pool, words
        self.stride = pool.size // 8
        self.end = _HEADER_WORDS + pool.carved * self.stride
        self.taken = {*free}
        places = [place for place in _PLACES if place < self.stride]
        self.columns = {place: self.column(place) for place in places}

    @classmethod
    def of(cls, pool: Pool, raw: bytes | None) -> "_View | None":
        """Return the view of a pool; None if its list of free blocks is not what its header says."""
        if raw is None:
            return None
        words = memoryview(raw).cast("Q")
        free = _free_blocks(pool, words)
        return None if free is None else cls(pool, words, free)

    def column(self, place: int) -> list[int]:
        """Return word *place* of every block that was handed out at least once."""
        return self.words[_HEADER_WORDS + place : self.end : self.stride].tolist()

    def candidates(self) -> set[int]:
        """Return what may be addresses of types."""
        return {value for column in self.columns.values() for value in {*column} if value >= _LOWEST}

    def address(self, index: int) -> int:
        """Return the address of a block."""
        return self.pool.first + index * self.pool.size

    def objects(self, place: int, kinds: abc.Mapping[int, TypeObject]) -> list[int]:
        """Return which blocks are objects of *kinds*, the address of which is their word *place*."""
        column, taken = self.columns[place], self.taken
        found = [
            index
            for index, (count, at) in enumerate(zip(self.column(place - 1), column, strict=True))
            if at in kinds and count & _COUNT and not count & _OVERFLOW and index not in taken
        ]
        counted = {at for at, kind in kinds.items() if kind.counted}
        if not counted or place + 1 >= self.stride:
            return found
        words = self._words_of_size(place, kinds)
        misfits = {
            (at, said)
            for at, said in {(column[index], words[index]) for index in found if column[index] in counted}
            if not kinds[at].fits_with(self.pool.size, *said)
        }
        return [n for n in found if (column[n], words[n]) not in misfits] if misfits else found

    def _words_of_size(self, place: int, kinds: abc.Mapping[int, TypeObject]) -> list[tuple[int, int]]:
        """Return of every block the words that would tell an object's size: one, and a text's second."""
        after = self.column(place + 1)
        if place + 3 < self.stride and any(kind.is_text for kind in kinds.values()):
            return [(n, state & _STATE) for n, state in zip(after, self.column(place + 3), strict=True)]
        return [(word, 0) for word in after]


def _free_blocks(pool: Pool, words: memoryview) -> list[int] | None:
    """Follow the list of freed blocks; None unless it has as many as are not in use."""
    found: list[int] = []
    at = pool.free
    for _ in range(pool.carved - pool.used):
        index, rest = divmod(at - pool.first, pool.size)
        if rest or not 0 <= index < pool.carved:
            return None
        found.append(index)
        at = words[(at - pool.start) // 8]
    return found if at == 0 and len({*found}) == len(found) else None
