"""Export files and folders: several processes read them, one writes."""

import os
from collections import abc, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from vmdiff import sources
from vmdiff.errors import InputError, VmdiffError
from vmdiff.fleet.batch import Batch, Tables
from vmdiff.fleet.columns import tag_columns
from vmdiff.fleet.export import Export, Exported
from vmdiff.model.snapshot_columns import SnapshotColumns

_FILES_AT_ONCE = 128  # that a process reads between two results: the more, the more mappings are alike
_BYTES_AT_ONCE = 8 << 20  # of these files
_SNAPSHOTS_AT_ONCE = 128  # whose rows are one table; a file may hold more than one
_AHEAD = 4  # results a reading process that may wait, or are being made; one is some 2 MB
_FEW = 64  # files that are read before other processes would have started
_SKIPPED_NAMED = 5

Notify = Callable[[str], None]


class Read(NamedTuple):
    """What reading some files came to: the rows of their snapshots, and (file, why) where there are none."""

    batches: tuple[Batch, ...]
    problems: tuple[tuple[str, str], ...]


def export_files(named: abc.Sequence[str], out: Path, *, notify: Notify) -> Exported:
    """Export every snapshot in the files and folders *named* to the folder *out*.

    A file that was named itself must be readable; in a folder, what vmdiff does not read is skipped,
    and *notify* is called with what was.

    Raises:
        InputError: a file that was named cannot be read, or there is nothing to export.
        OutputError: *out* cannot be written.
    """
    asked = frozenset(named)
    skipped: list[str] = []
    with Export(out) as export:
        for read in _reads(list(_files(named))):
            if refused := next((why for path, why in read.problems if path in asked), None):
                raise InputError(refused)
            skipped += [why for _, why in read.problems]
            for batch in read.batches:
                export.add(batch)
        done = Exported(export.written, export.known)
    for problem in skipped[:_SKIPPED_NAMED]:
        notify(f"skipped: {problem}")
    if len(skipped) > _SKIPPED_NAMED:
        notify(f"skipped: {len(skipped) - _SKIPPED_NAMED:,} more files")
    if not done.written and not done.known:
        raise InputError(f"{', '.join(named)}: no snapshot in it")
    return done


def _files(named: abc.Sequence[str]) -> Iterator[str]:
    """Yield the files that are meant, those of a folder in order; hidden ones are left out."""
    for name in named:
        if not Path(name).is_dir():
            yield name
            continue
        for folder, below, files in os.walk(name):
            below[:] = sorted(one for one in below if not one.startswith("."))
            yield from (str(Path(folder, file)) for file in sorted(files) if not file.startswith("."))


def _reads(files: abc.Sequence[str]) -> Iterator[Read]:
    """Read the files in their order; many of them in as many processes as there are processors."""
    # The first ones here: what reading needs is then loaded when the others are forked.
    yield from map(_RowReader().read, _chunks(files[:_FEW]))
    if len(files) <= _FEW:
        return
    left, workers = _chunks(files[_FEW:]), os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        # Some results wait, so that nobody stops reading while a large piece is written; no more than a few,
        # so that memory does not grow with the number of files.
        ahead = deque(pool.submit(_read_beside, chunk) for chunk in islice(left, _AHEAD * workers))
        while ahead:
            done = ahead.popleft().result()
            ahead.extend(pool.submit(_read_beside, chunk) for chunk in islice(left, 1))
            yield done


def _chunks(files: abc.Iterable[str]) -> Iterator[abc.Sequence[str]]:
    """Yield the files in their order, some at a time: neither very many nor very many bytes."""
    chunk: list[str] = []
    size = 0
    for file in files:
        try:
            more = Path(file).stat().st_size
        except (OSError, ValueError):  # a name that stands for something else, or no file: reading it says
            more = 0
        if chunk and (len(chunk) == _FILES_AT_ONCE or size + more > _BYTES_AT_ONCE):
            yield chunk
            chunk, size = [], 0
        chunk.append(file)
        size += more
    if chunk:
        yield chunk


class _RowReader:
    """Reads files and turns what is in them into rows; remembers what is alike in them."""

    def __init__(self) -> None:
        self._snapshots, self._tables = sources.EverySnapshot(), Tables()

    def read(self, files: abc.Sequence[str]) -> Read:
        """Return the rows of the snapshots in some files, some snapshots at a time."""
        made: list[Batch] = []
        problems: list[tuple[str, str]] = []
        waiting: list[SnapshotColumns] = []
        for file in files:
            try:
                waiting += _every(self._snapshots, file)
            except VmdiffError as error:
                problems.append((file, str(error)))
            if len(waiting) >= _SNAPSHOTS_AT_ONCE:
                made += self._tables.batches(waiting)
                waiting.clear()
        return Read((*made, *self._tables.batches(waiting)), tuple(problems))


@cache
def _of_this_process() -> _RowReader:
    """Return the reader of a reading process, which remembers what is alike until the export is done."""
    return _RowReader()


def _read_beside(files: abc.Sequence[str]) -> Read:
    return _of_this_process().read(files)


def _every(moments: sources.EverySnapshot, file: str) -> tuple[SnapshotColumns, ...]:
    """Return every snapshot in a file, each of which has a value for each column."""
    every = moments.of(file)
    for one in every:
        try:
            tag_columns(one.shell.tags)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
    return every
