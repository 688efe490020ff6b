"""Ask a question: the engine by name, the rows with a verdict where the question is about time."""

from collections import abc
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from vmdiff.errors import InputError
from vmdiff.fleet.fleet_answer import FleetAnswer, Value
from vmdiff.fleet.fleet_trend import with_verdicts
from vmdiff.fleet.questions import Asked, Question

# Late imports: the packages of an extra are needed by nobody who does not ask for it.


class EngineName(StrEnum):
    """Which engine answers."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Engine(Protocol):
    """Runs SQL over the exported rows; both engines give the same rows for the same text."""

    def ask(self, sql: str, parameters: Asked) -> tuple[dict[str, Value], ...]:
        """Run a text; return its rows in order."""


def engine(
    name: EngineName, places: abc.Sequence[str], *, spark_master: str | None = None
) -> AbstractContextManager[Engine]:
    """Open an engine over folders of exported Parquet files, or URLs of such.

    Raises:
        MissingExtraError: the engine is not installed.
        InputError: a folder is not there, or holds no export.
    """
    for place in places:
        if "://" not in place and not Path(place).exists():
            raise InputError(f"{place}: no such file or folder; vmdiff export makes one")
    if name is EngineName.SPARK:
        from vmdiff.fleet.spark_engine import LOCAL, SparkEngine  # pyspark, an extra

        return SparkEngine(places, spark_master or LOCAL)
    from vmdiff.fleet.duckdb_engine import DuckDbEngine  # duckdb, an extra

    return DuckDbEngine(places)


def ask(
    question: Question,
    places: abc.Sequence[str],
    parameters: Asked,
    name: EngineName = EngineName.DUCKDB,
    *,
    spark_master: str | None = None,
) -> FleetAnswer:
    """Ask a question of the exports in some folders.

    Raises:
        ConditionError: it is about a tag that no snapshot has.
        InputError: there is no export, or the engine cannot read it.
        MissingExtraError: the engine is not installed.
    """
    with engine(name, places, spark_master=spark_master) as chosen:
        return ask_engine(chosen, question, parameters)


def ask_engine(chosen: Engine, question: Question, parameters: Asked) -> FleetAnswer:
    """Ask a question of an engine that is open already."""
    rows = chosen.ask(question.sql, parameters)
    if question.name == "trend":
        rows = with_verdicts(rows, parameters.most)
    return FleetAnswer(question.name, parameters, rows)


def ask_text(name: str, sql: str, places: abc.Sequence[str], parameters: Asked) -> FleetAnswer:
    """Ask with SQL that somebody else wrote: with DuckDB, which may then read *places* and nothing else."""
    from vmdiff.fleet.duckdb_engine import DuckDbEngine

    with DuckDbEngine(places) as chosen:
        chosen.lock(places)
        return FleetAnswer(name, parameters, chosen.ask(sql, parameters))
