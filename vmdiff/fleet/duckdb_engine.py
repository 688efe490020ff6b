"""Ask questions with DuckDB, embedded in this process: the default."""

from collections import abc
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vmdiff.errors import InputError, MissingExtraError
from vmdiff.fleet.fleet_answer import Value
from vmdiff.fleet.fleet_view import parameters_view, pieces_view, require_pieces
from vmdiff.fleet.questions import Asked

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

_MEMORY = "1GB"


class DuckDbEngine:
    """One connection in memory over the Parquet files of some folders; it cannot write or reach further."""

    def __init__(self, places: abc.Sequence[str]) -> None:
        try:
            import duckdb  # 100 ms, and an extra
        except ImportError as error:
            raise MissingExtraError("fleet", "fleet") from error
        self._errors: type[Exception] = duckdb.Error
        self._source = _source(places)
        self._connection = duckdb.connect(
            config={"memory_limit": _MEMORY, "autoinstall_known_extensions": False}
        )
        self._columns = self._described(places)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _described(self, places: abc.Sequence[str]) -> list[str]:
        try:
            query = f"describe select * from {self._source}"  # noqa: S608  # quoted by _source
            described = self._connection.execute(query).fetchall()
        except self._errors as error:
            raise InputError(f"{', '.join(places)}: {_first_line(error)}") from error
        columns = [row[0] for row in described]
        require_pieces(columns, ", ".join(places))
        return columns

    def ask(self, sql: str, parameters: Asked) -> tuple[dict[str, Value], ...]:
        """Run a question's text; return its rows.

        Raises:
            InputError: the engine refuses the text.
        """
        view = pieces_view(self._source, self._columns, parameters.tag)
        try:
            self._connection.execute(f"create or replace temp view pieces as {view}")
            self._connection.execute(
                f"create or replace temp view parameters as {parameters_view(parameters)}"
            )
            result = self._connection.execute(sql)
            names = [column[0] for column in result.description or ()]
            return tuple(dict(zip(names, row, strict=True)) for row in result.fetchall())
        except self._errors as error:
            raise InputError(f"DuckDB: {_first_line(error)}") from error

    def lock(self, places: abc.Sequence[str]) -> None:
        """Permit nothing but reading *places* from now on: for a text that somebody else wrote."""
        local = [str(Path(place).resolve()) for place in places if "://" not in place]
        allowed = ", ".join("'" + place.replace("'", "''") + "'" for place in local)
        for setting in (
            f"set allowed_directories = [{allowed}]",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            self._connection.execute(setting)


def _source(places: abc.Sequence[str]) -> str:
    patterns = ", ".join("'" + pattern(place).replace("'", "''") + "'" for place in places)
    return f"read_parquet([{patterns}], union_by_name = true, hive_partitioning = true)"


def pattern(place: str) -> str:
    """Return the glob of the Parquet files in a folder, which may be an URL; a file is itself."""
    return place if place.endswith(".parquet") else place.rstrip("/") + "/**/*.parquet"


def _first_line(error: Any) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
