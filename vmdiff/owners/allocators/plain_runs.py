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
        low, high = mapping.start, mapping.end
        if low != reach:
            if live:
                found.append(PlainRun(start, reach))
            start, live = low, False
        reach = high
        live = live or low in touched
    if live:
        found.append(PlainRun(start, reach))
    return list(gaps(found, scene.settled.ranges))


def gaps(runs: Sequence[PlainRun], taken: Sequence[tuple[int, int]]) -> Iterator[PlainRun]:
    """Yield what is left of *runs* without the *taken* ranges; both are in address order and disjoint."""
    at = 0
    for run in runs:
        low, end = run
        while at < len(taken) and taken[at][1] <= low:
            at += 1
        if at == len(taken) or taken[at][0] >= end:
            yield run
            continue
        while at < len(taken) and taken[at][0] < end:
            start, reach = taken[at]
            if low < start:
                yield PlainRun(low, start)
            low = max(low, reach)
            if reach > end:
                break
            at += 1
        if low < end:
            yield PlainRun(low, end)
