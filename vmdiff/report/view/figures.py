"""Figures and their columns: which are shown, how they are added up and ordered."""

import sys
from collections import abc
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from vmdiff.comparison.change import Counts
from vmdiff.errors import ConditionError
from vmdiff.model import memory_figures
from vmdiff.model.memory_figures import figure_of_two
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions

NARROWEST_NAME = 32  # columns of text that a name and its permissions need beside the figures
_FIGURE = 11  # columns that a figure takes, with the gap before it
_VISIBLE = 10  # a tenth: PSS that differs less from RSS says nothing new
_NOTEWORTHY = 1 << 20  # bytes


class Column(NamedTuple):
    """A column of figures: what it is called, and the counter it shows."""

    name: str
    counter: str


VIRTUAL = Column("virtual", "size")
RESIDENT = Column("resident", "rss")
PRIVATE = Column("private", "private")
SHARE = Column("pss", "pss")
SWAP = Column("swap", "swap")
HEADLINE = (VIRTUAL, RESIDENT, PRIVATE, SWAP)
_COLUMNS = (VIRTUAL, RESIDENT, PRIVATE, SHARE, SWAP)
_FIRST_TO_GO = (SHARE, PRIVATE, VIRTUAL, SWAP)
_FIGURES = {"rss": "resident"}  # a column shows the figure of a counter, with hugetlb pages


class Cell(NamedTuple):
    """A figure in bytes (None: unknown) and how it is written; zero is blank."""

    value: int | None
    text: str


def value_of(counts: Counts, counter: str, unsplit: abc.Set[str] = frozenset()) -> int | None:
    """Return a counter, or a figure such as ``private`` that is a sum of some; None where unknown.

    *unsplit* are counters of which nobody knows how much these counts have.
    """
    return figure_of_two(counts, _FIGURES.get(counter, counter), unsplit)


def parts_of(counter: str) -> tuple[str, ...]:
    """Return the counters that the figure of a column is made of."""
    return memory_figures.parts_of(_FIGURES.get(counter, counter))


def columns_of(
    sides: Sequence[Counts], options: ViewOptions, *, partly: abc.Set[str] = frozenset()
) -> tuple[Column, ...]:
    """Choose the columns: what is known and says something, and what is sorted by, as far as they fit.

    *sides* are the totals of one snapshot, or of before and after. Swap is shown where there is any, PSS
    where it differs from what is resident.

    *partly* are counters that some rows know although their total is unknown.
    """
    sort = sort_column(dict.fromkeys(name for side in sides for name in side), options)
    columns = [column for column in _COLUMNS if column == sort or _speaks(sides, column, partly)]
    if sort is not None and sort not in columns:
        columns.append(sort)
    spare = [column for column in _FIRST_TO_GO if column in columns and column != sort]
    while NARROWEST_NAME + len(columns) * _FIGURE > options.width and len(columns) > 2 and spare:
        columns.remove(spare.pop(0))
    return tuple(columns)


def _speaks(sides: Sequence[Counts], column: Column, partly: abc.Set[str]) -> bool:
    """Return whether the column is known, and whether it says anything."""
    names = memory_figures.needed_for(_FIGURES.get(column.counter, column.counter))
    if any(side.get(name) is None and name not in partly for name in names for side in sides):
        return False
    if column == SHARE:
        return _differs(sides)
    return column != SWAP or any(side.get(name) != 0 for name in names for side in sides)


def _differs(sides: Sequence[Counts]) -> bool:
    """Return whether PSS, or its change, is visibly another figure than what is resident."""
    pairs = [(side.get("rss"), side["pss"]) for side in sides]
    one, other = pairs[-1]
    if None in pairs[0] or one is None or other is None:
        return False
    if pairs[0] != pairs[-1]:
        one, other = one - (pairs[0][0] or 0), other - (pairs[0][1] or 0)
    return abs(one - other) >= max(_NOTEWORTHY, abs(one) // _VISIBLE)


def sort_column(counters: Collection[str], options: ViewOptions) -> Column | None:
    """Return the column to sort by, one of *counters*; None for the usual order or that of the addresses."""
    wanted = options.sort
    if wanted is None or wanted == "address":
        return None
    for column in _COLUMNS:
        if wanted in column and (column.counter in counters or column in HEADLINE):
            return column
    if wanted not in counters:
        known = ", ".join(dict.fromkeys([*(column.name for column in HEADLINE), "address", *counters]))
        raise ConditionError(f"no counter {wanted!r} to sort by; there are {known}")
    return Column(wanted.replace("_", " "), wanted)


def figures_of(
    columns: Iterable[Column], value: Callable[[str], int | None], *, sign: bool
) -> tuple[Cell, ...]:
    """Return the cells of a row, *value* telling the figure of each counter."""
    figures = (value(column.counter) for column in columns)
    return tuple(Cell(figure, wording.cell(figure, sign=sign)) for figure in figures)


def weight(delta: Counts, first: str | None = None) -> tuple[int, ...]:
    """Return the key that sorts deltas as the command line promises, largest first."""
    held = abs((value_of(delta, "rss") or 0) + (delta.get("swap") or 0))
    usual = (-held, -abs(delta.get("accessible") or 0), -abs(delta.get("size") or 0))
    return usual if first is None else (-abs(value_of(delta, first) or 0), *usual)


def largest(counts: Counts, sort: Column | None) -> int:
    """Return what a row's size is measured by: the counter sorted by, else its largest figure."""
    counters = [sort.counter] if sort else [column.counter for column in HEADLINE]
    return max(abs(value_of(counts, counter) or 0) for counter in counters)


NARROW = 100  # columns of text in which every figure fits beside its name


def folds_small(options: ViewOptions) -> bool:
    """Return whether small rows are folded: in the usual view, unless the reader wants to see all."""
    return options.by is None and not options.show_all and options.rows is not None


def row_limit(options: ViewOptions) -> int:
    """Return the number of rows before the rest is folded."""
    return sys.maxsize if options.show_all or options.rows is None else options.rows
