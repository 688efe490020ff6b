"""Control groups: which processes are in one, and what its memory controller says of itself.

Facts: Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and cgroup-v1/memory.rst. In v1
a limit that was never set reads as PAGE_COUNTER_MAX, the largest multiple of a page below 2^63.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vmdiff.capture.process_dir import PROC
from vmdiff.errors import InputError, ProcessError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import ControlGroup

_MOST_GROUPS = 10_000  # below one
_NO_LIMIT = 1 << 62
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


class _Hierarchy(NamedTuple):
    """A mounted hierarchy that has a memory controller."""

    version: int
    mount: Path


def members_of(path: str, proc: Path = PROC) -> Iterator[int]:
    """Yield the processes in a control group and in all groups below it.

    Raises:
        InputError: there is no such group.
        ProcessError: the group may not be looked at.
    """
    _, folder = _find(path, proc)
    for number, (group, _, files) in enumerate(os.walk(folder)):
        if number >= _MOST_GROUPS:
            raise ProcessError(f"cgroup:{path}: more than {_MOST_GROUPS:,} groups in it")
        if "cgroup.procs" in files:
            yield from _numbers(Path(group) / "cgroup.procs")


def account_with_files(path: str, members: Sequence[Snapshot]) -> ControlGroup:
    """Read what the memory controller of a group says, and which files of its *members* are cached.

    Raises:
        InputError: there is no such group.
    """
    from vmdiff.capture.cached_files import cached_files  # what an account alone does not need

    return account_of(path).model_copy(update={"files": cached_files(members)})


def account_of(path: str, proc: Path = PROC) -> ControlGroup:
    """Read what the memory controller of a group says.

    Raises:
        InputError: there is no such group.
    """
    version, folder = _find(path, proc)
    shown = "/" + str(folder.relative_to(_mount_of(folder, proc)))
    return _second(folder, shown) if version == 2 else _first(folder, shown)


def _find(path: str, proc: Path) -> tuple[int, Path]:
    """Return the version and the folder of a group, named from its hierarchy's root or in full."""
    hierarchies = list(_hierarchies(proc))
    if not hierarchies:
        raise InputError(f"cgroup:{path}: no control groups with a memory controller are mounted here")
    for version, mount in hierarchies:
        whole = Path(path)
        folder = whole if whole.is_relative_to(mount) else mount / path.lstrip("/")
        if ".." not in folder.parts and folder.is_dir():
            return version, folder
    mounts = ", ".join(str(mount) for _, mount in hierarchies)
    raise InputError(f"cgroup:{path}: no such control group below {mounts}")


def _mount_of(folder: Path, proc: Path) -> Path:
    return next(mount for _, mount in _hierarchies(proc) if folder.is_relative_to(mount))


def _hierarchies(proc: Path) -> Iterator[_Hierarchy]:
    """Yield where memory controllers are mounted, from ``/proc/self/mountinfo`` (proc(5))."""
    try:
        lines = (proc / "self" / "mountinfo").read_text(errors="backslashreplace").split("\n")
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or len(kinds) < 3:
            continue
        mount = Path(fields[4].replace("\\040", " "))
        if kinds[0] == "cgroup2" and "memory" in _words(mount / "cgroup.controllers"):
            yield _Hierarchy(2, mount)
        elif kinds[0] == "cgroup" and "memory" in kinds[2].split(","):
            yield _Hierarchy(1, mount)


def _second(folder: Path, path: str) -> ControlGroup:
    return ControlGroup(
        path=path,
        version=2,
        current=_bytes(folder / "memory.current"),
        max=_bytes(folder / "memory.max"),
        high=_bytes(folder / "memory.high"),
        peak=_bytes(folder / "memory.peak"),
        events=_table(folder / "memory.events"),
        stat=_table(folder / "memory.stat"),
    )


def _first(folder: Path, path: str) -> ControlGroup:
    stat = _table(folder / "memory.stat")
    kernel = _bytes(folder / "memory.kmem.usage_in_bytes")
    sockets = _bytes(folder / "memory.kmem.tcp.usage_in_bytes")
    stat |= {name: value for name, value in (("kernel", kernel), ("sock", sockets)) if value is not None}
    oom = _table(folder / "memory.oom_control")
    failures = _bytes(folder / "memory.failcnt")
    events = {name: value for name, value in oom.items() if name in {"under_oom", "oom_kill"}}
    return ControlGroup(
        path=path,
        version=1,
        current=_bytes(folder / "memory.usage_in_bytes"),
        max=_bytes(folder / "memory.limit_in_bytes"),
        high=_bytes(folder / "memory.soft_limit_in_bytes"),
        peak=_bytes(folder / "memory.max_usage_in_bytes"),
        events=events if failures is None else events | {"max": failures},
        stat=stat,
    )


def _bytes(file: Path) -> int | None:
    """Read one number; ``max``, and v1's number for it, are no limit."""
    words = _words(file)
    if len(words) != 1 or not words[0].isdigit():
        return None
    value = int(words[0])
    return value if value < _NO_LIMIT else None


def _table(file: Path) -> dict[str, int]:
    """Read ``name number`` lines."""
    try:
        lines = file.read_text(errors="replace").split("\n")
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {
        pair[0]: int(pair[1])
        for pair in pairs
        if len(pair) == 2 and _NAME.fullmatch(pair[0]) and pair[1].isdigit()
    }


def _numbers(file: Path) -> list[int]:
    return [int(word) for word in _words(file) if word.isdigit()]


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").split()
    except OSError:
        return []
