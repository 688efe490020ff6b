"""What the user named -> Snapshot: a live process or a file of any format that vmdiff reads."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from vmdiff import document, files
from vmdiff.errors import ProcessError
from vmdiff.linux import Detail, Notify, ProcessFolder, read
from vmdiff.model import Snapshot

STDIN = "-"
_LIVE = "pid:"


def snap(
    pid: int,
    *,
    detail: Detail = "smaps",
    owners: bool = True,
    arguments: bool = False,
    label: str | None = None,
    freeze: bool = False,
    freeze_limit: float | None = None,
    notify: Notify | None = None,
) -> Snapshot:
    """Take a snapshot of a live process.

    *detail* ``maps`` is cheap and has no counters; *owners* looks for who asked for the memory;
    *arguments* keeps the command line; *freeze* holds the process still meanwhile, for at most
    *freeze_limit* seconds; *notify* is told what takes long.

    Raises:
        ProcessError: the process cannot be observed.
    """
    with ProcessFolder(pid) as folder:

        def taken() -> Snapshot:
            snapshot = read(folder, detail=detail, arguments=arguments, label=label, notify=notify)
            return _with_owners(folder, snapshot) if owners else snapshot

        return _frozen(folder, freeze_limit, taken) if freeze else taken()


def _frozen(folder: ProcessFolder, limit: float | None, taken: Callable[[], Snapshot]) -> Snapshot:
    """Take the snapshot while the process stands still, and note for how long it did."""
    from vmdiff.linux.freeze import frozen

    with frozen(folder, limit) as freeze:
        snapshot = taken()
        freeze.let_go_if_late()
    origin = snapshot.origin.model_copy(
        update={
            "frozen_seconds": round(freeze.seconds, 6),
            "doubts": (*snapshot.origin.doubts, *freeze.doubts),
        }
    )
    return snapshot.model_copy(update={"origin": origin})


def _with_owners(folder: ProcessFolder, snapshot: Snapshot) -> Snapshot:
    from vmdiff.linux.memory import LiveMemory
    from vmdiff.owners import RULES, Scene, assign

    with LiveMemory(folder.pid) as memory:
        return assign(Scene(snapshot, memory), RULES)


def load(path: Path | str) -> Snapshot:
    """Read a snapshot, or a listing of any known format, from a file or, for ``-``, standard input.

    ``FILE#2`` is the second listing of a text that holds several.

    Raises:
        InputError: it cannot be read, is nothing that vmdiff reads, or holds several listings.
    """
    name, choice = _choice(str(path))
    source = "<stdin>" if name == STDIN else name
    data = sys.stdin.buffer.read(files.LARGEST_INPUT) if name == STDIN else files.read(name)
    if data.startswith(document.GZIP):
        data = document.decompress(data, source=source)
    if document.is_document(data):
        return document.load(data, source=source)
    from vmdiff import formats, owners

    snapshot = formats.read(data, source=source, choice=choice)
    return owners.assign(owners.Scene(snapshot), owners.RULES)


def _choice(name: str) -> tuple[str, int | None]:
    """Split ``FILE#2``, unless a file is called so."""
    file, mark, number = name.rpartition("#")
    if not (mark and file and number.isascii() and number.isdigit() and len(number) < 10):
        return name, None
    return (name, None) if os.path.lexists(name) else (file, int(number))


def save(snapshot: Snapshot, path: Path | str, *, force: bool = False) -> None:
    """Write a snapshot to a file, compressed where its name ends in ``.gz``; whole or not at all.

    Raises:
        OutputError: the file exists (without *force*), or cannot be written.
    """
    chunks = document.dump(snapshot)
    if str(path).endswith(".gz"):
        chunks = document.compressed(chunks)
    files.write(path, chunks, force=force)


def resolve(named: str) -> Snapshot:
    """Give what a command line names: ``pid:1234`` as it is now, ``-``, or a file."""
    if not named.startswith(_LIVE):
        return load(named)
    pid = named.removeprefix(_LIVE)
    if not (pid.isascii() and pid.isdigit()) or len(pid) > 10:
        raise ProcessError(f"{named}: expected pid: and a process number, such as pid:1234")
    return snap(int(pid))
