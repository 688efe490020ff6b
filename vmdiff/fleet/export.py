"""Write snapshots as compacted Parquet: a folder a day, few large files, each snapshot once.

``OUT/day=2026-11-28/part-0001.parquet``. A file is never changed: what is added to a small one is
written with its rows into a new file, which then takes its name, so that a reader sees one or the other.
The snapshots in a file are named in its metadata, so that finding out what is there already reads
footers only. One export at a time writes to a folder; a second one waits.
"""

import json
import os
from collections import abc
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from vmdiff.errors import MissingExtraError, OutputError
from vmdiff.fleet.batch import Batch
from vmdiff.fleet.columns import VERSION, schema_with

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

_SNAPSHOTS = b"vmdiff.snapshots"
_COLUMNS = b"vmdiff.columns"
_LARGE = 64 << 20  # bytes; a larger file is left as it is, and the next rows begin another
_ROWS_A_GROUP = 100_000
_MOST_WAITING = 500_000  # rows of all days that are not written yet, some 100 MiB
_PART = "part-{:04d}.parquet"
_UNFINISHED = ".unfinished"
_LOCK = ".vmdiff-export.lock"


class Exported(NamedTuple):
    """How many snapshots an export wrote, and how many were there already."""

    written: int
    known: int


class Export:
    """An export into one folder, which is locked meanwhile."""

    def __init__(self, out: Path, *, most_waiting: int = _MOST_WAITING) -> None:
        """Lock the folder *out*, which is made if there is none.

        No more than *most_waiting* rows wait for being written, however many days they are of.

        Raises:
            MissingExtraError: pyarrow is not installed.
            OutputError: the folder cannot be written to.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("export", "fleet") from error
        self._pa, self._pq = pa, pq
        self._out = out
        self._days: dict[str, _Day] = {}
        self._most_waiting = most_waiting
        self._lock = _locked(out)
        self.written = self.known = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for day in self._days.values():
                day.close() if error is None else day.abandon()
        finally:
            os.close(self._lock)

    def add(self, batch: Batch) -> None:
        """Write the rows of those snapshots that are not there already."""
        day = self._days.get(batch.day)
        if day is None:
            day = self._days[batch.day] = _Day(self._pa, self._pq, self._out / f"day={batch.day}")
        fresh = day.add(batch)
        self.known += len(batch.snapshots) - fresh
        self.written += fresh
        while self.waiting > self._most_waiting:
            max(self._days.values(), key=lambda one: one.waiting).flush()

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return sum(day.waiting for day in self._days.values())


def _locked(out: Path) -> int:
    """Make the folder and lock it; return the descriptor that holds the lock."""
    import fcntl  # not on Windows, where nothing else of an export is missing

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        os.close(lock)
        raise OutputError(f"{out}: cannot be locked ({error.strerror}); export to a local folder") from error
    return lock


class _Day:
    """The folder of one day: what it holds already, and the file that is being written."""

    def __init__(self, pa: Any, pq: Any, folder: Path) -> None:
        self._pa, self._pq = pa, pq
        self._folder = folder
        self._writer: _GrowingFile | None = None
        self._waiting: list[Any] = []
        self.waiting = 0  # rows
        self._added: list[str] = []
        try:
            folder.mkdir(exist_ok=True)
            for left in folder.glob(f"*{_UNFINISHED}"):  # by an export that was killed: nobody reads it
                left.unlink()
            self._parts = sorted(folder.glob("part-*.parquet"))
        except OSError as error:
            raise OutputError(f"{folder}: {error.strerror}") from error
        self.known = {name for part in self._parts for name in _named(pq, part)}

    def add(self, batch: Batch) -> int:
        """Take the rows of the snapshots that are not here yet; return how many these are."""
        names, table = batch.without(self.known)
        if not names:
            return 0
        self.known.update(names)
        self._added += names
        self._waiting.append(table)
        self.waiting += table.num_rows
        if self.waiting >= _ROWS_A_GROUP:
            self.flush()
        return len(names)

    def close(self) -> None:
        """Write what waits, and give the file its name."""
        self.flush()
        if self._writer is not None:
            self._writer.finish()

    def abandon(self) -> None:
        """Leave the folder as it was."""
        if self._writer is not None:
            self._writer.abandon()

    def flush(self) -> None:
        """Write the rows that wait."""
        if not self._waiting:
            return
        table = self._pa.concat_tables(self._waiting, promote_options="default")
        added = self._added
        self._waiting, self.waiting, self._added = [], 0, []
        if self._writer is not None and not self._writer.takes(table):
            self._writer.finish()
            self._writer = None
        if self._writer is None:
            self._writer = self._next(table)
        self._writer.write(table, added)

    def _next(self, table: Any) -> "_GrowingFile":
        """Begin the next file: in place of the last one, with its rows, if that is small."""
        schema = schema_with(table.schema.names)
        last = self._parts[-1] if self._parts else None
        if last is not None and last.stat().st_size < _LARGE:
            return _GrowingFile.continuing(self._pa, self._pq, last, schema)
        number = 1 + (int(last.stem.rpartition("-")[2]) if last is not None else 0)
        part = self._folder / _PART.format(number)
        self._parts.append(part)
        return _GrowingFile(self._pa, self._pq, part, schema)


class _GrowingFile:
    """A file that is being written under another name."""

    def __init__(self, pa: Any, pq: Any, path: Path, schema: Any) -> None:
        self._pa = pa
        self._path = path
        self._unfinished = path.with_name(path.name + _UNFINISHED)
        self._names: list[str] = []
        self._schema = schema
        deltas = dict.fromkeys(("low", "high"), "DELTA_BINARY_PACKED")
        coded = [name for name in schema.names if name not in deltas]
        try:
            self._writer = pq.ParquetWriter(
                self._unfinished, schema, compression="zstd", use_dictionary=coded, column_encoding=deltas
            )
        except OSError as error:
            raise OutputError(f"{self._unfinished}: {error.strerror or error}") from error

    @classmethod
    def continuing(cls, pa: Any, pq: Any, path: Path, schema: Any) -> Self:
        """Begin with the rows of a file that is to be replaced, a row group at a time."""
        with pq.ParquetFile(path) as old:
            both = pa.unify_schemas([old.schema_arrow.remove_metadata(), schema])
            part = cls(pa, pq, path, both)
            part._names += _named(pq, path)
            for group in range(old.num_row_groups):
                part.write(old.read_row_group(group), [])
        return part

    def takes(self, table: Any) -> bool:
        """Return whether a table fits: its columns are known, and the file is not large already."""
        size = self._unfinished.stat().st_size
        return size < _LARGE and set(table.schema.names) <= set(self._schema.names)

    def write(self, table: Any, names: abc.Sequence[str]) -> None:
        """Append a row group; columns that it lacks are null."""
        whole = self._pa.concat_tables([self._schema.empty_table(), table], promote_options="default")
        try:
            self._writer.write_table(whole.select(self._schema.names), row_group_size=_ROWS_A_GROUP)
        except OSError as error:
            self.abandon()
            raise OutputError(f"{self._path}: {error.strerror or error}") from error
        self._names += names

    def finish(self) -> None:
        """Rename the file into place, once all of it is on the disk."""
        try:
            self._writer.add_key_value_metadata({_SNAPSHOTS: json.dumps(self._names), _COLUMNS: str(VERSION)})
            self._writer.close()
            with self._unfinished.open("rb") as file:
                os.fsync(file.fileno())
            self._unfinished.replace(self._path)
        except OSError as error:
            self.abandon()
            raise OutputError(f"{self._path}: {error.strerror or error}") from error

    def abandon(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._unfinished.unlink()


def _named(pq: Any, part: Path) -> list[str]:
    """Return the names of the snapshots in a file, from its footer."""
    metadata = pq.read_metadata(part).metadata or {}
    names: list[str] = json.loads(metadata.get(_SNAPSHOTS, b"[]"))
    return names
