"""Take snapshots of several processes, frozen together if asked, and say which could not be read."""

from collections import abc
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vmdiff.capture.process_dir import PROC, ProcessFolder
from vmdiff.capture.process_roles import Place, roles
from vmdiff.capture.process_tree import Chosen, Running
from vmdiff.errors import ProcessError
from vmdiff.importers.procfs.stat_line import Stat
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import Missing, SnapshotSet

if TYPE_CHECKING:
    from vmdiff.capture.freeze import Freeze

Take = Callable[[ProcessFolder], Snapshot]


class _Opened(NamedTuple):
    """A process of the set whose folder is held open."""

    running: Running
    folder: ProcessFolder
    stat: Stat
    freeze: "Freeze | None" = None


class _Taken(NamedTuple):
    """A snapshot that was taken, and what the process's role follows from."""

    snapshot: Snapshot
    place: Place
    freeze: "Freeze | None"


def read_set(
    chosen: Chosen, take: Take, *, freeze: bool, limit: float | None, proc: Path = PROC
) -> SnapshotSet:
    """Take a snapshot of each process with *take*; with *freeze*, all stand still before one is read.

    A frozen process runs on when its time of *limit* seconds is over, also before it was read.
    """
    taken_at = datetime.now(UTC)
    if freeze:
        taken = _frozen_together(chosen.processes, take, limit, proc)
    else:
        taken = [_one(running, take, proc) for running in chosen.processes]
    members = [_with_stop(one) for one in taken if isinstance(one, _Taken)]  # it is known once they run on
    placed = roles({one.snapshot.process.pid or 0: one.place for one in members})
    return SnapshotSet(
        taken_at=taken_at,
        members=tuple(_with_role(one.snapshot, placed) for one in members),
        missing=tuple(one for one in taken if isinstance(one, Missing)),
    )


def _one(running: Running, take: Take, proc: Path) -> "_Taken | Missing":
    """Take a snapshot of one process; no other folder is open meanwhile, for there may be thousands."""
    with ExitStack() as stack:
        opened = _open(running, stack, proc)
        return _take(opened, take) if isinstance(opened, _Opened) else opened


def _frozen_together(
    processes: abc.Sequence[Running], take: Take, limit: float | None, proc: Path
) -> "list[_Taken | Missing]":
    """Take snapshots of processes that all stand still before the first is read."""
    with ExitStack() as stack:
        opened = [_open(running, stack, proc) for running in processes]
        held = [_hold(one, stack, limit) if isinstance(one, _Opened) else one for one in opened]
        return [_take(one, take) if isinstance(one, _Opened) else one for one in held]


def _open(running: Running, stack: ExitStack, proc: Path) -> _Opened | Missing:
    """Open the folder of a process, if its number still means the one that was chosen."""
    try:
        folder = stack.enter_context(ProcessFolder(running.pid, proc, listed=running.start_ticks is not None))
        stat = folder.stat()
        folder.check_memory(stat)
        _check_chosen(running, stat)
    except ProcessError as error:
        return _missing(running, error)
    return _Opened(running, folder, stat)


def _check_chosen(running: Running, stat: Stat) -> None:
    """Make sure that a number was not given anew since the processes were listed.

    Raises:
        ProcessError: it was.
    """
    if running.start_ticks not in {None, stat.start_ticks}:
        raise ProcessError(f"process {running.pid} ended, and another has its number now")


def _hold(one: _Opened, stack: ExitStack, limit: float | None) -> _Opened | Missing:
    from vmdiff.capture.freeze import frozen  # ctypes, which a set that is not frozen does not need

    try:
        freeze = stack.enter_context(frozen(one.folder, limit))
    except ProcessError as error:
        return _missing(one.running, error)
    return one._replace(freeze=freeze)


def _take(one: _Opened, take: Take) -> "_Taken | Missing":
    place = _place(one.folder, one.stat)
    try:
        snapshot = take(one.folder)
    except ProcessError as error:
        return _missing(one.running, error)
    return _Taken(snapshot, place, one.freeze)


def _place(folder: ProcessFolder, stat: Stat) -> Place:
    """Read what a role follows from; the command line is not kept."""
    words = (folder.text("cmdline") or "").split("\0")
    program = (folder.link("exe") or "").removesuffix(" (deleted)").rpartition("/")[2]
    return Place(program or stat.name, words, stat.parent, stat.name)


def _with_role(member: Snapshot, placed: abc.Mapping[int, str]) -> Snapshot:
    process = member.process.model_copy(update={"role": placed[member.process.pid or 0][:200]})
    return member.model_copy(update={"process": process})


def _with_stop(one: _Taken) -> _Taken:
    """Note for how long the process stood still."""
    if one.freeze is None:
        return one
    seconds = round(one.freeze.seconds, 6)
    return one._replace(snapshot=one.snapshot.noting(*one.freeze.doubts, frozen_seconds=seconds))


def _missing(running: Running, error: ProcessError) -> Missing:
    return Missing(pid=running.pid, name=running.name or None, reason=str(error))
