"""Which mapped files may be opened: those whose file system answers without a server.

To open, or only to look at, a file of NFS, FUSE or a virtual machine's host waits for that server, for ever
if it is gone, and in a sleep that not even SIGKILL ends. So what is not known to be local is not touched.
Facts: proc_pid_mountinfo(5). ``maps`` and ``mountinfo`` print the same device number, that of the superblock.
"""

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from vmdiff.model import Mapping

# File systems without a block device that keep their files in this machine's memory or on its disks.
_LOCAL = frozenset(
    {"bcachefs", "btrfs", "devtmpfs", "hugetlbfs", "overlay", "ramfs", "rootfs", "tmpfs", "zfs"}
)
_IN_MEMORY = frozenset({"devtmpfs", "ramfs", "rootfs", "tmpfs"})
# With these a server may stand between the block device and us, or mounting happens on the way.
_WITH_SERVER = frozenset({"autofs", "fuseblk", "gfs2", "ocfs2"})
# Objects of the kernel's own, which have no place in a file system: mm/shmem.c, mm/memfd.c, ipc/shm.c,
# mm/hugetlb.c, mm/secretmem.c, fs/aio.c, drivers/gpu/drm.
KERNELS_OWN = re.compile(
    r"/memfd:|/SYSV[0-9a-f]{8}$|/dev/zero$|/anon_hugepage$|/secretmem$|/\[aio\]$|/drm mm object$|/i915$"
)


class Mount(NamedTuple):
    """A row of ``mountinfo``; *device* as ``maps`` spells it."""

    number: str
    device: str
    point: str
    type: str


class FileSystems:
    """The mounts that a process sees, by the text of its ``mountinfo``."""

    def __init__(self, mountinfo: str) -> None:
        self._mounts = tuple(_mounts(mountinfo.split("\n")))
        self._known: dict[tuple[str, str], bool] = {}

    def is_local(self, mapping: Mapping) -> bool:
        """Return whether the file of a mapping can be looked at without waiting for a server."""
        place = (mapping.device or "00:00", mapping.path or "")
        if place not in self._known:
            local = self._is_local(place[0]) and not self._leads_elsewhere(place[1])
            self._known[place] = local or KERNELS_OWN.match(place[1]) is not None
        return self._known[place]

    def local_mount(self, number: str) -> Mount | None:
        """Return the mount of that number if its files can be looked at without waiting for a server."""
        found = next((mount for mount in self._mounts if mount.number == number), None)
        return found if found is not None and self._is_local(found.device) else None

    def in_memory(self, device: str) -> bool:
        """Return whether files of a device are nowhere but in memory (tmpfs and its kind)."""
        return any(mount.device == device and mount.type in _IN_MEMORY for mount in self._mounts)

    def _is_local(self, device: str) -> bool:
        types = {mount.type for mount in self._mounts if mount.device == device}
        if device.startswith("00:"):
            return device in self._own or (bool(types) and types <= _LOCAL)
        return not types & _WITH_SERVER

    @cached_property
    def _own(self) -> frozenset[str]:
        """Where Python itself was loaded from: if that did not answer, this would not run."""
        found = set()
        for path in (os.sep, sys.executable, __file__):
            with suppress(OSError, TypeError):
                found.add(device_of(os.stat(path)))  # noqa: PTH116
        return frozenset(found)

    def _leads_elsewhere(self, path: str) -> bool:
        """Return whether the way to a path passes a mount that is not local."""
        return any(path == point or path.startswith(f"{point}/") for point in self._distant)

    @cached_property
    def _distant(self) -> tuple[str, ...]:
        return tuple({m.point for m in self._mounts if m.point != "/" and not self._is_local(m.device)})


def device_of(status: os.stat_result) -> str:
    """Return the device of a file as ``maps`` spells it."""
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"


def _mounts(lines: Iterable[str]) -> Iterable[Mount]:
    """Read rows: ``36 35 98:0 /root /mount/point options [optional] - type source options``."""
    for line in lines:
        head, dash, tail = line.partition(" - ")
        words = head.split(" ")
        if dash and len(words) >= 5:
            major, _, minor = words[2].partition(":")
            point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), words[4])
            device = f"{int(major):02x}:{int(minor):02x}"
            yield Mount(words[0], device, point, tail.split(" ")[0])
