"""The process that is recorded: found by number or name, and found again when it was restarted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vmdiff.capture import ProcessFolder
from vmdiff.capture.process_dir import PROC
from vmdiff.errors import InputError, ProcessError

_NAME = "name:"
_KERNEL_LENGTH = 15  # bytes that the kernel keeps of a name (TASK_COMM_LEN)


@dataclass(frozen=True, slots=True)
class Followed:
    """A process, and what its successor is known by: the name, and that it started later."""

    pid: int
    name: str
    start_ticks: int
    proc: Path = PROC

    def successor(self) -> "Followed | None":
        """Return the first process of that name that started after this one, if this one is gone."""
        later = [one for one in named(self.name, self.proc) if one.start_ticks > self.start_ticks]
        return min(later, key=lambda one: (one.start_ticks, one.pid), default=None)

    def lives(self) -> bool:
        """Return whether this very process is still there, and has memory."""
        now = _look(self.pid, self.proc)
        return now is not None and now.start_ticks == self.start_ticks


def follow(target: int | str, proc: Path = PROC) -> Followed:
    """Return the process that a target names: a pid, or ``name:`` and the name of the only one of that name.

    Raises:
        ProcessError: there is none, or it cannot be observed.
        InputError: there are several, or the target is neither.
    """
    text = str(target)
    if text.isascii() and text.isdigit() and len(text) <= 10:
        with ProcessFolder(int(text), proc) as folder:
            stat = folder.stat()
            folder.check_memory(stat)
            return Followed(folder.pid, stat.name, stat.start_ticks, proc)
    if not text.startswith(_NAME) or text == _NAME:
        meant = f"; name:{text} is the process of that name" if text and text != _NAME else ""
        raise InputError(f"{text}: expected a process number, or name: and a process name{meant}")
    name = text.removeprefix(_NAME)
    found = list(named(name, proc))
    if not found:
        raise ProcessError(f"no process is called {name!r}")
    if len(found) > 1:
        pids = ", ".join(str(one.pid) for one in found[:9])
        raise InputError(f"{len(found)} processes are called {name!r}: {pids}; choose one by its number")
    return found[0]


def named(name: str, proc: Path = PROC) -> Iterator[Followed]:
    """Yield the processes of a name that have memory, by number."""
    short = os.fsencode(name)[:_KERNEL_LENGTH].decode(errors="backslashreplace")
    for pid in sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit()):  # noqa: PTH208
        found = _look(pid, proc)
        if found is not None and found.name == short and pid != os.getpid():
            yield replace(found, name=name)


def _look(pid: int, proc: Path) -> Followed | None:
    try:
        with ProcessFolder(pid, proc) as folder:
            stat = folder.stat()
            folder.check_memory(stat)
            return Followed(pid, stat.name, stat.start_ticks, proc)
    except ProcessError:
        return None
