"""Answers of a fleet as text, Markdown and HTML: one table, and one chart a question."""

from collections import abc
from typing import Literal

from vmdiff import units
from vmdiff.fleet.fleet_answer import FleetAnswer, Value
from vmdiff.fleet.questions import QUESTIONS, Unit
from vmdiff.harmless_text import printable
from vmdiff.report.text_table import TextColumn, text_table

Align = Literal["left", "right"]

# The column that a question's chart draws, a bar a row.
_DRAWN = {
    "top": "rss",
    "growth": "grew_percent",
    "outliers": "rss",
    "trend": "rss_per_hour",
    "who": "hosts",
}


# Late imports: only HTML needs templates, only Parquet pyarrow.

# Columns that a narrow table leaves out, the last one first.
_LEAST = ("process", "points", "pid", "processes", "swap", "first_rss", "largest_delta")
_LONG = frozenset({"who", "path"})  # columns that may take more than a line a row


class Heading:
    """A column of the table: its title, and on which side its values stand."""

    def __init__(self, name: str, unit: Unit) -> None:
        self.name = name
        self.unit = unit
        self.title = name.replace("_", " ").replace("rss", "resident")
        self.align: Align = "left" if unit == "text" else "right"

    def write(self, value: Value) -> str:
        """Write a value; ``?`` is unknown."""
        if value is None:
            return "?"
        if isinstance(value, str):
            return printable(value)
        match self.unit:
            case "bytes":
                return units.size(int(value)) if value else "0"
            case "change":
                return units.signed(int(value))
            case "change per hour":
                return f"{units.signed(int(value))}/h"
            case "percent":
                return f"{value} %"
            case _:
                return f"{value:,}"


def headings(answer: FleetAnswer) -> list[Heading]:
    """Return the columns of an answer; those of a text of somebody's own are plain."""
    question = QUESTIONS.get(answer.question)
    if question is not None:
        return [Heading(name, unit) for name, unit in question.columns.items()]
    names = list(answer.rows[0]) if answer.rows else []
    return [Heading(name, _unit_of(answer, name)) for name in names]


def _unit_of(answer: FleetAnswer, name: str) -> Unit:
    numbers = all(isinstance(row[name], (int, float, type(None))) for row in answer.rows)
    return "count" if numbers else "text"


def text(answer: FleetAnswer, *, width: int = 80) -> str:
    """Write the answer for a terminal or a mail."""
    if not answer.rows:
        return "nothing found\n"
    return text_table([_text_column(column, answer) for column in headings(answer)], width=width)


def _text_column(column: Heading, answer: FleetAnswer) -> TextColumn:
    cells = tuple(column.write(row[column.name]) for row in answer.rows)
    rank = _LEAST.index(column.name) + 1 if column.name in _LEAST else 0
    return TextColumn(column.title, cells, column.align, wraps=column.name in _LONG, rank=rank)


def markdown(answer: FleetAnswer) -> str:
    """Write the answer as a table for an issue tracker."""
    columns = headings(answer)
    if not answer.rows:
        return "nothing found\n"
    lines = [
        "| " + " | ".join(column.title for column in columns) + " |",
        "|" + "|".join("---" if column.align == "left" else "--:" for column in columns) + "|",
    ]
    for row in answer.rows:
        cells = (
            column.write(row[column.name]).replace("\\", "\\\\").replace("|", "\\|") for column in columns
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def html(answer: FleetAnswer) -> str:
    """Write a page of its own: the chart, the table, no script and nothing from elsewhere."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    page = Environment(
        loader=PackageLoader("vmdiff.report.html"), autoescape=True, undefined=StrictUndefined
    ).get_template("fleet.html")
    columns = headings(answer)
    question = QUESTIONS.get(answer.question)
    rows = [[(column.align, column.write(row[column.name])) for column in columns] for row in answer.rows]
    return page.render(
        title=question.about if question else answer.question,
        parameters=answer.parameters.record(),
        columns=columns,
        rows=rows,
        bars=list(_bars(answer, columns)),
    )


def _bars(answer: FleetAnswer, columns: abc.Sequence[Heading]) -> abc.Iterator[tuple[str, str, float]]:
    """Yield name, figure and length (percent of the longest) of each row's bar."""
    drawn = next((column for column in columns if column.name == _DRAWN.get(answer.question)), None)
    named = [column for column in columns if column.unit == "text" and column.name != "largest_host"][:3]
    if drawn is None:
        return
    values = [float(row[drawn.name] or 0) for row in answer.rows]
    longest = max(map(abs, values), default=0.0) or 1.0
    for row, value in zip(answer.rows, values, strict=True):
        name = " ".join(column.write(row[column.name]) for column in named)
        yield name, drawn.write(row[drawn.name]), round(100 * abs(value) / longest, 1)


def parquet(answer: FleetAnswer) -> bytes:
    """Write the answer as a Parquet file."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in answer.rows]), written, compression="zstd")
    return written.getvalue()


def write(answer: FleetAnswer, form: str, *, width: int) -> str | bytes:
    """Write the answer in the format of that name."""
    if form in {"terminal", "text"}:
        return text(answer, width=width)
    renderers: abc.Mapping[str, abc.Callable[[FleetAnswer], str | bytes]] = {
        "markdown": markdown,
        "html": html,
        "json": FleetAnswer.json,
        "parquet": parquet,
    }
    return renderers[form](answer)
