"""What is known of a process and its host besides the mappings.

Whatever this kernel does not tell, or does not show to this user, is None.
Facts: proc(5); limits are the soft ones, as they are what a process runs into.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from vmdiff.capture.cgroup_limit import memory_limit
from vmdiff.capture.process_dir import PROC, ProcessFolder
from vmdiff.model import LONGEST_STRING, Host, Process, Thread

KB = 1024
MOST_ARGUMENTS = 100_000  # that are kept; a document may have 400,000 values beside the mappings
_LIMIT = re.compile(r"Max (.+?)(?: size)? {2,}(\S+) +(\S+)")


def process_facts(folder: ProcessFolder, *, arguments: bool = False, proc: Path = PROC) -> Process:
    """Gather the facts of a process; its command line only where *arguments* asks for it."""
    stat = folder.stat()
    status = _fields(folder.text("status"))
    cgroup = folder.text("cgroup")
    return Process(
        pid=folder.pid,
        pid_namespace=folder.link("ns/pid"),
        parent=stat.parent,
        start_ticks=stat.start_ticks,
        started_at=_started_at(stat.start_ticks, proc),
        name=stat.name,
        executable=folder.link("exe"),
        arguments=_arguments(folder) if arguments else None,
        user=_user(status.get("Uid")),
        threads=_threads(folder),
        minor_faults=stat.minor_faults,
        major_faults=stat.major_faults,
        page_tables=_kb(status.get("VmPTE")),
        peak_size=_kb(status.get("VmPeak")),
        peak_rss=_kb(status.get("VmHWM")),
        limits=_limits(folder.text("limits"), memory_limit(cgroup)),
        cgroup=_cgroup(cgroup),
    )


def host_facts(proc: Path = PROC) -> Host:
    """Gather the facts of this machine."""
    system = os.uname()
    memory = _fields(_read(proc / "meminfo"))
    return Host(
        name=system.nodename,
        system=system.sysname,
        kernel=system.release,
        machine=system.machine,
        page_size=os.sysconf("SC_PAGE_SIZE"),
        boot_id=_read(proc / "sys/kernel/random/boot_id"),
        memory_total=_kb(memory.get("MemTotal")),
        swap_total=_kb(memory.get("SwapTotal")),
        overcommit_memory=_number(_read(proc / "sys/vm/overcommit_memory")),
        max_map_count=_number(_read(proc / "sys/vm/max_map_count")),
        transparent_hugepages=_chosen(_read(Path("/sys/kernel/mm/transparent_hugepage/enabled"))),
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="backslashreplace").strip()
    except OSError:
        return None


def _fields(text: str | None) -> dict[str, str]:
    """Read ``Key: value`` lines."""
    lines = (line.partition(":") for line in (text or "").split("\n"))
    return {key: value.strip() for key, colon, value in lines if colon}


def _kb(text: str | None) -> int | None:
    """Read ``123 kB`` as bytes."""
    words = (text or "").split()
    return int(words[0]) * KB if len(words) == 2 and words[0].isdigit() and words[1] == "kB" else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _chosen(text: str | None) -> str | None:
    """Give the word in square brackets: ``always [madvise] never``."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found[1] if found else None


def _started_at(ticks: int, proc: Path) -> datetime | None:
    found = re.search(r"^btime ([0-9]+)$", _read(proc / "stat") or "", re.MULTILINE)
    if found is None:
        return None
    boot = datetime.fromtimestamp(int(found[1]), UTC)
    return boot + timedelta(seconds=ticks / os.sysconf("SC_CLK_TCK"))


def _arguments(folder: ProcessFolder) -> tuple[str, ...] | None:
    """Return the command line, cut to what a document holds; `cut_arguments` says by how much."""
    text = folder.text("cmdline")
    if text is None:
        return None
    words = text.removesuffix("\0").split("\0", MOST_ARGUMENTS)
    return tuple(word[:LONGEST_STRING] for word in words[:MOST_ARGUMENTS])


def cut_arguments(folder: ProcessFolder, kept: tuple[str, ...] | None) -> Iterator[str]:
    """Yield a doubt where the arguments that were *kept* are not all, or not whole."""
    whole = (folder.text("cmdline") or "").removesuffix("\0")
    if kept is not None and len(kept) + sum(map(len, kept)) - 1 < len(whole):
        yield f"the command line was cut: its {len(whole):,} characters are more than a document holds"


def _user(uids: str | None) -> str | None:
    if not uids:
        return None
    uid = int(uids.split()[0])
    import pwd  # only Unix has it, and this module is also loaded elsewhere

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _threads(folder: ProcessFolder) -> tuple[Thread, ...] | None:
    """List the threads; one that ends meanwhile has no name."""
    tids = sorted(int(name) for name in folder.names("task") if name.isdigit())
    if not tids:
        return None
    return tuple(Thread(tid=tid, name=_thread_name(folder, tid)) for tid in tids)


def _thread_name(folder: ProcessFolder, tid: int) -> str | None:
    text = folder.text(f"task/{tid}/comm")
    return None if text is None else text.removesuffix("\n")


def _limits(text: str | None, group: int | None) -> dict[str, int | Literal["unlimited"]] | None:
    """Read the soft limits: ``Max stack size  8388608  unlimited  bytes`` is ``stack``; add the *group*'s."""
    if text is None:
        return None
    found = (_LIMIT.match(line) for line in text.split("\n"))
    limits: dict[str, int | Literal["unlimited"]] = {
        match[1].lower().replace(" ", "_"): int(match[2]) if match[2].isdigit() else "unlimited"
        for match in found
        if match
    }
    return limits if group is None else limits | {"cgroup_memory": group}


def _cgroup(text: str | None) -> str | None:
    """Give the path in the unified hierarchy, or the first there is (cgroup v1)."""
    lines = [line.split(":", 2) for line in (text or "").split("\n") if line.count(":") >= 2]
    unified = [path for number, _, path in lines if number == "0"]
    paths = unified or [path for _, _, path in lines]
    return paths[0] if paths else None
