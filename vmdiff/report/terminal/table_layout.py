"""A view as lines of columns: what the terminal and the plain text have in common.

A line is a list of (text, style) pairs; a style is a word such as ``plus`` that only the terminal
gives a meaning. No line has trailing blanks, none is wider than asked for (but for a width that no
table fits into).
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.view.compose import (
    Cell,
    Column,
    ComparisonView,
    Figure,
    Remark,
    Role,
    Row,
    SnapshotView,
    Table,
)
from vmdiff.report.view.fact_words import Fact
from vmdiff.report.view.figures import RESIDENT, SWAP
from vmdiff.report.view.tables import HOW_TO_SEE, shortened

Span = tuple[str, str]
Line = list[Span]
Lines = Iterable[Line]

WITH_ADDRESSES = 120  # columns from which every row says where it is
NARROWEST_TITLE = 16
_MARKS = {"warning": "!", "notice": "*", "info": "-"}
_NO_BREAK = "\N{NO-BREAK SPACE}"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[KMGTP]i)?B\b|bytes\b|%)")
_GAP = 2
_PROMPT = 2  # lines of the screen: the command above, the shell's prompt below
_LEAST_LINES = 3  # of a table: two rows, and the rest
_FEW_REMARKS = 3  # lines of findings on one screen; warnings are shown in any case


def comparison_lines(view: ComparisonView, options: ViewOptions, picture: Lines = ()) -> Iterator[Line]:
    """Lay out a comparison, top to bottom; *picture* stands above the tables."""
    counts = [view.counts] if _is_one_screen(options) else [view.counts, view.faults]
    head = [
        *_top(view.title, [view.when, view.match], view.answer, options),
        *_figures(view.figures, with_change=True),
        *_sentences(counts, options.width),
        *_remarks(view.remarks, options),
        *_set_apart(picture),
    ]
    facts = list(_facts(view.facts, options))
    yield from head
    yield from _tables(*_fitting(view.groups, view.table, options, len(head) + len(facts)), options)
    yield from facts


def snapshot_lines(view: SnapshotView, options: ViewOptions, picture: Lines = ()) -> Iterator[Line]:
    """Lay out one snapshot, top to bottom; *picture* stands above the tables."""
    head = [
        *_top(view.title, [view.when], view.answer, options),
        *_figures(view.figures, with_change=False),
        *_paragraph(view.counts, options.width, ""),
        *_remarks(view.remarks, options),
        *_set_apart(picture),
    ]
    yield from head
    yield from _tables(*_fitting(view.groups, view.table, options, len(head)), options)


def _top(title: str, moments: Iterable[str], answer: str, options: ViewOptions) -> Iterator[Line]:
    """Lay out whose memory it is and when, in one line where it fits, and the answer."""
    told = [text for text in moments if text]
    beside = 2 + width(told[0]) if told else 0
    if told and width(title) + beside <= options.width:
        yield [(title, "title"), ("  " + told.pop(0), "dim")]
    else:
        yield [(clip(title, options.width), "title")]
    for text in told:
        yield from _paragraph(text, options.width, "dim")
    yield from _paragraph(answer, options.width, "answer")
    yield []


def _is_one_screen(options: ViewOptions) -> bool:
    return options.height is not None and not options.show_all


def _fitting(
    groups: Table | None, table: Table, options: ViewOptions, taken: int
) -> tuple[Table | None, Table]:
    """Cut both tables so that the screen holds them; the groups, which say whose it was, have precedence."""
    if options.height is None or options.show_all:
        return groups, table
    room = options.height - _PROMPT - taken - 2 * (2 if groups else 1)
    if groups is None:
        return None, _cut_to(table, max(_LEAST_LINES, room - 1))
    wanted = min(_lines_of(groups), max(_LEAST_LINES, room - _lines_of(table), (room + 1) // 2))
    return _cut_to(groups, wanted), _cut_to(table, max(_LEAST_LINES, room - wanted))


def _lines_of(table: Table) -> int:
    return len(table.rows) + len(table.folds)


def _cut_to(table: Table, lines: int) -> Table:
    """Cut a table to so many lines, of which the fold of the rest is one."""
    return table if _lines_of(table) <= lines else shortened(table, max(1, lines - 1))


def _set_apart(lines: Lines) -> Iterator[Line]:
    for at, line in enumerate(lines):
        if not at:
            yield []
        yield line


def plain(line: Line) -> str:
    """Return a line without its styles."""
    return "".join(text for text, _ in line).rstrip()


# ---- the head


def _figures(figures: Iterable[Figure], *, with_change: bool) -> Iterator[Line]:
    nothing = {(0, 0)} if with_change else {(None, 0)}
    told = [figure for figure in figures if figure.name != SWAP.name or figure[1:3] not in nothing]
    rows = [_figure_cells(figure, with_change=with_change) for figure in told]
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


def _remarks(remarks: Sequence[Remark], options: ViewOptions) -> Iterator[Line]:
    """Lay out the findings, on one screen only the first of them; the rest is counted."""
    one_screen = _is_one_screen(options)
    lines: list[Line] = []
    for at, remark in enumerate(remarks):
        mark = f"{_MARKS[remark.severity]} "
        told = list(_paragraph(remark.message, options.width, remark.severity, mark=mark))
        if one_screen and at and remark.severity != "warning" and len(lines) + len(told) > _FEW_REMARKS:
            left = len(remarks) - at
            lines.append([(f"  {wording.plural(left, 'more finding')}  {HOW_TO_SEE}", "dim")])
            break
        lines += told
    yield from _set_apart(lines)


def _sentences(texts: Iterable[str], columns: int) -> Iterator[Line]:
    """Put short sentences on one line if they fit, else on one each."""
    told = [text for text in texts if text]
    together = "; ".join(told)
    for text in [together] if width(together) <= columns else told:
        yield from _paragraph(text, columns, "")


def _facts(facts: Iterable[Fact], options: ViewOptions) -> Iterator[Line]:
    told = "also changed: " + "; ".join(map(_fact, facts))
    if told.endswith(": "):
        return
    yield []
    if _is_one_screen(options):
        yield [(clip(told, options.width), "dim")]
    else:
        yield from _paragraph(told, options.width, "dim")


def _fact(fact: Fact) -> str:
    if fact.before and fact.after:
        return f"{fact.name} {fact.before} → {fact.after}"
    return f"{fact.name} {fact.after}" if fact.after else f"{fact.name} {fact.before}"


def _paragraph(text: str, columns: int, style: str, *, mark: str = "") -> Iterator[Line]:
    """Wrap a text; a number and its unit stay on one line."""
    whole = _BEFORE_UNIT.sub(_NO_BREAK, text)
    wrapped = textwrap.wrap(
        whole, columns - len(mark), break_long_words=True, break_on_hyphens=False, drop_whitespace=True
    )
    for at, line in enumerate(wrapped):
        yield [(mark if not at else " " * len(mark), style), (line.replace(_NO_BREAK, " "), style)]


# ---- tables


def _tables(groups: Table | None, table: Table, options: ViewOptions) -> Iterator[Line]:
    """Lay out the short table of groups and the other one, their figures in the same columns."""
    tables = [(groups, [*groups.rows, *groups.folds])] if groups is not None else []
    total = [] if _is_one_screen(options) and table.signed else [table.total]  # the headline says it
    tables.append((table, [*table.rows, *table.folds, *total]))
    cells = {column.name: max(9, len(column.name)) for column in table.columns}
    for one, rows in tables:
        for at, column in enumerate(one.columns):
            figures = (width(_written(one, row, at)) for row in rows)
            cells[column.name] = max([cells[column.name], *figures])
    for one, rows in tables:
        shape = _Shape(one, rows, cells, options)
        yield []
        yield shape.head()
        for row in rows:
            yield from shape.lines(row)


def _written(table: Table, row: Row, at: int) -> str:
    """Write a figure; in what one snapshot holds, that of the main column with its share of the total."""
    text = row.cells[at].text
    if table.signed or table.columns[at] != _main_column(table):
        return text
    return f"{text} {wording.percent(row.cells[at].value, table.total.cells[at].value):>4}"


def _main_column(table: Table) -> Column:
    return RESIDENT if RESIDENT in table.columns else table.columns[0]


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
        self.one_screen = _is_one_screen(options)
        taken = sum(part + _GAP for part in (self.word, self.perms, self.where) if part)
        figures = sum(cell + _GAP for cell in cells.values())
        self.lead = sum(part + _GAP for part in (self.word, self.perms) if part)
        self.title = max(NARROWEST_TITLE, options.width - taken - figures)
        self.columns = options.width

    def head(self) -> Line:
        """Return the line with the names of the columns."""
        room = self.lead + self.title + (self.where + _GAP if self.where else 0)
        return [
            (f"{self.table.title:{room}}", "head"),
            *self._in_columns({c.name: (c.name, "dim") for c in self.table.columns}),
        ]

    def _in_columns(self, told: dict[str, Span]) -> Line:
        figures = ((told.get(name, ("", "")), room) for name, room in self.cells.items())
        return [(" " * _GAP + pad(text, room), style) for (text, style), room in figures]

    def lines(self, row: Row) -> Iterator[Line]:
        """Yield the line of a row, and below it what is remarkable if that does not fit in."""
        style = {Role.FOLD: "dim", Role.TOTAL: "bold"}.get(row.role, "")
        below = (
            [row.note] if row.note and row.role not in (Role.FOLD, Role.GROUP) and not self.one_screen else []
        )
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
        yield [*line, *self._figures(row, style)]
        yield from self._below(row, below)

    def _room(self, row: Row) -> int:
        """Return the columns for the title; what has no permissions of its own may use their place."""
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

    def _figures(self, row: Row, style: str) -> Line:
        table = self.table
        figures = {
            column.name: (_written(table, row, at), style or tone_of(row.cells[at]))
            for at, column in enumerate(table.columns)
        }
        return self._in_columns(figures)

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
    from rich.cells import cell_len  # its tables take 10 ms that most texts never need

    return cell_len(text)


def pad(text: str, columns: int) -> str:
    """Align a figure to the right."""
    return " " * (columns - width(text)) + text


def fit(text: str, columns: int) -> str:
    """Cut a text to a width so that it still says what it is.

    A path loses its first folders, then the middle of its name; other texts lose their middle.
    """
    if width(text) <= columns:
        return text
    count, mark, path = text.partition(" × ")
    if mark and path.startswith("/"):
        return count + mark + fit(path, columns - width(count + mark))
    path, mark, rest = text.partition(": ")
    if text.startswith("/") and mark and width(rest) + 2 <= columns // 2:
        return fit(path, columns - width(rest) - 2) + mark + rest
    first, several, _ = text.partition(" + ")
    if several and width(first) + len(" + …") <= columns:
        return f"{first} + …"
    if not text.startswith("/"):
        return _without_middle(text, columns)
    name = text[text.rindex("/") :]
    if width(name) >= columns:
        return _without_middle("…" + name, columns)
    tail = _end(text, columns - 1)
    return "…" + tail[tail.index("/") :]


def clip(text: str, columns: int) -> str:
    """Cut the end off a text that is too wide."""
    return text if width(text) <= columns else _start(text, columns - 1) + "…"


def _without_middle(text: str, columns: int) -> str:
    head = (columns - 1) * 3 // 5  # a name begins with what it is, and ends with which one
    return f"{_start(text, head).rstrip()}…{_end(text, columns - 1 - head).lstrip()}"


def _start(text: str, columns: int) -> str:
    from rich.cells import set_cell_size  # as above

    # Where a wide letter does not fit, a blank would stand for its half.
    return set_cell_size(text, columns).removesuffix(" ") if columns > 0 else ""


def _end(text: str, columns: int) -> str:
    at = len(text)
    while at and width(text[at - 1 :]) <= columns:
        at -= 1
    return text[at:]
