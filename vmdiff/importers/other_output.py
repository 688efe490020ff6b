"""What people paste that is no list of mappings: recognised, so that it is refused by name.

Each entry: what its lines look like, how many of them it takes, what it is called, and what to give instead.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vmdiff.importers.pasted.lines import Line


class KnownOutput(NamedTuple):
    """An output that is no listing: a line that shows it, and the sentence that refuses it."""

    line: Line
    sentence: str


class _Other(NamedTuple):
    pattern: re.Pattern[str]
    name: str
    instead: str
    lines: int = 1


_SMAPS = "/proc/PID/smaps, or 'vmdiff snap PID',"
_JAVA = "'jcmd PID System.map', 'jcmd PID VM.native_memory detail' or /proc/PID/smaps"


def _other(pattern: str, name: str, instead: str = _SMAPS, lines: int = 1) -> _Other:
    return _Other(re.compile(pattern), name, instead, lines)


_OTHERS: tuple[_Other, ...] = (
    _other(r"heap profile: +\d+: +\d+ \[|heap_v2/\d+", "a heap profile of pprof or jemalloc"),
    _other(
        r"(?:File|Build ID|Type|Time|Duration): .*|Showing nodes accounting for|\s*flat\s+flat%\s+sum%",
        "a report of pprof",
        lines=2,
    ),
    _other(
        r"(?:desc|cmd|time_unit|snapshot|mem_heap_B|heap_tree)[:=]\s?\S.*",
        "a Massif profile of Valgrind",
        lines=3,
    ),
    _other(
        r"==\d+==\s+(?:Memcheck|LEAK SUMMARY|HEAP SUMMARY|Massif|DHAT|definitely lost|in use at exit)",
        "Valgrind's output",
    ),
    _other(r"\{\"dhatFileVersion\"", "a DHAT profile of Valgrind"),
    _other(
        r"# ?(?:jemalloc|___ Begin jemalloc statistics)|___ Begin jemalloc statistics ___|"
        r"Allocated: \d+, active: \d+",
        "jemalloc's statistics",
    ),
    _other(r"MALLOC:\s+\d+\s+\(\s*[\d.]+ MiB\)", "tcmalloc's statistics"),
    _other(
        r"<malloc version=|Arena \d+:|system bytes\s+=|in use bytes\s+=",
        "glibc's malloc_info or malloc_stats",
    ),
    _other(
        r"\s*num\s+#instances\s+#bytes\s+class name|\s*\d+:\s+\d+\s+\d+\s+(?:\[+[BCDFIJSZ]|"
        r"\[*L?[a-z]\w*\.\w)",
        "a class histogram of a Java virtual machine (jmap -histo, GC.class_histogram)",
        _JAVA,
    ),
    _other(
        r"Native Memory Tracking:|Total: reserved=\d+",
        "a summary of Java's native memory tracking, which has no addresses",
        "'jcmd PID VM.native_memory detail'",
    ),
    _other(
        r"(?:Heap Usage:|Heap Configuration:|using \S+ threads\.|garbage-first heap\s+total|"
        r"PSYoungGen\s+total| ?def new generation\s+total)",
        "a summary of Java's heap",
        _JAVA,
    ),
    _other(r"\[.{1,40}\]\[os,map\s*\] ", "HotSpot's log of what it maps", _JAVA),
    _other(r"MAP 0x[0-9a-f]+: \[0x", "pmap -d of a BSD", "'pmap -a' or procmap"),
    _other(r"\s*S0C\s+S1C|\s*S0\s+S1\s+E\s+O", "the output of jstat", _JAVA),
    _other(
        r"Full thread dump |\"[^\"]+\" #\d+ .*(?:prio|os_prio)=",
        "a thread dump of a Java virtual machine",
        _JAVA,
    ),
    _other(
        r"top - \d\d:\d\d:\d\d up|(?:KiB|MiB|GiB)? ?Mem ?:.*(?:total|free)|"
        r"\s*PID\s+USER\s+PR\s+NI\s+VIRT\s+RES|PhysMem: |Mem: [\d.]+[KMG]? used",
        "the output of top",
    ),
    _other(
        r"\s*PID\s+(?:User|USER)\s+Command\s+Swap\s+USS\s+PSS\s+RSS|\s*(?:Area|Map|User|"
        r"Command)\s+.*\bPSS\b",
        "the output of smem",
    ),
    _other(
        r"\s*(?:USER\s+PID\s+%CPU\s+%MEM|PID\s+TTY\s+(?:STAT\s+)?TIME|F\s+(?:S\s+)?UID\s+PID|"
        r"UID\s+PID\s+PPID|PID\s+(?:%?\w+\s+)*?(?:RSS|VSZ|RSZ|COMMAND|CMD))\b",
        "the output of ps",
    ),
    _other(r"\s*total\s+used\s+free(?:\s+shared)?", "the output of free"),
    _other(r"procs -+memory-+|\s*r\s+b\s+swpd\s+free\s+buff", "the output of vmstat"),
    _other(
        r"(?:MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|Slab|AnonPages|"
        r"Committed_AS):\s+\d+ kB",
        "/proc/meminfo, of the whole machine",
        lines=2,
    ),
    _other(
        r"(?:Vm(?:Peak|Size|RSS|Data|HWM|Lck|Stk|Exe|Lib|PTE|Swap)|RssAnon|RssFile):\s+\d+ kB",
        "/proc/PID/status, which has totals only",
        "/proc/PID/smaps",
        lines=2,
    ),
    _other(
        r"(?:anon|file|kernel_stack|pagetables|active_anon|inactive_anon|total_rss|total_cache|"
        r"pgfault|mapped_file|hierarchical_memory_limit) \d+",
        "a cgroup's memory.stat",
        "/proc/PID/smaps of its processes",
        lines=3,
    ),
    _other(
        r"slabinfo - version|\s*OBJS\s+ACTIVE\s+USE|# name\s+<active_objs>", "the kernel's slab statistics"
    ),
    _other(
        r".*(?:invoked oom-killer|Out of memory: Kill(?:ed)? process)|"
        r"\[\s*pid\s*\]\s+uid\s+tgid\s+total_vm",
        "the kernel's report of running out of memory",
    ),
    _other(
        r"Mem-Info:|Node \d+ (?:DMA|Normal|active_anon)", "the kernel's report of the whole machine's memory"
    ),
    _other(
        r"\*\* MEMINFO in pid \d+|\s*App Summary|Applications Memory Usage",
        "Android's 'dumpsys meminfo'",
        "'showmap -a PID' or /proc/PID/smaps",
    ),
    _other(
        r"Process \d+: \d+ nodes malloced|Process \d+: \d+ leaks? for|leaks Report Version",
        "the output of macOS leaks",
        "'vmmap PID'",
    ),
    _other(
        r"Process \d+: \d+ zones|All zones: \d+ nodes malloced|Zone \S+: \d+ nodes",
        "the output of macOS heap",
        "'vmmap PID'",
    ),
    _other(r"Line #\s+Mem usage\s+Increment", "a report of memory_profiler"),
    _other(
        r".*: size=[\d.]+ [KMG]?i?B(?: \(\+[\d.]+ [KMG]?i?B\))?, count=\d+",
        "the output of Python's tracemalloc",
    ),
    _other(r"Partition of a set of \d+ objects", "the output of guppy (heapy)"),
    _other(
        r"MemoryUsage|\{ ?rss: \d+|\s*heapTotal: \d+|\s*\"?(?:heapUsed|heapTotal)\"?: \d+",
        "Node's process.memoryUsage()",
        "/proc/PID/smaps",
    ),
    _other(r"\{\"snapshot\":\{\"meta\"", "a V8 heap snapshot"),
    _other(
        r"gc \d+ @[\d.]+s \d+%: |# (?:Alloc|TotalAlloc|HeapSys|HeapInuse) = \d+|scvg",
        "the Go runtime's memory statistics",
    ),
    _other(
        r"\s*section\s+size\s+addr|\s*text\s+data\s+bss\s+dec|There are \d+ section headers|"
        r"Elf file type is|Program Headers:|Sections:",
        "a description of an ELF file (readelf, objdump, size)",
    ),
    _other(
        r"Archive member included|Memory Configuration|Linker script and memory map|"
        r"Discarded input sections",
        "a linker's map file",
    ),
    _other(r"\s*linux-vdso\.so\.1 |\s*lib\S+ => /\S+ \(0x[0-9a-f]+\)", "the output of ldd"),
    _other(
        r"(?:BIOS-e820|BIOS-provided physical RAM map|[0-9a-f]{8,16}-[0-9a-f]{8,16} : (?:System RAM|"
        r"Reserved|PCI|ACPI|\S+))",
        "the physical memory map (e820, /proc/iomem)",
    ),
    _other(r"0x[0-9a-f]{16}-0x[0-9a-f]{16} +\d+ \S+\+0x", "/proc/vmallocinfo, of the kernel"),
    _other(r"COMMAND\s+PID\s+(?:TID\s+)?(?:TASKCMD\s+)?USER\s+FD", "the output of lsof"),
    _other(
        r"(?:\d+\s+)?(?:mmap|munmap|brk|openat|execve|mprotect)\(.*\)\s+= ", "the output of strace", lines=2
    ),
    _other(r"Samples: .* of event|# Overhead\s+Command|# Children\s+Self", "a report of perf"),
    _other(
        r"[0-9a-f]{4,16} (?:default|bind|interleave|prefer|local)\b", "/proc/PID/numa_maps, which has no ends"
    ),
    _other(
        r"\[TITLE\]|\s*ImageName\s+PID|Image Name\s+PID Session", "the output of tasklist", "VMMap's CSV file"
    ),
    _other(
        r"Process Name:.*|Mapping Name.*|windbg>|0:000> ",
        "the output of a Windows debugger",
        "VMMap's CSV file",
    ),
    _other(r"(?:Traceback \(most recent call last\)|panic: |goroutine \d+ \[)", "a stack trace"),
)


def name_of_output(lines: Sequence[Line]) -> KnownOutput | None:
    """Return what a text is that holds no listing, None if it is nothing known."""
    for other in _OTHERS:
        found = [line for line in lines[:20_000] if other.pattern.match(line.text[:500])][: other.lines]
        if len(found) == other.lines:
            sentence = (
                f"this looks like {other.name}; vmdiff reads {other.instead.rstrip(',')} of the same process"
            )
            return KnownOutput(found[0], sentence)
    return None
