"""The classes of blocks: of C++ objects, by their first word."""

from typing import Any

from vmdiff.leaks.reachable import BlockGraph, numpy
from vmdiff.owners import Scene
from vmdiff.owners.inside.cxx_classes import CxxClasses

_MOST = 65_536  # first words that are looked up


class ClassNames:
    """The names of classes in one process."""

    def __init__(self, scene: Scene) -> None:
        self._cxx = CxxClasses(scene)

    def of_blocks(self, graph: BlockGraph, where: Any) -> tuple[list[str | None], Any]:
        """Return the names, None first, and for each block at *where* the number of its name."""
        np = numpy()
        values, inverse, counts = np.unique(graph.first[where], return_inverse=True, return_counts=True)
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
