"""What backs a mapping, as far as the listing alone tells."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """What backs a mapping."""

    IMAGE = "image"  # a private mapping of an executable or library
    FILE = "file"  # any other file
    SHARED_MEMORY = "shared-memory"  # /dev/shm, memfd, SysV, shared anonymous
    HEAP = "heap"  # [heap]
    STACK = "stack"  # [stack]
    ANONYMOUS = "anonymous"
    RESERVED = "reserved"  # inaccessible, nothing behind it
    KERNEL = "kernel"  # vdso, vvar, vsyscall, uprobes
    DEVICE = "device"


_LIBRARY = re.compile(r"\.so(\.[0-9][^/]*)?$|/ld-[^/]*\.so|\.(dylib|node|oat|odex)$")
_SHARED_MEMORY = re.compile(
    r"/memfd:|/SYSV[0-9a-fA-F]{8}$|/dev/shm/|/run/shm/|/dev/hugepages/|/dev/ashmem"
    r"|/secretmem$|\[anon_shmem:|\[shmem:|/shm_open|/PSM_"
)
_DEVICE = re.compile(r"/dev/|/dmabuf|/drm mm object$|/i915$|/proc/bus/pci/|/sys/.*/resource[0-9]")
_ANONYMOUS_WHEN_PRIVATE = re.compile(r"/dev/zero$|/anon_hugepage$|/dev/ashmem")


@lru_cache(maxsize=4096)
def kind_of(path: str | None, perms: str, *, image: bool = False) -> Kind:
    """Name what backs a mapping from its *path* (None: nothing named) and *perms* (``rw-p``).

    *image* says that the listing maps the same file executable somewhere (see `images`).
    """
    shared = perms[3] == "s"
    if path is None or path.startswith("[anon:") or path == "[anonymous]":
        return _nameless(perms)
    if path.startswith("["):
        return _pseudo(path)
    if path.startswith("anon_inode:"):
        return Kind.DEVICE if re.search("i915|kvm|dma", path) else Kind.KERNEL
    if _ANONYMOUS_WHEN_PRIVATE.match(path):
        return _nameless(perms)
    if _SHARED_MEMORY.match(path):
        return Kind.SHARED_MEMORY
    if path == "/[aio]":
        return Kind.KERNEL
    if _DEVICE.match(path):
        return Kind.DEVICE
    if not shared and (image or _LIBRARY.search(path)):
        return Kind.IMAGE
    return Kind.FILE


def _nameless(perms: str) -> Kind:
    """Return the kind of memory without a file of its own."""
    if perms[3] == "s":
        return Kind.SHARED_MEMORY
    return Kind.RESERVED if perms.startswith("---") else Kind.ANONYMOUS


def images(files: Iterable[tuple[str | None, str]]) -> frozenset[str]:
    """Return the paths that are executables or libraries: those of ``(path, perms)`` mapped executable."""
    return frozenset(path for path, perms in files if path and perms[2] == "x")


def _pseudo(path: str) -> Kind:
    if path.startswith("[heap"):
        return Kind.HEAP
    if path.startswith("[stack"):
        return Kind.STACK
    if path.startswith(("[anon_shmem:", "[shmem")):
        return Kind.SHARED_MEMORY
    return Kind.KERNEL
