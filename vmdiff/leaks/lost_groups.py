"""Lost blocks by class and size: those that hold most first, since there is where to look."""

from functools import cached_property
from typing import Any

from vmdiff.leaks.class_names import ClassNames
from vmdiff.leaks.leak_report import LostAmount, LostGroup
from vmdiff.leaks.reachable import BlockGraph, LostBlocks, numpy
from vmdiff.model.usage import MOST_GROUPS
from vmdiff.owners import Scene


class LostGroups:
    """The lost blocks of one process by class and size.

    Of more groups than a document holds, those with most bytes are rows; the rest is `others`.
    """

    def __init__(self, scene: Scene, graph: BlockGraph, lost: LostBlocks, most: int = MOST_GROUPS) -> None:
        np = numpy()
        self._graph, self._lost = graph, lost
        where = np.nonzero(lost.which)[0]
        names, name_of = ClassNames(scene).of_blocks(graph, where)
        keys = np.stack([name_of.astype(np.uint64), graph.sizes[where]])
        found, number_of, counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
        order = np.argsort(-(counts * found[1].astype(np.int64)), kind="stable")
        self._names = [names[number] for number in found[0][order].tolist()]
        self._sizes, self._counts = found[1][order].tolist(), counts[order].tolist()
        rank = np.zeros(len(order), np.int64)
        rank[order] = np.arange(len(order))
        self._group_of = np.full(len(lost.which), -1)
        self._group_of[where] = rank[number_of.reshape(-1)]
        self._shown = min(len(order), most)

    def rows(self) -> tuple[LostGroup, ...]:
        """Return the groups: those with the largest trees first, then what only hangs from others."""
        found = [self._row(number) for number in range(self._shown)]
        return tuple(
            sorted(found, key=lambda one: (not one.roots, -(one.held.bytes if one.held else 0), -one.bytes))
        )

    def others(self) -> LostAmount | None:
        """Return what is in none of the rows; None if nothing is."""
        rest = range(self._shown, len(self._counts))
        if not rest:
            return None
        return LostAmount(
            blocks=sum(self._counts[number] for number in rest),
            bytes=sum(self._counts[number] * self._sizes[number] for number in rest),
        )

    def _row(self, number: int) -> LostGroup:
        size, blocks = self._sizes[number], self._counts[number]
        held = self._behind.get(number, (0, 0))
        return LostGroup(
            name=self._names[number],
            size=size,
            blocks=blocks,
            bytes=blocks * size,
            roots=len(self._tops.get(number, ())),
            held=LostAmount(blocks=held[0], bytes=held[1]),
        )

    @cached_property
    def _tops(self) -> dict[int, Any]:
        """The roots of lost trees by group."""
        np = numpy()
        tops = self._lost.tops()
        groups = self._group_of[tops]
        order = np.argsort(groups, kind="stable")
        borders = np.flatnonzero(np.diff(groups[order])) + 1
        parts = np.split(tops[order], borders) if len(tops) else []
        return {int(self._group_of[part[0]]): part for part in parts}

    @cached_property
    def _behind(self) -> dict[int, tuple[int, int]]:
        """Blocks and bytes that are lost with the roots of each group, the group with most roots first."""
        order = sorted(self._tops, key=lambda number: -len(self._tops[number]))
        found = self._lost.behind([self._tops[number] for number in order])
        sizes = self._graph.sizes
        return {
            number: (len(held), int(sizes[held].sum())) for number, held in zip(order, found, strict=True)
        }
