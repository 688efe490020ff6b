"""Ask questions with Spark: in this process (``local[*]``), on a cluster, or through Spark Connect."""

import os
from collections import abc
from types import TracebackType
from typing import Any, Self

from vmdiff.errors import InputError, MissingExtraError
from vmdiff.fleet.fleet_answer import Value
from vmdiff.fleet.fleet_view import parameters_view, pieces_view, require_pieces
from vmdiff.fleet.questions import Asked

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

LOCAL = "local[*]"
_CONNECT = "sc://"
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.parquet.mergeSchema": "true",  # counters and tags differ between files
    "spark.log.level": "ERROR",
}
_OF_A_CLIENT = ("spark.sql.session.timeZone", "spark.sql.parquet.mergeSchema")


class SparkEngine:
    """A session of its own over the Parquet files of some folders."""

    def __init__(self, places: abc.Sequence[str], master: str = LOCAL) -> None:
        try:
            from pyspark.errors import PySparkException
            from pyspark.sql import SparkSession
        except ImportError as error:
            raise MissingExtraError("fleet --engine spark", "spark") from error
        self._errors: type[Exception] = PySparkException
        builder = SparkSession.builder.appName("vmdiff")
        try:
            self._session = (
                _connected(builder, master) if master.startswith(_CONNECT) else _own(builder, master)
            )
        except PySparkException as error:
            raise InputError(f"{master}: {_first_line(error)}") from error
        self._frame = self._read(places)
        self._columns: list[str] = list(self._frame.columns)
        require_pieces(self._columns, ", ".join(places))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.stop()

    def _read(self, places: abc.Sequence[str]) -> Any:
        try:
            reader = self._session.read.option("mergeSchema", "true").option("recursiveFileLookup", "true")
            return reader.parquet(*places)
        except self._errors as error:
            raise InputError(f"{', '.join(places)}: {_first_line(error)}") from error

    def ask(self, sql: str, parameters: Asked) -> tuple[dict[str, Value], ...]:
        """Run a question's text; return its rows.

        Raises:
            InputError: the engine refuses the text.
        """
        self._frame.createOrReplaceTempView("exported")
        view = pieces_view("exported", self._columns, parameters.tag)
        try:
            self._session.sql(view).createOrReplaceTempView("pieces")
            self._session.sql(parameters_view(parameters)).createOrReplaceTempView("parameters")
            return tuple(row.asDict() for row in self._session.sql(sql).collect())
        except self._errors as error:
            raise InputError(f"Spark: {_first_line(error)}") from error


def _connected(builder: Any, url: str) -> Any:
    """Return a session of a Spark Connect server; only what a client may set is set.

    Raises:
        InputError: the packages of Spark Connect are not installed.
    """
    try:
        session = builder.remote(url).getOrCreate()
    except ImportError as error:
        raise InputError(f"{url}: Spark Connect needs more: pip install 'pyspark[connect]'") from error
    for name in _OF_A_CLIENT:
        session.conf.set(name, _SETTINGS[name])
    return session


def _own(builder: Any, master: str) -> Any:
    if "JAVA_HOME" not in os.environ and not _has_java():
        raise InputError("fleet --engine spark: needs Java 17 or newer, and there is no java on the PATH")
    for name, value in _SETTINGS.items():
        builder = builder.config(name, value)
    return builder.master(master).getOrCreate()


def _has_java() -> bool:
    import shutil

    return shutil.which("java") is not None


def _first_line(error: Any) -> str:
    lines = [line.strip() for line in str(error).strip().split("\n")]
    details = next((line for line in lines if line.startswith("details = ")), None)  # of gRPC
    return (details.removeprefix("details = ").strip('"') if details else lines[0])[:300]
