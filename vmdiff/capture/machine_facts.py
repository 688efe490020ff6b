"""What all processes of this machine have in common: read once, however many of them are read.

Whatever this kernel does not tell, or does not show to this user, is None. Facts: proc(5).
"""

import os
import re
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from vmdiff.capture.cgroup_limit import memory_limit
from vmdiff.capture.file_systems import FileSystems
from vmdiff.capture.kernel_text import kernel_text
from vmdiff.capture.process_dir import PROC
from vmdiff.importers.procfs import process_files
from vmdiff.importers.procfs.fast_reader import KnownRecords
from vmdiff.model import Host

_HUGEPAGES = "/sys/kernel/mm/transparent_hugepage/enabled"


class Machine:
    """The machine as it is while one snapshot, or one set of them, is taken.

    *before* is the same machine earlier: what was made of its texts holds where they are the same, and users
    keep their names.
    """

    def __init__(self, proc: Path = PROC, *, before: "Machine | None" = None) -> None:
        self._proc = proc
        known = None if before is None else before.records
        self.records: KnownRecords = KnownRecords(os.sysconf("SC_PAGE_SIZE"), known)
        self._file_systems: dict[str, FileSystems] = {}
        self._earlier = {} if before is None else before._file_systems
        self._limits: dict[str | None, int | None] = {}
        self._users: dict[int, str] = {} if before is None else before._users

    @cached_property
    def host(self) -> Host:
        """The facts of the machine that a snapshot has."""
        system = os.uname()
        memory = process_files.fields(kernel_text(self._proc / "meminfo"))
        kernel = self._proc / "sys" / "kernel"
        tuning = self._proc / "sys" / "vm"
        return Host(
            name=system.nodename,
            system=system.sysname,
            kernel=system.release,
            machine=system.machine,
            page_size=os.sysconf("SC_PAGE_SIZE"),
            boot_id=kernel_text(kernel / "random" / "boot_id"),
            memory_total=process_files.kb(memory.get("MemTotal")),
            swap_total=process_files.kb(memory.get("SwapTotal")),
            overcommit_memory=process_files.number(kernel_text(tuning / "overcommit_memory")),
            max_map_count=process_files.number(kernel_text(tuning / "max_map_count")),
            transparent_hugepages=process_files.chosen(kernel_text(_HUGEPAGES)),
        )

    @cached_property
    def booted(self) -> datetime | None:
        """When the machine was started."""
        found = re.search(r"^btime ([0-9]+)$", kernel_text(self._proc / "stat") or "", re.MULTILINE)
        return datetime.fromtimestamp(int(found[1]), UTC) if found else None

    def file_systems(self, mountinfo: str | None) -> FileSystems:
        """Return the mounts of a text of ``mountinfo``; all processes of a mount namespace have the same."""
        text = mountinfo or ""
        if text not in self._file_systems:
            self._file_systems[text] = self._earlier.get(text) or FileSystems(text)
        return self._file_systems[text]

    def memory_limit(self, cgroup: str | None) -> int | None:
        """Return the smallest memory limit of the control groups that a process is in."""
        if cgroup not in self._limits:
            self._limits[cgroup] = memory_limit(cgroup)
        return self._limits[cgroup]

    def user(self, uids: str | None) -> str | None:
        """Return the name of the user, its number where it has none, for a line ``Uid`` of ``status``."""
        if not uids:
            return None
        uid = int(uids.split()[0])
        if uid not in self._users:
            self._users[uid] = _user(uid)
        return self._users[uid]


def _user(uid: int) -> str:
    import pwd  # only Unix has it, and this module is also loaded elsewhere

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
