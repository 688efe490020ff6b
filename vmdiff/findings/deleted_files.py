"""Files that were deleted and are still in use, mapped or only open."""

from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, counted, listed
from vmdiff.model import Kind, Snapshot, add
from vmdiff.units import size

_PASSING = ("/tmp/", "/var/tmp/", "/run/", "/dev/shm/")  # noqa: S108  # where programs unpack what they load


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
