"""Export files and folders: several processes read them, one writes."""

import os
from collections import abc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from vmdiff.errors import InputError, VmdiffError
from vmdiff.fleet.columns import Rows, rows
from vmdiff.fleet.export import Export, Exported

# Late imports: each reading process loads what its files need.

_FILES_AT_ONCE = 16  # that a process reads between two results
_FEW = 64  # files that are read before other processes would have started
_SKIPPED_NAMED = 5

Notify = Callable[[str], None]


class Read(NamedTuple):
    """What reading a file came to: the rows of its snapshots, or why there are none."""

    path: str
    rows: tuple[Rows, ...]
    problem: str | None


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
            if read.problem is not None:
                if read.path in asked:
                    raise InputError(read.problem)
                skipped.append(read.problem)
            for found in read.rows:
                export.add(found)
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
    if len(files) <= _FEW:
        yield from map(_read, files)
        return
    chunks = iter([files[at : at + _FILES_AT_ONCE] for at in range(0, len(files), _FILES_AT_ONCE)])
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        # No more than a few results wait, so that memory does not grow with the number of files.
        ahead = [pool.submit(_read_all, chunk) for chunk in islice(chunks, 2 * workers)]
        while ahead:
            yield from ahead.pop(0).result()
            ahead += [pool.submit(_read_all, chunk) for chunk in islice(chunks, 1)]


def _read_all(files: abc.Sequence[str]) -> list[Read]:
    return [_read(file) for file in files]


def _read(file: str) -> Read:
    from vmdiff import sources

    try:
        return Read(file, (rows(sources.load(file)),), None)
    except VmdiffError as error:
        return Read(file, (), str(error))
