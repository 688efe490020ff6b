"""Which rows are too small to be worth a line of their own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from vmdiff.comparison.change import Counts
from vmdiff.report.view.figures import Column, value_of

_LEAST = 100  # a row below one part in so many of all movement is folded

Item = TypeVar("Item")


def set_apart_small(
    items: Sequence[Item], counts: Callable[[Item], Counts], sort: Column | None
) -> tuple[list[Item], list[Item]]:
    """Split rows into those worth a line and those below 1 %, each in its order.

    A row counts by what moved in memory (resident and swap, or private where that is more) and by its
    addresses: it is small only if it is in both; sorted by a counter, if it is in that one. One row alone
    is not folded, for the fold would take its line.
    """
    measures = [_measures(counts(item), sort) for item in items]
    gross = [sum(column) for column in zip(*measures, strict=True)]
    large: list[Item] = []
    small: list[Item] = []
    for item, measure in zip(items, measures, strict=True):
        folds = all(one * _LEAST < whole for one, whole in zip(measure, gross, strict=True) if whole)
        (small if folds and any(gross) else large).append(item)
    return (large, small) if len(small) > 1 else (list(items), [])


def _measures(counts: Counts, sort: Column | None) -> tuple[int, ...]:
    if sort is not None:
        return (abs(value_of(counts, sort.counter) or 0),)
    held = abs((value_of(counts, "rss") or 0) + (counts.get("swap") or 0))
    return max(held, abs(value_of(counts, "private") or 0)), abs(counts.get("size") or 0)
