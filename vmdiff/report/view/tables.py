"""Tables: rows in the order to show them, the folds, the total."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from vmdiff.comparison.change import Change, Counts
from vmdiff.comparison.totals import Totals
from vmdiff.model import Mapping, Snapshot, add
from vmdiff.report import wording
from vmdiff.report.view.figures import Cell, Column, figures_of, value_of


class Role(StrEnum):
    """What a row stands for."""

    CHANGE = "change"
    CROWD = "crowd"  # several changes that are alike
    MAPPING = "mapping"
    GROUP = "group"
    FOLD = "fold"  # the rest, counted
    TOTAL = "total"


class ShownGroup(NamedTuple):
    """The figures of a kind, owner or object: what changed in it, or what it holds; *note* is said of it.

    *unsplit* are counters that are known as a whole, but not how much of them it has.
    """

    name: str
    counts: Counts
    note: str
    unsplit: frozenset[str] = frozenset()


Item = Change | Mapping | ShownGroup
HOW_TO_SEE = "--all shows them"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. *members* are what a crowd or a fold stands for (see `Table.unfold`).

    *word* is the name of the change, *title* what it is about, *note* what is remarkable about it,
    *where* its addresses, *why* what its pairing or its owner rests on.
    """

    role: Role
    title: str
    cells: tuple[Cell, ...]
    word: str = ""
    perms: str = ""
    note: str = ""
    where: str = ""
    why: str = ""
    kind: str = ""
    owner: str = ""
    path: str = ""
    count: int = 1
    item: Item | None = None
    members: tuple[Item, ...] = ()
    rest: bool = False  # a fold of rows that are only too many or too small


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in the order to show them, then the folds, then the total."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    folds: tuple[Row, ...]
    total: Row
    dress: Callable[[Any], Row] = field(repr=False)
    signed: bool = True  # whether its figures are changes
    noun: str = "row"  # what a row is called in a fold

    def unfold(self, row: Row) -> Iterator[Row]:
        """Yield the rows that a crowd or a fold stands for, in their order."""
        return map(self.dress, row.members)


def rest_title(count: int, noun: str, *, cut: bool) -> str:
    """Name the fold of the rest: cut off after the rows that fit, or all below 1 % of the movement."""
    return wording.plural(count, f"more {noun}") if cut else f"{wording.plural(count, noun)} below 1 %"


def shortened(table: Table, count: int) -> Table:
    """Return a table of at most *count* rows and one fold, which holds all others."""
    folds = [fold for fold in table.folds if fold.members]
    gone = [*table.rows[count:], *folds]
    if gone == folds and len(folds) < 2:
        return table
    members = tuple(item for row in gone for item in (row.members or (row.item,)) if item is not None)
    title = rest_title(len(members), table.noun, cut=True)
    word = "…" if any(row.word for row in table.rows) else ""
    rest = replace(summed_row(table, gone, title), word=word, note=HOW_TO_SEE, members=members, rest=True)
    return replace(
        table, rows=table.rows[:count], folds=(rest, *(fold for fold in table.folds if not fold.members))
    )


def summed_row(table: Table, rows: Sequence[Row], title: str) -> Row:
    """Return one fold in place of some rows of a table, for a renderer that shows fewer."""
    sums = [add(row.cells[at].value for row in rows) for at in range(len(table.columns))]
    sign = table.signed
    cells = tuple(Cell(value, wording.cell(value, sign=sign)) for value in sums)
    return Row(Role.FOLD, title, cells, count=sum(row.count for row in rows))


def total_of_changes(columns: Sequence[Column], totals: Totals) -> Row:
    """Return the last row of a table of changes: what the headline says."""
    deltas = {name: total.delta for name, total in totals.items()}
    return _total(figures_of(columns, partial(value_of, deltas), sign=True), wording.signed)


def total_of_sizes(columns: Sequence[Column], snapshot: Snapshot) -> Row:
    """Return the last row of a table of one snapshot: what the headline says."""
    return _total(figures_of(columns, partial(value_of, snapshot.totals), sign=False), wording.size)


def _total(cells: Sequence[Cell], written: Callable[[int | None], str]) -> Row:
    # A blank total would look forgotten.
    told = tuple(Cell(cell.value, cell.text or written(cell.value)) for cell in cells)
    return Row(role=Role.TOTAL, title="total", cells=told)
