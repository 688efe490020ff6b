"""Figures and their columns: which are shown, how they are added up and ordered."""

import sys
from collections import abc
from collections.abc import Callable, Iterable
from typing import NamedTuple

from vmdiff.comparison.change import Counts
from vmdiff.comparison.totals import Total
from vmdiff.errors import ConditionError
from vmdiff.model import add
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions

NARROW = 100  # columns of text below which three figures a row are enough

Totals = abc.Mapping[str, Total]


class Column(NamedTuple):
    """A column of figures: what it is called, and the counter it shows."""

    name: str
    counter: str


VIRTUAL = Column("virtual", "size")
RESIDENT = Column("resident", "rss")
PRIVATE = Column("private", "private")
SWAP = Column("swap", "swap")
HEADLINE = (VIRTUAL, RESIDENT, PRIVATE, SWAP)

# Figures that are sums of the kernel's counters.
SUMS = {"private": ("private_clean", "private_dirty")}


class Cell(NamedTuple):
    """A figure in bytes (None: unknown) and how it is written; zero is blank."""

    value: int | None
    text: str


def value_of(counts: Counts, counter: str) -> int | None:
    """Give a counter, or a figure such as ``private`` that is a sum of some; None where unknown."""
    if parts := SUMS.get(counter):
        return add(counts.get(part) for part in parts)
    return counts.get(counter)


def columns_of(
    totals: Totals, options: ViewOptions, *, partly: abc.Set[str] = frozenset()
) -> tuple[Column, ...]:
    """Choose the columns: what is known, swap where there is any, and what is sorted by.

    *partly* are counters that some rows know although their total is unknown.
    """
    sort = sort_column(totals, options)
    columns = [column for column in HEADLINE if _speaks(totals, column, partly)]
    if sort is not None and sort not in columns:
        columns.append(sort)
    spare = [column for column in (PRIVATE, SWAP) if column in columns and column != sort]
    while options.width < NARROW and len(columns) > 3 and spare:
        columns.remove(spare.pop(0))
    return tuple(columns)


def _speaks(totals: Totals, column: Column, partly: abc.Set[str]) -> bool:
    """Say whether the column is known, and whether it says anything."""
    names = SUMS.get(column.counter, (column.counter,))
    parts = {name: totals.get(name, Total(None, None)) for name in names}
    if any(part.delta is None and name not in partly for name, part in parts.items()):
        return False
    return column != SWAP or any(part.before != 0 or part.after != 0 for part in parts.values())


def sort_column(totals: Totals, options: ViewOptions) -> Column | None:
    """Give the column to sort by, None for the usual order or that of the addresses."""
    wanted = options.sort
    if wanted is None or wanted == "address":
        return None
    for column in HEADLINE:
        if wanted in column:
            return column
    if wanted not in totals:
        known = ", ".join(dict.fromkeys([*(column.name for column in HEADLINE), "address", *totals]))
        raise ConditionError(f"no counter {wanted!r} to sort by; there are {known}")
    return Column(wanted.replace("_", " "), wanted)


def figures_of(
    columns: Iterable[Column], value: Callable[[str], int | None], *, sign: bool
) -> tuple[Cell, ...]:
    """Give the cells of a row, *value* telling the figure of each counter."""
    figures = (value(column.counter) for column in columns)
    return tuple(Cell(figure, wording.cell(figure, sign=sign)) for figure in figures)


def weight(delta: Counts, first: str | None = None) -> tuple[int, ...]:
    """Give the key that sorts deltas as the command line promises, largest first."""
    held = abs((delta.get("rss") or 0) + (delta.get("swap") or 0))
    usual = (-held, -abs(delta.get("accessible") or 0), -abs(delta.get("size") or 0))
    return usual if first is None else (-abs(value_of(delta, first) or 0), *usual)


def largest(counts: Counts, sort: Column | None) -> int:
    """Give what a row's size is measured by: the counter sorted by, else its largest figure."""
    counters = [sort.counter] if sort else [column.counter for column in HEADLINE]
    return max(abs(value_of(counts, counter) or 0) for counter in counters)


def row_limit(options: ViewOptions) -> int:
    """Give the number of rows before the rest is folded."""
    return sys.maxsize if options.show_all or options.rows is None else options.rows
