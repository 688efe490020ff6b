"""A trend as Markdown for issue trackers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vmdiff.findings import Finding
from vmdiff.report import wording
from vmdiff.report.markdown import LIMIT, code, escape
from vmdiff.report.options import ViewOptions
from vmdiff.report.view import trend_rows
from vmdiff.report.view.trend_rows import TrendRow, TrendTable
from vmdiff.series.trends import Trend

_RESERVE = 200  # characters for saying that rows were left out


def trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a trend as Markdown of at most `LIMIT` characters."""
    view = trend_rows.of_trend(found, findings, replace(options, colour=False))
    head = [
        f"**Memory of {code(view.title)} over time: {escape(view.answer)}**",
        "",
        escape(view.when),
        "",
    ]
    tail = [f"- {escape(text)}" for _, text in trend_rows.remarks(view) if text != view.answer]
    room = LIMIT - _RESERVE - sum(len(line) + 1 for line in [*head, *tail[:40]])
    tables = [line for table in view.tables for line in _table(table, room // len(view.tables))]
    return "\n".join([*head, *tables, *tail[:40]]).rstrip() + "\n"


def _table(table: TrendTable, room: int) -> list[str]:
    """Write a table, as many of its rows as there is room for."""
    head = [f"| by {table.by} | {' | '.join(trend_rows.HEAD[1:])} |", "|---|--:|--:|--:|--:|--:|---|---|"]
    rows = list(_within(map(_row, table.rows), room - sum(map(len, head))))
    left = len(table.rows) - len(rows)
    cut = [f"\n{wording.plural(left, 'row')} did not fit"] if left else []
    hidden = ["", escape(table.hidden)] if table.hidden else []
    return [*head, *rows, *cut, *hidden, ""]


def _row(row: TrendRow) -> str:
    name, *figures, spark, verdict = row.cells
    strong = f"**{verdict}**" if verdict == "leak" else verdict
    return f"| {code(name)} | {' | '.join(figures)} | {code(spark)} | {strong} |"


def _within(lines: Iterator[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return
        yield line
