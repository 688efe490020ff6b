"""What is known of a process besides the mappings.

Whatever this kernel does not tell, or does not show to this user, is None.
Facts: proc(5); limits are the soft ones, as they are what a process runs into.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from vmdiff.capture.machine_facts import Machine
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.capture.unmapped_files import unmapped_files
from vmdiff.importers.procfs import process_files
from vmdiff.importers.procfs.stat_line import Stat
from vmdiff.model import LONGEST_STRING, Mapping, Process, Thread

MOST_ARGUMENTS = 100_000  # that are kept; a document may have 400,000 values beside the mappings


def process_facts(
    folder: ProcessFolder,
    machine: Machine,
    stat: Stat,
    mappings: Sequence[Mapping] | None,
    *,
    arguments: bool = False,
) -> Process:
    """Gather the facts of a process with this *stat* and these *mappings*; the command line for *arguments*.

    Without mappings they are those that tell it from others, and not its threads, limits and open files.
    """
    status = process_files.fields(folder.text("status"))
    cgroup = folder.text("cgroup")
    more = {} if mappings is None else _more_facts(folder, machine, mappings, cgroup)
    return Process(
        pid=folder.pid,
        own_pid=process_files.own_pid(status),
        pid_namespace=folder.link("ns/pid"),
        parent=stat.parent,
        start_ticks=stat.start_ticks,
        started_at=_started_at(stat.start_ticks, machine),
        name=stat.name,
        executable=folder.link("exe"),
        arguments=_arguments(folder) if arguments else None,
        user=machine.user(status.get("Uid")),
        minor_faults=stat.minor_faults,
        major_faults=stat.major_faults,
        page_tables=process_files.kb(status.get("VmPTE")),
        peak_size=process_files.kb(status.get("VmPeak")),
        peak_rss=process_files.kb(status.get("VmHWM")),
        cgroup=process_files.cgroup(cgroup),
        **more,
    )


def _more_facts(
    folder: ProcessFolder, machine: Machine, mappings: Sequence[Mapping], cgroup: str | None
) -> dict[str, Any]:
    return {
        "threads": _threads(folder),
        "limits": _limits(folder.text("limits"), machine.memory_limit(cgroup)),
        "unmapped_files": unmapped_files(folder, machine, mappings),
    }


def _started_at(ticks: int, machine: Machine) -> datetime | None:
    return machine.booted and machine.booted + timedelta(seconds=ticks / os.sysconf("SC_CLK_TCK"))


def _arguments(folder: ProcessFolder) -> tuple[str, ...] | None:
    """Return the command line, cut to what a document holds; `cut_arguments` says by how much."""
    text = folder.text("cmdline")
    if text is None:
        return None
    words = text.removesuffix("\0").split("\0", MOST_ARGUMENTS)
    return tuple(word[:LONGEST_STRING] for word in words[:MOST_ARGUMENTS])


def cut_arguments(folder: ProcessFolder, kept: tuple[str, ...] | None) -> Iterator[str]:
    """Yield a doubt where the arguments that were *kept* are not all, or not whole."""
    if kept is None:
        return
    whole = (folder.text("cmdline") or "").removesuffix("\0")
    if len(kept) + sum(map(len, kept)) - 1 < len(whole):
        yield f"the command line was cut: its {len(whole):,} characters are more than a document holds"


def _threads(folder: ProcessFolder) -> tuple[Thread, ...] | None:
    """List the threads; one that ends meanwhile has no name."""
    tids = sorted(int(name) for name in folder.names("task") if name.isdigit())
    if not tids:
        return None
    return tuple(Thread(tid=tid, name=_thread_name(folder, tid)) for tid in tids)


def _thread_name(folder: ProcessFolder, tid: int) -> str | None:
    text = folder.text(f"task/{tid}/comm")
    return None if text is None else text.removesuffix("\n")


def _limits(text: str | None, group: int | None) -> process_files.Limits | None:
    """Read the soft limits and add the memory limit of the *group*."""
    found = process_files.limits(text)
    return found if group is None or found is None else found | {"cgroup_memory": group}
