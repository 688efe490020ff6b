"""Stretches of plain memory, whatever the kernel merged into one mapping or split into several."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import attrgetter, ne
from typing import NamedTuple

from vmdiff.owners.scene import Scene

_BATCH = 4096  # places that are read together
_START, _END = attrgetter("start"), attrgetter("end")


class PlainRun(NamedTuple):
    """A range of private anonymous memory without holes that no earlier rule settled."""

    start: int
    end: int


def plain_runs(scene: Scene, least: int = 0, limit: int = 1 << 64) -> list[PlainRun]:
    """Return the runs that have pages in memory or in swap and *least* bytes or more, less than *limit*.

    They are in address order. Mappings that touch are one run: ``madvise`` cuts a block in two, neighbours
    with equal flags become one. What is settled of a run is left out after its length was looked at.
    """
    touched = list(map(_START, scene.touched))
    found = (PlainRun(low, high) for low, high in _touching(scene) if least <= high - low < limit)
    return list(gaps([run for run in found if _has_one(touched, run)], scene.settled.ranges))


def _touching(scene: Scene) -> Iterable[tuple[int, int]]:
    """Return where plain mappings that touch begin and end, without a loop: there may be thousands."""
    starts, ends = list(map(_START, scene.plain)), list(map(_END, scene.plain))
    begins = [*map(ne, starts, (None, *ends)), True]
    return zip(compress(starts, begins), compress(ends, begins[1:]), strict=True)


def _has_one(addresses: Sequence[int], run: PlainRun) -> bool:
    """Return whether one of the addresses, which ascend, lies in a run."""
    at = bisect_left(addresses, run.start)
    return at < len(addresses) and addresses[at] < run.end


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


def heads(scene: Scene, step: int, length: int, most: int) -> Iterator[tuple[int, bytes]]:
    """Yield the multiples of *step* in plain memory, *most* of them, each with the *length* bytes there."""
    left = most
    for run in plain_runs(scene) if scene.memory else ():
        first = -(-run.start // step) * step
        for low in range(first, run.end, step * _BATCH):
            places = range(low, min(run.end, low + step * min(_BATCH, left)), step)
            left -= len(places)
            raws = scene.memory.read_many(places, length) if scene.memory else []
            yield from ((place, raw) for place, raw in zip(places, raws, strict=True) if raw)
            if left <= 0:
                return


def joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Join ranges in address order that touch; yield the bounds and the number of each stretch."""
    start = reach = count = 0
    for low, high in ranges:
        if low != reach:
            if count:
                yield start, reach, count
            start, count = low, 0
        reach, count = high, count + 1
    if count:
        yield start, reach, count
