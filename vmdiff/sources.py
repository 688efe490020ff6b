"""What the user named -> Snapshot: a live process or a file of any format that vmdiff reads."""

import sys
from pathlib import Path

from vmdiff import document, files
from vmdiff.errors import InputError, ProcessError
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
    notify: Notify | None = None,
) -> Snapshot:
    """Take a snapshot of a live process.

    *detail* ``maps`` is cheap and has no counters; *owners* looks for who asked for the memory;
    *arguments* keeps the command line; *notify* is told what takes long.

    Raises:
        ProcessError: the process cannot be observed.
    """
    with ProcessFolder(pid) as folder:
        snapshot = read(folder, detail=detail, arguments=arguments, label=label, notify=notify)
        return _with_owners(folder, snapshot) if owners else snapshot


def _with_owners(folder: ProcessFolder, snapshot: Snapshot) -> Snapshot:
    from vmdiff.linux.memory import LiveMemory
    from vmdiff.owners import RULES, Scene, assign

    with LiveMemory(folder.pid) as memory:
        return assign(Scene(snapshot, memory), RULES)


def load(path: Path | str) -> Snapshot:
    """Read a snapshot from a file, or from standard input for ``-``.

    Raises:
        InputError: it cannot be read, or is nothing that vmdiff reads.
    """
    source = "<stdin>" if str(path) == STDIN else str(path)
    data = sys.stdin.buffer.read(files.LARGEST_INPUT) if str(path) == STDIN else files.read(path)
    if data.startswith(document.GZIP):
        data = document.decompress(data, source=source)
    if document.is_document(data):
        return document.load(data, source=source)
    raise InputError(f"{source}: neither a vmdiff snapshot nor a listing that vmdiff knows")


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
