"""``vmdiff fleet``: ask one question of many snapshots."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vmdiff.cli import output
from vmdiff.cli.result_file import Force

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


class FleetFormat(StrEnum):
    """How an answer is written."""

    TERMINAL = "terminal"
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"
    PARQUET = "parquet"


class EngineChoice(StrEnum):
    """Which engine answers."""

    DUCKDB = "duckdb"
    SPARK = "spark"


_QUESTIONS = "top, growth, outliers, trend or who"


def fleet(
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help=f"{_QUESTIONS}; with --sql-file any name.")
    ],
    places: Annotated[
        list[str], typer.Argument(metavar="DIR...", help="Folders that vmdiff export wrote, or URLs of such.")
    ],
    between: Annotated[
        str | None, typer.Option(metavar="TAG=A..B", help="growth: the two values, such as version=1.4..1.5.")
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", metavar="GLOB", help="who: the file, such as '*/libssl*'.")
    ] = None,
    most: Annotated[int, typer.Option("--top", metavar="N", min=1, max=10_000, help="At most N rows.")] = 20,
    engine: Annotated[EngineChoice, typer.Option(help="Which engine answers.")] = EngineChoice.DUCKDB,
    spark_master: Annotated[
        str | None, typer.Option(metavar="URL", help="Spark's master, or sc://HOST for Spark Connect.")
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the question's SQL instead of asking it.")
    ] = False,
    sql_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Ask this SQL instead; DuckDB only, and read-only.")
    ] = None,
    form: Annotated[
        FleetFormat, typer.Option("--format", help="How to write the answer.")
    ] = FleetFormat.TERMINAL,
    to: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to FILE.")] = None,
    force: Force = False,
) -> None:
    """Ask a question of the snapshots of many hosts.

    top: what holds the most. growth: what grew between two versions. outliers: which hosts differ from
    the others. trend: what grows over time. who: which hosts map a file.
    """
    from vmdiff.fleet import asking
    from vmdiff.fleet.questions import find_question, parameters

    output.check_free(to, force=force)
    if sql_file is not None:
        asked = parameters(None, between=between, path=path, most=most)
        answer = asking.ask_text(question, output.read_text(sql_file), places, asked)
    else:
        chosen = find_question(question)
        asked = parameters(chosen, between=between, path=path, most=most)
        if sql:
            output.write(chosen.sql, to, force=force)
            return
        answer = asking.ask(chosen, places, asked, asking.EngineName(engine), spark_master=spark_master)
    from vmdiff.fleet import fleet_table

    width, _ = output.look(to)
    output.write(fleet_table.write(answer, form.value, width=width), to, force=force)
