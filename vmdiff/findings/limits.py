"""What is nearly exhausted, and what a restart would change."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, counted, listed, owned
from vmdiff.model import Kind, Snapshot, add
from vmdiff.units import size

_NEAR = 0.8  # of a limit


def mapping_count(snapshot: Snapshot) -> Found:
    """Find a process that has nearly as many mappings as it may have; then mmap and mprotect fail."""
    most, count = snapshot.host.max_map_count, len(snapshot.mappings)
    if most and count >= most * _NEAR:
        message = (
            f"{count:,} mappings of at most {most:,}: then mmap fails (sysctl vm.max_map_count raises it)"
        )
        yield Finding("mapping-count", "warning", message, (f"vm.max_map_count {most:,}",))


def limits(snapshot: Snapshot) -> Found:
    """Find resource limits that are nearly reached."""
    stack = add(mapping.size for mapping in snapshot.mappings if mapping.kind is Kind.STACK)
    for limit, used, what in (
        ("address_space", snapshot.total("size"), "virtual"),
        ("locked_memory", snapshot.total("locked"), "locked"),
        ("stack", stack, "the main stack"),
    ):
        most = (snapshot.process.limits or {}).get(limit)
        if isinstance(most, int) and most and used is not None and used >= most * _NEAR:
            message = f"{what} is {size(used)}, and its limit {size(most)} ({limit.replace('_', ' ')})"
            yield Finding("limit-near", "warning", message, (f"limits.{limit} {size(most)}",))


def deleted_files(snapshot: Snapshot) -> Found:
    """Find executables and libraries that were replaced on disk while the old ones run on."""
    found = {m.path: None for m in snapshot.mappings if m.deleted and m.path and m.kind is Kind.IMAGE}
    if found:
        message = (
            f"{counted(len(found), 'executable or library file')} still in use no longer exist as such:"
            f" {listed(found)}. A restart takes up the new ones"
        )
        yield Finding("deleted-files", "notice", message, tuple(found)[:9])


def library_gaps(snapshot: Snapshot) -> Found:
    """Find the inaccessible ranges between the segments of libraries, which look large and are nothing."""
    gaps = [mapping.size or 0 for mapping in owned(snapshot, "library gap")]
    if sum(gaps) >= NOTEWORTHY:
        message = (
            f"{size(sum(gaps))} of the virtual size are {counted(len(gaps), 'gap')} between the segments of"
            " libraries: nobody can touch them, and they cost no memory"
        )
        yield Finding("library-gaps", "info", message, (f"size {size(sum(gaps))}",))


def of_after(comparison: Comparison) -> Found:
    """Tell what these rules find after, and did not before."""
    for rule in (mapping_count, limits, deleted_files, library_gaps):
        known = {(finding.id, finding.message) for finding in rule(comparison.before)}
        yield from (
            finding for finding in rule(comparison.after) if (finding.id, finding.message) not in known
        )
