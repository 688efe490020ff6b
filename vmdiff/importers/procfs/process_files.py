"""The small text files of ``/proc``, taken apart: ``status``, ``limits``, ``cgroup``, ``meminfo``.

Whatever a text does not tell is None. Facts: proc(5); limits are the soft ones, as they are what a process
runs into.
"""

import re
from collections.abc import Mapping
from typing import Literal

KB = 1024
_LIMIT = re.compile(r"Max (.+?)(?: size)? {2,}(\S+) +(\S+)")

# Keys of /proc/PID/status (fs/proc/array.c, fs/proc/task_mmu.c).
_STATUS = """
Name Umask State Tgid Ngid Pid PPid TracerPid Uid Gid FDSize Groups NStgid NSpid NSpgid NSsid
Kthread VmPeak VmSize VmLck VmPin VmHWM VmRSS RssAnon RssFile RssShmem VmData VmStk VmExe VmLib
VmPTE VmPMD VmSwap HugetlbPages CoreDumping THP_enabled untag_mask Threads SigQ SigPnd ShdPnd SigBlk
SigIgn SigCgt CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters
Speculation_Store_Bypass SpeculationIndirectBranch Cpus_allowed Cpus_allowed_list Mems_allowed
Mems_allowed_list voluntary_ctxt_switches nonvoluntary_ctxt_switches SleepAVG VmReserved
x86_Thread_features x86_Thread_features_locked
"""
STATUS_KEYS = frozenset(_STATUS.split())

Limits = dict[str, int | Literal["unlimited"]]


def fields(text: str | None) -> dict[str, str]:
    """Read ``Key: value`` lines."""
    lines = (line.partition(":") for line in (text or "").split("\n"))
    return {key: value.strip() for key, colon, value in lines if colon}


def kb(text: str | None) -> int | None:
    """Read ``123 kB`` as bytes."""
    words = (text or "").split()
    known = len(words) == 2 and words[0].isascii() and words[0].isdigit() and words[1] == "kB"
    return int(words[0]) * KB if known else None


def number(text: str | None) -> int | None:
    """Read a text that is one number."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def chosen(text: str | None) -> str | None:
    """Return the word in square brackets: ``always [madvise] never``."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found[1] if found else None


def own_pid(status: Mapping[str, str]) -> int | None:
    """Return a process's number in its own pid namespace: the last of ``NSpid`` (since Linux 4.1)."""
    return number(next(reversed(status.get("NSpid", "").split()), None))


def limits(text: str | None) -> Limits | None:
    """Read the soft limits: ``Max stack size  8388608  unlimited  bytes`` is ``stack``."""
    if text is None:
        return None
    found = (_LIMIT.match(line) for line in text.split("\n"))
    return {
        match[1].lower().replace(" ", "_"): int(match[2]) if match[2].isdigit() else "unlimited"
        for match in found
        if match
    }


def cgroup(text: str | None) -> str | None:
    """Return the path in the unified hierarchy, or the first there is (cgroup v1)."""
    lines = [line.split(":", 2) for line in (text or "").split("\n") if line.count(":") >= 2]
    unified = [path for index, _, path in lines if index == "0"]
    paths = unified or [path for _, _, path in lines]
    return paths[0] if paths else None
