"""Stretches of plain memory, whatever the kernel merged into one mapping or split into several."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.scene import Scene


class PlainRun(NamedTuple):
    """A range of private anonymous memory without holes that no earlier rule settled."""

    start: int
    end: int


def plain_runs(scene: Scene) -> list[PlainRun]:
    """Return the runs that have pages in memory or in swap, in address order.

    Mappings that touch are one run: ``madvise`` cuts a block in two, neighbours with equal flags become one.
    """
    touched = {mapping.start for mapping in scene.touched}
    found: list[PlainRun] = []
    start = reach = 0
    live = False
    for mapping in scene.plain:
        if mapping.start != reach:
            if live:
                found += _unsettled(scene, start, reach)
            start, live = mapping.start, False
        reach = mapping.end
        live = live or mapping.start in touched
    if live:
        found += _unsettled(scene, start, reach)
    return found


def _unsettled(scene: Scene, start: int, end: int) -> Iterator[PlainRun]:
    """Cut out what earlier rules settled."""
    while start < end:
        settled = scene.settled.end_at(start)
        if settled is None:
            limit = min(scene.settled.next_start(start) or end, end)
            yield PlainRun(start, limit)
            start = limit
        else:
            start = settled


def gaps(runs: Sequence[PlainRun], taken: Sequence[tuple[int, int]]) -> Iterator[PlainRun]:
    """Yield what is left of *runs* without the *taken* ranges; both are in address order and disjoint."""
    at = 0
    for start, end in runs:
        low = start
        while at < len(taken) and taken[at][0] < end:
            if low < taken[at][0]:
                yield PlainRun(low, taken[at][0])
            low = max(low, taken[at][1])
            at += 1
        if low < end:
            yield PlainRun(low, end)
