"""What stands beside a listing: ``/proc/PID/status``, a cgroup's ``memory.stat``, commands, prose.

Facts: fs/proc/array.c and task_mmu.c (status: Vm... in kB); mm/memcontrol.c (memory.stat in bytes).
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from vmdiff import units
from vmdiff.importers.numbers import kilobytes, whole
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.procfs.process_files import STATUS_KEYS
from vmdiff.model import Process, Snapshot

_STATUS = re.compile(r"([A-Za-z_][A-Za-z0-9_]{1,40}):[ \t]*(.{0,4096})")
_MEMORY_STAT = re.compile(
    r"((?:anon|file|kernel|kernel_stack|pagetables|sec_pagetables|percpu|sock|vmalloc|shmem|zswap|zswapped|file_mapped|"
    r"file_dirty|file_writeback|swapcached|anon_thp|file_thp|shmem_thp|(?:in)?active_(?:anon|file)|unevictable|"
    r"slab(?:_un)?(?:_?reclaimable)?|workingset_\w{1,30}|pg\w{1,30}|thp_\w{1,30}|cache|rss|rss_huge|mapped_file|dirty|"
    r"writeback|swap|hierarchical_\w{1,30}|total_\w{1,30}|numa_\w{1,30}|zswp\w{1,10}))\s+([0-9]{1,20})"
)
_SHOWN_OF_CGROUP = ("anon", "file", "shmem", "kernel", "slab", "rss", "cache", "swap")
_PROMPT = (
    r"(?:\(gdb\)\s*|\S{0,30}[➤>$]\s+|\S{0,60}\s?[#$%>]\s*"
    r"|\S{1,60}\s\S{1,60}[#$%>]\s|\[.{1,60}\][#$%]\s*|\+\s)"
)
_TOOLS = (
    r"(?:pmap|cat|grep|awk|sed|head|tail|vmmap|procstat|showmap|dumpsys|gdb|info proc|jcmd|jmap|ps|procmap"
    r"|less|sort|pidof|pgrep|adb|kubectl|docker|podman|ssh|oc)\b"
)
_COMMAND = re.compile(
    rf"{_PROMPT}?(?:sudo\s+|time\s+|watch\s.{{0,20}}|while\s.{{0,60}})?(?:\S{{0,60}}/)?{_TOOLS}.{{0,300}}"
    rf"|[#$%>]\s.{{1,200}}\b{_TOOLS}.{{0,300}}",
    re.DOTALL,
)
_LONGEST_COMMAND = 400
_TOOL = re.compile(_TOOLS)
_PROMPT_ALONE = re.compile(r"(?:\S{0,30}[@:]\S{0,60}|\[.{1,60}\])\s?[#$%>]\s{0,9}")
_OF_THE_SHELL = re.compile(
    r"(?:Aborted|Segmentation fault|Killed|Bus error)(?: \(core dumped\))?|logout|exit|\^[CDZ]"
)


class Surroundings(NamedTuple):
    """What was found beside a listing; *unread* and *facts_on* are numbers of lines."""

    process: dict[str, Any]
    sentences: list[str]
    facts_on: list[int]
    unread: list[int]

    def add_to(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the facts of its process that its listing does not tell."""
        known = snapshot.process
        pid = self.process.get("pid")
        if not self.process or (None not in (pid, known.pid) and pid != known.pid):
            return snapshot
        update = {name: value for name, value in self.process.items() if getattr(known, name) is None}
        return snapshot.model_copy(update={"process": Process(**{**dict(known), **update})})


def surroundings_of(lines: Sequence[Line]) -> Surroundings:
    """Sort out the lines that belong to no listing."""
    status: dict[str, str] = {}
    cgroup: dict[str, int] = {}
    facts_on: list[int] = []
    unread: list[int] = []
    for line in lines:
        text = line.text.strip()
        if (found := _STATUS.fullmatch(text)) and found[1] in STATUS_KEYS:
            status.setdefault(found[1], found[2].strip())
            facts_on.append(line.number)
        elif (found := _MEMORY_STAT.fullmatch(text)) and (number := whole(found[2])) is not None:
            cgroup.setdefault(found[1], number)
            facts_on.append(line.number)
        elif not _is_of_the_shell(text):
            unread.append(line.number)
    return Surroundings(_process(status), list(_of_cgroup(cgroup)), facts_on, unread)


def _is_of_the_shell(text: str) -> bool:
    """Return whether a line is a command, a prompt, or what the shell says of a program that ended."""
    if _TOOL.search(text[:_LONGEST_COMMAND]) and _COMMAND.fullmatch(text[:_LONGEST_COMMAND]):
        return True
    return _PROMPT_ALONE.fullmatch(text) is not None or _OF_THE_SHELL.fullmatch(text) is not None


def _process(status: dict[str, str]) -> dict[str, Any]:
    """Return fields of `Process` from the lines of ``/proc/PID/status``; nothing if these are not of one."""
    if not {"Pid", "Tgid", "VmRSS", "VmSize", "VmPeak", "VmHWM"} & status.keys():
        return {}
    found = {
        "pid": whole(status.get("Tgid") or status.get("Pid", "")),
        "parent": whole(status.get("PPid", "")),
        "name": status.get("Name"),
        "peak_size": kilobytes(status.get("VmPeak", "")),
        "peak_rss": kilobytes(status.get("VmHWM", "")),
        "page_tables": kilobytes(status.get("VmPTE", "")),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _of_cgroup(stat: dict[str, int]) -> Sequence[str]:
    shown = [f"{name} {units.size(stat[name])}" for name in _SHOWN_OF_CGROUP if name in stat]
    if len(stat) < 3 or not shown:
        return ()
    return (f"memory.stat beside it, of all processes of the cgroup: {', '.join(shown)}",)
