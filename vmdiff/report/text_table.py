"""A table of texts that fits a width: columns that matter least go first, only names are wrapped."""

from collections import abc
from textwrap import fill
from typing import Literal, NamedTuple

from vmdiff.harmless_text import printable

# Late imports: what rich costs, a report as JSON or Markdown need not pay.

# rich narrows columns below their least width rather than wrap a title, so titles are wrapped here.
_GAP = 2
_WRAPPED = 12  # columns that a name gets at least
_NO_BREAK = "\ue000"  # of the private use area, and in no table that is written


class TextColumn(NamedTuple):
    """A column: its title and a text for each row. *wraps*: it may take more than a line a row.

    *rank*: where a table has no room, columns with the highest rank are left out first; 0 is always shown.
    """

    title: str
    cells: tuple[str, ...]
    align: Literal["left", "right"] = "right"
    wraps: bool = False
    rank: int = 0

    @property
    def narrowest(self) -> int:
        """The width that it needs: of its longest text, or some of it where that may be wrapped."""
        longest = max(map(len, self.cells), default=0)
        words = max(map(len, self.title.split()), default=0)
        return max(words, min(longest, _WRAPPED) if self.wraps else longest)

    @property
    def widest(self) -> int:
        """The width of its longest text."""
        return max(len(self.title), *map(len, self.cells), 0)


def text_table(columns: abc.Sequence[TextColumn], *, width: int) -> str:
    """Write the table, a line a row or more; what no terminal should be sent is escaped."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    shown = _fitting(columns, width)
    tight = sum(column.widest + _GAP for column in shown) - _GAP > width
    for column in shown:
        title = fill(column.title, column.narrowest) if tight else column.title
        table.add_column(Text(title), justify=column.align, overflow="fold", min_width=column.narrowest)
    for row in zip(*(_cells(column) for column in shown), strict=True):
        table.add_row(*map(Text, row))
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as written:
        console.print(table)
    return "".join(line.replace(_NO_BREAK, " ").rstrip() + "\n" for line in written.get().splitlines())


def _fitting(columns: abc.Sequence[TextColumn], width: int) -> list[TextColumn]:
    shown = list(columns)
    while sum(column.narrowest + _GAP for column in shown) - _GAP > width:
        least = max(shown, key=lambda column: column.rank)
        if not least.rank:
            break
        shown.remove(least)
    return shown


def _cells(column: TextColumn) -> list[str]:
    """Return texts that rich wraps only where it may: it takes every kind of blank for a place to."""
    texts = map(printable, column.cells)
    return [*texts] if column.wraps else [text.replace(" ", _NO_BREAK) for text in texts]
