"""How much of a file the page cache has, mapped here or not: by file, and by what is behind a mapping.

Touching what is cached costs a minor fault only; the rest has to be read. Told by cachestat(2), since
Linux 6.5 (mm/filemap.c), which needs the file open. Only large mappings of files on local disks are
asked about: opening a file of a server that is away could take for ever.
"""

import os
import stat
import time
from collections import abc
from contextlib import suppress
from typing import NamedTuple

from vmdiff.capture.file_systems import FileSystems, device_of
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model import FILE_SIZE, PAGE_CACHE, Kind, Mapping

_LARGE = 16 << 20
_MOST = 16  # mappings
_SECONDS = 0.02  # of the processor, for all of them: the kernel looks at each cached page
_STEP = 1 << 30
_CACHESTAT = 451  # wherever the kernel numbers its calls alike: all but alpha and mips
_MACHINES = frozenset({"x86_64", "aarch64", "riscv64", "s390x", "ppc64le", "loongarch64"})


class FileFacts(NamedTuple):
    """Mappings by their place in the listing, and the names of the attributes that were added to some."""

    mappings: dict[int, Mapping]
    attributes: tuple[str, ...] = ()


def with_file_facts(folder: ProcessFolder, files: FileSystems, named: abc.Mapping[int, Mapping]) -> FileFacts:
    """Add `FILE_SIZE` and `PAGE_CACHE` to the large mappings of files: None for what cannot be had.

    Nothing is added where there are none, or this kernel does not tell.
    """
    file = Kind.FILE
    files_alone = [(index, mapping) for index, mapping in named.items() if mapping.kind is file]
    large = [index for index, mapping in files_alone if (mapping.size or 0) >= _LARGE]
    if not large or not may_be_known():
        return FileFacts(dict(named))
    large = sorted(large, key=lambda index: named[index].size or 0, reverse=True)[:_MOST]
    deadline = time.thread_time() + _SECONDS
    added = {}
    for index in large:
        mapping = named[index]
        length, cached = _facts(folder, mapping, deadline) if files.is_local(mapping) else (None, None)
        facts = {FILE_SIZE: length, PAGE_CACHE: cached}
        added[index] = mapping._replace(values={**mapping.values, **facts})
    return FileFacts({**named, **added}, (FILE_SIZE, PAGE_CACHE))


def _facts(folder: ProcessFolder, mapping: Mapping, deadline: float) -> tuple[int | None, int | None]:
    """Return how many bytes of the file are in the mapping's stretch, and how many of them are cached."""
    descriptor = open_mapped(folder, mapping)
    if descriptor is None:
        return None, None
    try:
        offset = mapping.offset or 0
        length = max(0, min(mapping.size or 0, os.fstat(descriptor).st_size - offset))
        held = cached(descriptor, offset, length, deadline)
        return length, None if held is None else held.bytes
    finally:
        os.close(descriptor)


def open_mapped(folder: ProcessFolder, mapping: Mapping) -> int | None:
    """Open the very file: by its mapping where that is allowed, else by its name if that leads to it."""
    for name in (f"map_files/{mapping.start:x}-{mapping.end:x}", f"root{mapping.path}"):
        with suppress(OSError, ValueError):
            status = folder.status_of(name)
            if status is None or not stat.S_ISREG(status.st_mode):
                continue
            if name.startswith("root") and not _is_of(status, mapping):
                continue
            return folder.open(name, os.O_NONBLOCK)
    return None


def _is_of(status: os.stat_result, mapping: Mapping) -> bool:
    return (device_of(status), str(status.st_ino)) == (mapping.device, mapping.inode)


class Cached(NamedTuple):
    """Bytes of a stretch of a file that the page cache holds, and those of them that are to be written."""

    bytes: int
    dirty: int


def may_be_known() -> bool:
    """Return whether this machine numbers its system calls so that cachestat(2) can be asked."""
    return os.uname().machine in _MACHINES


def cached(descriptor: int, offset: int, size: int, deadline: float) -> Cached | None:
    """Return what is cached of a stretch of an open file; None where that is unknown, or too late.

    The *deadline* is of this thread's processor time: by the clock a busy machine would leave files unknown.
    """
    import ctypes  # 2 ms, for kernels that have cachestat()

    from vmdiff.capture.kernel_structs import CacheStat, CacheStatRange

    call = ctypes.CDLL(None, use_errno=True).syscall
    found, pages, dirty = CacheStat(), 0, 0
    for start in range(offset, offset + size, _STEP):
        stretch = CacheStatRange(start, min(_STEP, offset + size - start))
        where = ctypes.byref(stretch), ctypes.byref(found)
        if time.thread_time() > deadline or call(_CACHESTAT, descriptor, *where, 0):
            return None
        pages += found.nr_cache
        dirty += found.nr_dirty + found.nr_writeback
    page = os.sysconf("SC_PAGE_SIZE")
    return Cached(min(pages * page, size), min(dirty * page, size))
