"""The files that processes have open or mapped, and how much of each the page cache holds.

A control group's account says how much page cache is charged to it, not of which files. Those that its
processes have at hand are most of it as a rule. A file's pages are charged to the group that read or wrote
them first (cgroup-v2.rst, "Memory Ownership"), so a file's may be charged to another group in part.

Facts: proc_pid_fd(5); ``mnt_id`` of proc_pid_fdinfo(5) says which mount a file is of without touching it, so
that no server is waited for.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from vmdiff.capture.file_systems import KERNELS_OWN, FileSystems
from vmdiff.capture.page_cache import cached, may_be_known, open_mapped
from vmdiff.capture.process_dir import PROC, ProcessFolder
from vmdiff.errors import ProcessError
from vmdiff.model import Kind, Mapping, Snapshot
from vmdiff.model.held_memory import CachedFile

_SMALLEST = 1 << 20
_MOST_FILES = 20  # that are kept
_MOST_DESCRIPTORS = 20_000  # that are looked at, of all processes
_SECONDS = 1.0  # of the processor, for all of them
_DELETED = " (deleted)"
_MOUNT = re.compile(r"^mnt_id:\s*([0-9]{1,10})$", re.MULTILINE)
_BACKED = frozenset({Kind.FILE, Kind.IMAGE, Kind.SHARED_MEMORY})


class _HeldFile(NamedTuple):
    """A file that a process has at hand: what leads to it below the process's folder."""

    name: str | Mapping
    path: str
    in_memory: bool


def cached_files(members: Sequence[Snapshot], proc: Path = PROC) -> tuple[CachedFile, ...]:
    """Return the files of these processes that the page cache holds most of, the largest first.

    Processes that ended meanwhile are left out; none are returned where the kernel has no cachestat(2).
    """
    if not may_be_known():
        return ()
    deadline = time.thread_time() + _SECONDS
    known: dict[tuple[int, int], CachedFile | None] = {}
    for member, found, folder in islice(_at_hand(members, proc), _MOST_DESCRIPTORS):
        if time.thread_time() > deadline:
            break
        _add(known, found, folder, deadline, mapped=member)
    files = (one for one in known.values() if one is not None)
    return tuple(sorted(files, key=lambda one: (-one.cached, one.path))[:_MOST_FILES])


def _at_hand(members: Sequence[Snapshot], proc: Path) -> Iterator[tuple[bool, _HeldFile, ProcessFolder]]:
    """Yield whether a file is mapped, the file, and the process that has it: first all that are mapped."""
    for mapped in (True, False):
        for member in members:
            with suppress(ProcessError), ProcessFolder(member.process.pid or 0, proc) as folder:
                if folder.stat().start_ticks == member.process.start_ticks:
                    files = FileSystems(folder.text("mountinfo") or "")
                    found = _mapped(member, files) if mapped else _open(folder, files)
                    yield from ((mapped, one, folder) for one in found)


def _mapped(member: Snapshot, files: FileSystems) -> Iterator[_HeldFile]:
    """Yield each file of the mappings once."""
    seen = set()
    for mapping in member.mappings:
        place = mapping.device, mapping.inode
        if mapping.kind in _BACKED and mapping.path and place not in seen and files.is_local(mapping):
            seen.add(place)
            own = KERNELS_OWN.match(mapping.path) is not None
            yield _HeldFile(mapping, mapping.path, own or files.in_memory(mapping.device or ""))


def _open(folder: ProcessFolder, files: FileSystems) -> Iterator[_HeldFile]:
    """Yield the files that a process has open, as far as no server has to answer for them."""
    for number in folder.names("fd"):
        path = folder.link(f"fd/{number}")
        if path is None or not path.startswith("/"):
            continue
        if KERNELS_OWN.match(path.removesuffix(_DELETED)):
            yield _HeldFile(f"fd/{number}", path.removesuffix(_DELETED), in_memory=True)
            continue
        said = _MOUNT.search(folder.text(f"fdinfo/{number}") or "")
        mount = files.local_mount(said[1]) if said else None
        if mount is not None:
            yield _HeldFile(f"fd/{number}", path.removesuffix(_DELETED), files.in_memory(mount.device))


def _add(
    known: dict[tuple[int, int], CachedFile | None],
    found: _HeldFile,
    folder: ProcessFolder,
    deadline: float,
    *,
    mapped: bool,
) -> None:
    """Ask for a file that is not known yet."""
    descriptor = _descriptor(found, folder)
    if descriptor is None:
        return
    try:
        status = os.fstat(descriptor)
        place = status.st_dev, status.st_ino
        if place in known or status.st_size < _SMALLEST:
            return
        held = cached(descriptor, 0, status.st_size, deadline)
        known[place] = None
        if held is not None and held.bytes:
            known[place] = CachedFile(
                path=found.path,
                size=status.st_size,
                cached=held.bytes,
                dirty=held.dirty,
                mapped=mapped,
                in_memory=found.in_memory,
            )
    finally:
        os.close(descriptor)


def _descriptor(found: _HeldFile, folder: ProcessFolder) -> int | None:
    if isinstance(found.name, Mapping):
        return open_mapped(folder, found.name)
    with suppress(OSError):
        status = folder.status_of(found.name)
        if status is not None and stat.S_ISREG(status.st_mode) and status.st_size >= _SMALLEST:
            return folder.open(found.name, os.O_NONBLOCK)
    return None
