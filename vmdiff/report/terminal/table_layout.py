"""A view as lines of columns: what the terminal and the plain text have in common.

A line is a list of (text, style) pairs; a style is a word such as ``plus`` that only the terminal
gives a meaning. No line has trailing blanks, none is wider than asked for (but for a width that no
table fits into).
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator

from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.view.compose import Cell, ComparisonView, Figure, Remark, Role, Row, SnapshotView, Table
from vmdiff.report.view.process_changes import Fact

Span = tuple[str, str]
Line = list[Span]
Lines = Iterable[Line]

WITH_ADDRESSES = 120  # columns from which every row says where it is
NARROWEST_TITLE = 16
_MARKS = {"warning": "!", "notice": "*", "info": "-"}
_GAP = 2


def comparison_lines(view: ComparisonView, options: ViewOptions, picture: Lines = ()) -> Iterator[Line]:
    """Lay out a comparison, top to bottom; *picture* stands above the tables."""
    yield [(clip(view.title, options.width), "title")]
    for text in (view.when, view.match):
        if text:
            yield from _paragraph(text, options.width, "dim")
    yield from _paragraph(view.answer, options.width, "title")
    yield []
    yield from _figures(view.figures, with_change=True)
    yield from _sentences([view.counts, view.faults], options.width)
    yield from _remarks(view.remarks, options.width)
    yield from _set_apart(picture)
    yield from _tables(view.groups, view.table, options)
    yield from _facts(view.facts, options.width)


def snapshot_lines(view: SnapshotView, options: ViewOptions, picture: Lines = ()) -> Iterator[Line]:
    """Lay out one snapshot, top to bottom; *picture* stands above the tables."""
    yield [(clip(view.title, options.width), "title")]
    yield from _paragraph(view.when, options.width, "dim")
    yield from _paragraph(view.answer, options.width, "title")
    yield []
    yield from _figures(view.figures, with_change=False)
    yield from _paragraph(view.counts, options.width, "")
    yield from _remarks(view.remarks, options.width)
    yield from _set_apart(picture)
    yield from _tables(view.groups, view.table, options)


def _set_apart(lines: Lines) -> Iterator[Line]:
    for at, line in enumerate(lines):
        if not at:
            yield []
        yield line


def plain(line: Line) -> str:
    """Give a line without its styles."""
    return "".join(text for text, _ in line).rstrip()


# ---- the head


def _figures(figures: Iterable[Figure], *, with_change: bool) -> Iterator[Line]:
    rows = [_figure_cells(figure, with_change=with_change) for figure in figures]
    heads = ("before", "after", "change") if with_change else ("",)
    widths = [
        max(map(width, column)) for column in zip(heads, *(cells for _, cells, _, _ in rows), strict=True)
    ]
    if with_change:
        blank = " " * 8
        yield [(blank, ""), *(("  " + pad(head, w), "dim") for head, w in zip(heads, widths, strict=True))]
    for name, cells, tone, note in rows:
        line: Line = [(f"{name:8}", "bold")]
        line += [("  " + pad(cell, w), "") for cell, w in zip(cells, widths, strict=True)]
        line[-1] = (line[-1][0], tone)
        yield [*line, (f"  ({note})", "dim")] if note else line


def _figure_cells(figure: Figure, *, with_change: bool) -> tuple[str, tuple[str, ...], str, str]:
    before, after = wording.size(figure.before), wording.size(figure.after)
    if not with_change:
        return figure.name, (after,), "", figure.note
    change = wording.signed(figure.delta)
    return figure.name, (before, after, change), tone(figure.delta), figure.note


def _remarks(remarks: Iterable[Remark], columns: int) -> Iterator[Line]:
    for at, remark in enumerate(remarks):
        if not at:
            yield []
        yield from _paragraph(remark.message, columns, remark.severity, mark=f"{_MARKS[remark.severity]} ")


def _sentences(texts: Iterable[str], columns: int) -> Iterator[Line]:
    """Put short sentences on one line if they fit, else on one each."""
    told = [text for text in texts if text]
    together = "; ".join(told)
    for text in [together] if width(together) <= columns else told:
        yield from _paragraph(text, columns, "")


def _facts(facts: Iterable[Fact], columns: int) -> Iterator[Line]:
    told = [_fact(fact) for fact in facts]
    if told:
        yield []
        yield from _paragraph("also changed: " + "; ".join(told), columns, "dim")


def _fact(fact: Fact) -> str:
    if fact.before and fact.after:
        return f"{fact.name} {fact.before} → {fact.after}"
    return f"{fact.name} {fact.after}" if fact.after else f"{fact.name} {fact.before}"


def _paragraph(text: str, columns: int, style: str, *, mark: str = "") -> Iterator[Line]:
    wrapped = textwrap.wrap(
        text, columns - len(mark), break_long_words=True, break_on_hyphens=False, drop_whitespace=True
    )
    for at, line in enumerate(wrapped):
        yield [(mark if not at else " " * len(mark), style), (line, style)]


# ---- tables


def _tables(groups: Table | None, table: Table, options: ViewOptions) -> Iterator[Line]:
    """Lay out the short table of groups and the other one, their figures in the same columns."""
    tables = [(groups, [*groups.rows, *groups.folds])] if groups is not None else []
    tables.append((table, [*table.rows, *table.folds, table.total]))
    cells = {column.name: max(9, len(column.name)) for column in table.columns}
    for one, rows in tables:
        for at, column in enumerate(one.columns):
            cells[column.name] = max([cells[column.name], *(width(row.cells[at].text) for row in rows)])
    for one, rows in tables:
        shape = _Shape(one, rows, cells, options)
        yield []
        yield shape.head()
        for row in rows:
            yield from shape.lines(row)


class _Shape:
    """The widths of one table's columns, and how a row is laid out in them.

    *cells* are the columns that all tables of the view share; one that a table lacks stays free.
    """

    def __init__(self, table: Table, rows: list[Row], cells: dict[str, int], options: ViewOptions) -> None:
        self.table = table
        self.cells = cells
        singles = [row for row in rows if row.role is not Role.FOLD]
        self.word = max((width(row.word) for row in rows), default=0)
        self.perms = 4 if any(row.perms for row in singles) else 0
        wide = options.width >= WITH_ADDRESSES and any(row.where for row in singles)
        self.where = max((width(row.where) for row in singles), default=0) if wide else 0
        self.told_below = options.show_all
        taken = sum(part + _GAP for part in (self.word, self.perms, self.where) if part)
        figures = sum(cell + _GAP for cell in cells.values())
        self.lead = sum(part + _GAP for part in (self.word, self.perms) if part)
        self.title = max(NARROWEST_TITLE, options.width - taken - figures)
        self.columns = options.width

    def head(self) -> Line:
        """Give the line with the names of the columns."""
        room = self.lead + self.title + (self.where + _GAP if self.where else 0)
        return [
            (f"{self.table.title:{room}}", "head"),
            *self._in_columns({c.name: (c.name, "dim") for c in self.table.columns}),
        ]

    def _in_columns(self, told: dict[str, Span]) -> Line:
        figures = ((told.get(name, ("", "")), room) for name, room in self.cells.items())
        return [(" " * _GAP + pad(text, room), style) for (text, style), room in figures]

    def lines(self, row: Row) -> Iterator[Line]:
        """Give the line of a row, and below it what is remarkable if that does not fit in."""
        style = {Role.FOLD: "dim", Role.TOTAL: "bold"}.get(row.role, "")
        below = [row.note] if row.note and row.role is not Role.FOLD else []
        title = fit(row.title, self._room(row))
        inline = bool(row.note) and width(row.title) + _GAP + width(row.note) <= self._room(row)
        if inline:
            below = []
        line = self._lead(row, style)
        line.append((title, style))
        used = width(title)
        if inline:
            line.append((" " * _GAP + row.note, "dim"))
            used += _GAP + width(row.note)
        line.append((" " * (self._room(row) - used), ""))
        if self.where:
            line.append((" " * _GAP + row.where.ljust(self.where), "dim"))
        yield [*line, *self._figures(row.cells, style)]
        yield from self._below(row, below)

    def _room(self, row: Row) -> int:
        """Give the columns for the title; what has no permissions of its own may use their place."""
        return self.title if self._has_perms(row) else self.title + (self.perms + _GAP if self.perms else 0)

    def _has_perms(self, row: Row) -> bool:
        return bool(self.perms) and row.role not in (Role.FOLD, Role.TOTAL)

    def _lead(self, row: Row, style: str) -> Line:
        lead: Line = []
        if self.word:
            lead.append((row.word.ljust(self.word + _GAP), style or "word"))
        if self._has_perms(row):
            lead.append((row.perms.ljust(self.perms + _GAP), "dim"))
        return lead

    def _figures(self, cells: Iterable[Cell], style: str) -> Line:
        pairs = zip(self.table.columns, cells, strict=True)
        return self._in_columns({column.name: (cell.text, style or tone_of(cell)) for column, cell in pairs})

    def _below(self, row: Row, below: list[str]) -> Iterator[Line]:
        if self.told_below:
            below += [text for text in (row.where if not self.where else "", row.why) if text]
        if not below:
            return
        indent = " " * max(self.lead, _GAP)
        for line in textwrap.wrap("; ".join(below), self.columns - len(indent), break_on_hyphens=False):
            yield [(indent, ""), (line, "dim")]


# ---- text in columns


def tone(delta: int | None) -> str:
    """Name the style of a change: growth, shrinkage or neither."""
    return "plus" if (delta or 0) > 0 else "minus" if (delta or 0) < 0 else ""


def tone_of(cell: Cell) -> str:
    """Name the style of a cell; a figure without a sign is not a change."""
    return tone(cell.value) if cell.text[:1] in "+-" else ""


def width(text: str) -> int:
    """Count the columns that a text takes in a terminal: wide letters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def pad(text: str, columns: int) -> str:
    """Align a figure to the right."""
    return " " * (columns - width(text)) + text


def fit(text: str, columns: int) -> str:
    """Cut a text to a width: a path loses its first folders, then the end of its name; others their end."""
    if width(text) <= columns:
        return text
    count, mark, path = text.partition(" × ")
    if mark and path.startswith("/"):
        return count + mark + fit(path, columns - width(count + mark))
    path, mark, rest = text.partition(": ")
    if text.startswith("/") and mark and width(rest) + 2 <= columns // 2:
        return fit(path, columns - width(rest) - 2) + mark + rest
    if not text.startswith("/"):
        return clip(text, columns)
    name = text[text.rindex("/") :]
    if width(name) >= columns:
        return _cut("…" + name, columns - 1) + "…"
    tail = _cut(text[::-1], columns - 1)[::-1]
    return "…" + tail[tail.index("/") :]


def clip(text: str, columns: int) -> str:
    """Cut the end off a text that is too wide."""
    return text if width(text) <= columns else _cut(text, columns - 1) + "…"


def _cut(text: str, columns: int) -> str:
    taken = 0
    for at, letter in enumerate(text):
        taken += _letter_width(letter)
        if taken > columns:
            return text[:at]
    return text
