"""The classes of blocks: of C++ objects by their first word, of CPython's by the address of their type."""

from collections.abc import Iterator, Sequence
from typing import Any

from vmdiff.leaks.reachable import BlockGraph, numpy
from vmdiff.owners import Scene
from vmdiff.owners.inside.cpython_types import Types
from vmdiff.owners.inside.cxx_classes import CxxClasses
from vmdiff.owners.machine_words import raw_each, unpacked
from vmdiff.owners.runtimes.cpython_runtime import interpreter

_MOST = 65_536  # first words, and Python objects, that are looked up
_HEAD = 48  # bytes of a block
_PLACES = (1, 3, 5)  # the words where the type of an object may be
_LOWEST = 0x10000  # addresses begin here (vm.mmap_min_addr)


class ClassNames:
    """The names of classes in one process."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._cxx = CxxClasses(scene)

    def of_blocks(self, graph: BlockGraph, where: Any) -> tuple[list[str | None], Any]:
        """Return the names, None first, and for each block at *where* the number of its name."""
        np = numpy()
        names, number_of = self._of_cxx(graph.first[where])
        unknown = np.nonzero(number_of == 0)[0][:_MOST]
        types = list(_python_types(self._scene, graph.starts[where[unknown]].tolist()))
        names += [name for name in dict.fromkeys(types) if name not in names]
        numbers = {name: number for number, name in enumerate(names)}
        number_of[unknown] = [numbers[name] for name in types] if types else 0
        return names, number_of

    def _of_cxx(self, first: Any) -> tuple[list[str | None], Any]:
        np = numpy()
        values, inverse, counts = np.unique(first, return_inverse=True, return_counts=True)
        low = np.array([start for start, _ in self._cxx.ranges], np.uint64)
        high = np.array([end for _, end in self._cxx.ranges], np.uint64)
        at = np.searchsorted(low, values, side="right") - 1
        likely = np.nonzero((at >= 0) & (values < high[np.maximum(at, 0)]))[0] if len(low) else at[:0]
        likely = likely[np.argsort(-counts[likely])][:_MOST]
        known = self._cxx.among(values[likely].tolist())
        names: list[str | None] = [None, *dict.fromkeys(known.values())]
        numbers = {name: number for number, name in enumerate(names)}
        number_of = np.zeros(len(values), np.int64)
        for index in likely.tolist():
            number_of[index] = numbers[known.get(int(values[index]))]
        return names, number_of[inverse]


def _python_types(scene: Scene, starts: Sequence[int]) -> Iterator[str | None]:
    """Yield the type of the object in each block, None where it holds none; nothing without CPython."""
    found = interpreter(scene) if starts else None
    root = None if found is None else found.symbols.get("PyType_Type")
    if root is None:
        return
    types = Types(scene, root)
    types.learn([root])
    heads = [unpacked(raw) for raw in raw_each(scene, starts, _HEAD)]
    types.learn({head[place] for head in heads for place in _PLACES if head and head[place] >= _LOWEST})
    for head in heads:
        yield next((name for place in _PLACES if head and (name := _name(types, head, place))), None)


def _name(types: Types, head: Sequence[int], place: int) -> str | None:
    """Return the name of the type that word *place* leads to, if the word before can be a reference count."""
    kind = types.known.get(head[place])
    is_object = kind is not None and kind.head == (place - 1) * 8 and 0 < head[place - 1] < 1 << 48
    return kind.name if kind is not None and is_object else None
