"""The processes that a target means: numbers, a name, a tree, a control group, or all there are."""

import os
from collections import abc
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from vmdiff.capture.process_dir import KERNEL_THREAD, PROC
from vmdiff.errors import InputError, ProcessError
from vmdiff.importers.procfs.stat_line import stat_of

TREE, GROUP, NAME, ALL = "tree:", "cgroup:", "name:", "all"
_LONGEST_STAT = 4096  # bytes; the kernel writes it whole: 52 numbers and a name of up to 64
_WILDCARDS = frozenset("*?[")


class Running(NamedTuple):
    """A process as ``/proc/PID/stat`` lists it; *start_ticks* is None for one that was not listed."""

    pid: int
    name: str
    parent: int
    kernel_thread: bool
    start_ticks: int | None = None


class Chosen(NamedTuple):
    """The processes that targets mean, by number, and the control group if all of one was meant."""

    processes: tuple[Running, ...]
    cgroup: str | None


def means_a_set(targets: abc.Sequence[str]) -> bool:
    """Return whether targets mean a set, which one number or one name does not."""
    first = targets[0] if targets else ""
    several = first.startswith((TREE, GROUP)) or first == ALL
    return len(targets) > 1 or several or (first.startswith(NAME) and bool(_WILDCARDS & set(first)))


def choose(targets: abc.Sequence[str], proc: Path = PROC) -> Chosen:
    """Return the processes that targets mean; vmdiff itself and kernel threads are none.

    Raises:
        InputError: a target is none.
        ProcessError: a target means no process.
    """
    running = {one.pid: one for one in _running(proc)}
    pids: dict[int, None] = {}
    for target in targets:
        found = list(_meant(target, running, proc))
        if not found:
            raise ProcessError(f"{target}: no process that has memory")
        pids.update(dict.fromkeys(found))
    pids.pop(os.getpid(), None)
    groups = [target.removeprefix(GROUP) for target in targets if target.startswith(GROUP)]
    whole = groups[0] if len(groups) == len(targets) == 1 else None
    return Chosen(tuple(running.get(pid, Running(pid, "", 0, False)) for pid in sorted(pids)), whole)


def _meant(target: str, running: abc.Mapping[int, Running], proc: Path) -> Iterator[int]:
    if target.isascii() and target.isdigit() and len(target) <= 10:
        yield int(target)
    elif target.startswith(TREE):
        yield from _descendants(_root(target, running), running)
    elif target.startswith(GROUP):
        from vmdiff.capture.control_groups import members_of  # with the models, which load during a reading

        yield from (pid for pid in members_of(target.removeprefix(GROUP), proc) if _has_memory(pid, running))
    elif target.startswith(NAME):
        pattern = target.removeprefix(NAME)
        yield from (one.pid for one in running.values() if _has_name(one, pattern) and not one.kernel_thread)
    elif target == ALL:
        yield from (one.pid for one in running.values() if not one.kernel_thread)
    else:
        meant = f"; name:{target} is the process of that name" if target else ""
        raise InputError(
            f"{target!r}: expected a process number, name:GLOB, tree:PID, cgroup:PATH or all{meant}"
        )


def _has_memory(pid: int, running: abc.Mapping[int, Running]) -> bool:
    return pid in running and not running[pid].kernel_thread


def _has_name(one: Running, pattern: str) -> bool:
    """Compare with what the kernel keeps of a name: its first 15 bytes (TASK_COMM_LEN)."""
    cut = (
        pattern if _WILDCARDS & set(pattern) else os.fsencode(pattern)[:15].decode(errors="backslashreplace")
    )
    return one.name == cut or fnmatchcase(one.name, cut)


def _root(target: str, running: abc.Mapping[int, Running]) -> int:
    number = target.removeprefix(TREE)
    if not (number.isascii() and number.isdigit() and len(number) <= 10):
        raise InputError(f"{target}: expected tree: and a process number, such as tree:1234")
    if int(number) not in running:
        raise ProcessError(f"no process {number} here (it may have ended, or be hidden by hidepid)")
    return int(number)


def _descendants(root: int, running: abc.Mapping[int, Running]) -> Iterator[int]:
    """Yield a process and all that it and its children started, as far as their parents live."""
    children: dict[int, list[int]] = {}
    for one in running.values():
        children.setdefault(one.parent, []).append(one.pid)
    left, seen = [root], {root}
    while left:
        pid = left.pop()
        yield pid
        fresh = [child for child in children.get(pid, ()) if child not in seen]
        seen.update(fresh)
        left += fresh


def _running(proc: Path) -> Iterator[Running]:
    """Yield every process there is; those that end meanwhile are left out."""
    for entry in os.listdir(proc):  # noqa: PTH208  # twice as quick as iterdir, with thousands of them
        if not entry.isdigit():
            continue
        try:
            with open(f"{proc}/{entry}/stat", "rb", buffering=0) as file:  # noqa: PTH123  # as above
                text = file.read(_LONGEST_STAT).decode(errors="backslashreplace")
        except OSError:
            continue
        if (stat := stat_of(text)) is not None:
            yield Running(
                stat.pid, stat.name, stat.parent, bool(stat.flags & KERNEL_THREAD), stat.start_ticks
            )
