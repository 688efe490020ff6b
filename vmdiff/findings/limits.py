"""What is nearly exhausted: mappings, address space, locked memory, the main stack."""

from vmdiff.findings.finding import Finding, Found
from vmdiff.findings.locked_pages import held
from vmdiff.model import Kind, Snapshot, add
from vmdiff.units import size

_NEAR = 0.8  # of a limit
_ROOT = ("root", "0")


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
