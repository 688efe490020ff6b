"""Count CPython's objects by type, with the buffers that belong to them.

Every block in use of a pool is looked at. It is an object if the word where its type belongs, by that very
type's flags, is the address of a type, and all else is as in such an object (`cpython_evidence`). What else
is in use (the tables of dicts, the items of lists) goes to the object that has its address. Facts:
Include/cpython/{listobject,dictobject,setobject,bytearrayobject}.h, Include/internal/pycore_dict.h of
CPython 3.9 to 3.14; numpy/core/include/numpy/ndarraytypes.h.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from vmdiff.owners.inside.cpython_buffers import Buffers
from vmdiff.owners.inside.cpython_evidence import BlockEvidence
from vmdiff.owners.inside.cpython_types import TypeObject, Types
from vmdiff.owners.inside.pool_view import PoolView
from vmdiff.owners.machine_words import raw_each
from vmdiff.owners.runtimes.cpython_records import Pool
from vmdiff.owners.runtimes.cpython_runtime import Interpreter

NO_OBJECT = "(no object)"
_TOGETHER = 256  # pools

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
        self._evidence = BlockEvidence(self.scene, interpreter.version)
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
            views += [PoolView.of(pool, raw) for pool, raw in zip(together, raws, strict=True)]
        found = [view for view in views if view is not None]
        self.whole = self.whole and len(found) == len(views)
        self.types.learn(self.buffers.outside({at for view in found for at in view.candidates()}))
        for view in found:
            self._count(view)

    def _count(self, view: PoolView) -> None:
        size = view.pool.size
        for place, column in view.columns.items():
            every = self._kinds(place, size)
            kinds = {at: every[at] for at in every.keys() & {*column}}
            if not kinds:
                continue
            found = self._evidence.objects(view, place, kinds)
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
