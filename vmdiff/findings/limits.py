"""What is nearly exhausted, and what a restart would change."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, counted, listed, owned
from vmdiff.findings.locked_pages import held
from vmdiff.model import Kind, Snapshot, add
from vmdiff.units import size

_NEAR = 0.8  # of a limit
_ROOT = ("root", "0")
_PASSING = ("/tmp/", "/var/tmp/", "/run/", "/dev/shm/")  # noqa: S108  # where programs unpack what they load


def mapping_count(snapshot: Snapshot) -> Found:
    """Find a process that has nearly as many mappings as it may have; then mmap and mprotect fail."""
    most, count = snapshot.host.max_map_count, len(snapshot.mappings)
    if most and count >= most * _NEAR:
        message = (
            f"{count:,} mappings of at most {most:,}: then mmap fails (sysctl vm.max_map_count raises it)"
        )
        yield Finding("mapping-count", "warning", message, (f"vm.max_map_count {most:,}",))


def limits(snapshot: Snapshot) -> Found:
    """Find resource limits that are nearly reached.

    Precondition: the limit binds this process. RLIMIT_MEMLOCK does not bind who may lock anyway
    (CAP_IPC_LOCK, which root has), and counts the size of locked mappings, not the share that ``Locked`` is.
    """
    main = Kind.STACK
    stack = add([mapping.size for mapping in snapshot.mappings if mapping.kind is main])
    for limit, used, what in (
        ("address_space", snapshot.total("size"), "virtual"),
        ("locked_memory", None if snapshot.process.user in _ROOT else held(snapshot, "size"), "locked"),
        ("stack", stack, "the main stack"),
    ):
        most = (snapshot.process.limits or {}).get(limit)
        if isinstance(most, int) and most and used is not None and used >= most * _NEAR:
            message = f"{what} is {size(used)}, and its limit {size(most)} ({limit.replace('_', ' ')})"
            yield Finding("limit-near", "warning", message, (f"limits.{limit} {size(most)}",))


def deleted_files(snapshot: Snapshot) -> Found:
    """Find executables and libraries that were replaced or deleted on disk while the old ones run on.

    Precondition: the kernel says that they are deleted. That a restart loads newer ones is said only of
    files in places where programs are installed: many programs unpack a library, load and delete it.
    """
    found = {m.path: None for m in snapshot.mappings if m.deleted and m.path and m.kind is Kind.IMAGE}
    if found:
        installed = not any(path.startswith(_PASSING) for path in found)
        advice = ". If that was an upgrade, a restart loads the new ones" if installed else ""
        message = (
            f"{counted(len(found), 'executable or library file')} in use, deleted or replaced on disk:"
            f" {listed(found)}{advice}"
        )
        yield Finding("deleted-files", "notice", message, tuple(found)[:9])


def deleted_data(snapshot: Snapshot) -> Found:
    """Find files that were deleted and are still mapped: their disk space is not free.

    Precondition: the kernel says that they are deleted, and they are files on a file system, neither
    code nor shared memory.
    """
    gone = [m for m in snapshot.mappings if m.deleted and m.path and m.kind is Kind.FILE]
    mapped = sum(mapping.size or 0 for mapping in gone)
    if mapped >= NOTEWORTHY:
        resident = add(snapshot.value(mapping, "rss") for mapping in gone)
        told = "" if resident is None else f", {size(resident)} of it resident"
        paths = dict.fromkeys(mapping.path or "" for mapping in gone)
        message = (
            f"{listed(paths)}: deleted and still mapped ({size(mapped)}{told}); the space on its file system"
            " is free when it is unmapped and closed everywhere, and has no other name"
        )
        yield Finding("deleted-data", "notice", message, tuple(paths)[:9])


def unmapped_files(snapshot: Snapshot) -> Found:
    """Find memfds and deleted files that are open and not mapped: no mapping shows what they hold.

    Precondition: their file system says that they are in no folder, and what they take.
    """
    found = snapshot.process.unmapped_files or ()
    memory, disk = ([one for one in found if one.memfd is which] for which in (True, False))
    if (held := sum(one.held for one in memory)) >= NOTEWORTHY:
        names = dict.fromkeys(one.path for one in memory)
        message = (
            f"{counted(len(memory), 'memfd')} open and not mapped ({listed(names)}): {size(held)} of memory"
            " that no mapping shows, free only when closed everywhere"
        )
        yield Finding("open-memfds", "notice", message, tuple(names)[:9])
    if (held := sum(one.held for one in disk)) >= NOTEWORTHY:
        names = dict.fromkeys(one.path for one in disk)
        message = (
            f"{listed(names)}: deleted and open, not mapped ({size(held)}); the space on its file system"
            " is free only when it is closed everywhere"
        )
        yield Finding("deleted-open", "notice", message, tuple(names)[:9])


def library_gaps(snapshot: Snapshot) -> Found:
    """Find the inaccessible ranges between the segments of libraries, which look large and are nothing.

    Precondition: the dynamic linker left them inaccessible, and no page of them is in memory.
    """
    gaps = [mapping.size or 0 for mapping in owned(snapshot, "library gap")]
    filled = any(snapshot.value(mapping, "rss") for mapping in owned(snapshot, "library gap"))
    if sum(gaps) >= NOTEWORTHY and not filled:
        message = (
            f"{size(sum(gaps))} of the virtual size are {counted(len(gaps), 'gap')} between the segments of"
            " libraries: nobody can touch them, and they cost no memory"
        )
        yield Finding("library-gaps", "info", message, (f"size {size(sum(gaps))}",))


def of_after(comparison: Comparison) -> Found:
    """Yield what these rules find after, and did not before."""
    for rule in (mapping_count, limits, deleted_files, deleted_data, unmapped_files, library_gaps):
        if found := list(rule(comparison.after)):
            known = {(finding.id, finding.message) for finding in rule(comparison.before)}
            yield from (finding for finding in found if (finding.id, finding.message) not in known)
