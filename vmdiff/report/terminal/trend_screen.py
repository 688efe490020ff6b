"""A trend for a terminal: one sentence, a table, and what it rests on."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from vmdiff.findings import Finding
from vmdiff.report.options import ViewOptions
from vmdiff.report.terminal import screen
from vmdiff.report.terminal.table_layout import Lines, fit
from vmdiff.report.view import trend_rows
from vmdiff.report.view.trend_rows import TrendRow, TrendTable, TrendView
from vmdiff.series.trends import Trend

_GAP = "  "
_SPARK = trend_rows.HEAD.index("over time")
_STYLES = {"leak": "plus", "declines": "minus", "flat": "dim"}
_LEFT = {0, _SPARK, len(trend_rows.HEAD) - 1}  # columns that are not figures
_NARROWEST_NAME = 12


def trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a trend for a terminal of ``options.width`` columns."""
    options = screen.readable(options)
    view = trend_rows.of_trend(found, findings, options)
    return screen.dressed(list(_lines(view, options.width)), options)


def _lines(view: TrendView, width: int) -> Iterator[list[tuple[str, str]]]:
    for line in wrap(f"{view.title}: {view.answer}", width, break_long_words=True):
        yield [(line, "title")]
    for line in wrap(view.when, width):
        yield [(line, "dim")]
    yield [("", "")]
    for number, table in enumerate(view.tables):
        if number:
            yield [("", "")]
        yield from _table(table, width)
        if table.hidden:
            yield [(fit(table.hidden, width), "dim")]
    told = [remark for remark in trend_rows.remarks(view) if remark[1] != view.answer]
    if told:
        yield [("", "")]
    for style, text in told:
        for number, line in enumerate(wrap(text, width - 2)):
            yield [("- " if number == 0 else "  ", "dim"), (line, style)]


def _table(table: TrendTable, width: int) -> Lines:
    head = (f"by {table.by}", *trend_rows.HEAD[1:])
    cells = [head, *(row.cells for row in table.rows)]
    columns = _columns(cells, width)
    widths = _widths(cells, columns, width)
    yield [(_line(head, columns, widths), "head")]
    yield from (_row(row, columns, widths) for row in table.rows)


def _columns(cells: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Choose the columns: what a narrow terminal has no room for are the picture and the steps."""
    every = list(range(len(trend_rows.HEAD)))
    for dropped in (trend_rows.HEAD.index("grew"), 1, _SPARK):
        if (
            sum(max(len(row[at]) for row in cells) for at in every[1:]) + 2 * len(every) + _NARROWEST_NAME
            <= width
        ):
            break
        every.remove(dropped)
    return every


def _widths(cells: Sequence[tuple[str, ...]], columns: Sequence[int], width: int) -> dict[int, int]:
    widths = {at: max(len(row[at]) for row in cells) for at in columns}
    rest = sum(widths.values()) - widths[0] + len(_GAP) * (len(columns) - 1)
    return widths | {0: max(min(widths[0], width - rest), _NARROWEST_NAME)}


def _row(row: TrendRow, columns: Sequence[int], widths: dict[int, int]) -> list[tuple[str, str]]:
    *most, last = columns
    text = _line(row.cells, most, widths)
    return [(text + _GAP, ""), (row.cells[last], _STYLES.get(row.verdict, "word"))]


def _line(cells: Sequence[str], columns: Sequence[int], widths: dict[int, int]) -> str:
    told = []
    for at in columns:
        text = fit(cells[at], widths[at])
        told.append(text.ljust(widths[at]) if at in _LEFT else text.rjust(widths[at]))
    return _GAP.join(told).rstrip() if columns[-1] == len(trend_rows.HEAD) - 1 else _GAP.join(told)
