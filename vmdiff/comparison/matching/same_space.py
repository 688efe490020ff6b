"""Whether two snapshots show one address space, so that equal addresses mean the same memory.

An address space is known by the identity of its process (boot, pid namespace, pid, start time and
executable) and by landmarks that address space layout randomisation puts somewhere else each time: the
loader, libc, the end of ``[stack]`` and ``[vdso]``. A fork shares its parent's landmarks without its pid;
after an exec the pid is the same and the landmarks are not. ``[vsyscall]`` and images at fixed addresses
are where they are in every process, so they prove nothing.
"""

import re
from typing import NamedTuple

from vmdiff.comparison.match_mode import Match
from vmdiff.model import Kind, Mapping, Process, Snapshot, base_name, split_deleted

_LOADER = re.compile(r"(?:ld[-.0-9][^/]*\.so[.0-9]*|ld\.so[.0-9]*|ld-musl[^/]*|linker(?:64)?|dyld)$")
_LIBC = re.compile(r"(?:libc[-.0-9]*\.so[.0-9]*|libc\.musl[^/]*|ld-musl[^/]*)$")

_GUARD_PAGES = (4096, 16384, 65536)
LIBRARIES = ("the loader", "libc")
KERNEL = ("[stack]", "[vdso]")


class Recognition(NamedTuple):
    """How two snapshots are to be matched, and the sentence that says why."""

    match: Match
    reason: str


def recognise(before: Snapshot, after: Snapshot) -> Recognition:
    """Return whether addresses of two snapshots mean the same memory, and the evidence."""
    if obstacle := obstacle_to_addresses(before, after):
        return Recognition(Match.STRUCTURE, obstacle)
    places_before, places_after = _landmarks(before), _landmarks(after)
    shared = [name for name in (*LIBRARIES, *KERNEL) if name in places_before and name in places_after]
    moved = [name for name in shared if places_before[name] != places_after[name]]
    if "[stack]" in moved and _is_one_stack(before, after):
        moved.remove("[stack]")
    if _same_start(before, after):
        return _of_one_process(before.process, after.process, [name for name in moved if name in KERNEL])
    if _other_program(before.process, after.process):
        return Recognition(
            Match.STRUCTURE, f"the programs differ: {_programs(before.process, after.process)}"
        )
    if moved or not _prove_a_layout(shared, {*places_before, *places_after}):
        return Recognition(Match.STRUCTURE, _why_different(before, after, moved))
    return Recognition(
        Match.ADDRESS, f"{_listed(shared)} are at the same addresses, as in a fork or without ASLR"
    )


def obstacle_to_addresses(before: Snapshot, after: Snapshot) -> str | None:
    """Return the sentence that says why these two can never be matched by address, if so."""
    for side, snapshot in (("before", before), ("after", after)):
        if snapshot.totals_only:
            return f"the listing {side} gives totals only, no mappings"
        if len(snapshot.placed) < len(snapshot.mappings):
            return f"the listing {side} gives no addresses"
    if before.origin.redaction != after.origin.redaction:
        return "the snapshots were not redacted together, so their addresses mean different things"
    return None


def _landmarks(snapshot: Snapshot) -> dict[str, int | None]:
    """Return the addresses of what is placed at random, by name."""
    found: dict[str, int | None] = {}
    stack = Kind.STACK
    named = [mapping for mapping in snapshot.mappings if mapping.path is not None or mapping.kind is stack]
    for mapping in named:
        if mapping.path is None:  # vmmap and procstat give a stack no name
            found.setdefault("[stack]", mapping.end)
            continue
        for name, address in _landmark(mapping, mapping.path):
            found.setdefault(name, address)
    return found


def _is_one_stack(before: Snapshot, after: Snapshot) -> bool:
    """Return whether the stacks differ by a guard page at the end only, and so are one.

    Kernels up to 4.12 keep the guard page inside the mapping and take it off the start that they print, not
    off the size (fs/proc/task_mmu.c); pmap adds the size to the start.
    """
    taken = (before.mappings, after.mappings)
    stacks = [next((mapping for mapping in each if mapping.path == "[stack]"), None) for each in taken]
    bounds = [(stack.start, stack.end) for stack in stacks if stack is not None]
    if len(bounds) != 2 or None in bounds[0] + bounds[1] or bounds[0][0] != bounds[1][0]:
        return False
    return abs((bounds[1][1] or 0) - (bounds[0][1] or 0)) in _GUARD_PAGES


def _landmark(mapping: Mapping, path: str) -> list[tuple[str, int | None]]:
    if path == "[stack]":
        return [(path, mapping.end)]  # it grows at its start
    if path == "[vdso]":
        return [(path, mapping.start)]
    name = base_name(path)
    rules = zip(LIBRARIES, (_LOADER, _LIBC), strict=True)
    return [(landmark, mapping.start) for landmark, rule in rules if rule.match(name)]


def _same_start(before: Snapshot, after: Snapshot) -> bool:
    """Return whether both are of one process: the same boot, namespace, pid and start, all of them known."""
    identities = [
        (taken.host.boot_id, process.pid_namespace, process.innermost_pid, process.start_ticks)
        for taken in (before, after)
        for process in (taken.process,)
    ]
    return None not in identities[0] and identities[0] == identities[1]


def _of_one_process(before: Process, after: Process, moved: list[str]) -> Recognition:
    if _other_program(before, after):
        return Recognition(
            Match.STRUCTURE, f"process {before.pid} executed another program: {_programs(before, after)}"
        )
    if moved:
        return Recognition(
            Match.STRUCTURE, f"process {before.pid} has executed a program since: {_listed(moved)} moved"
        )
    return Recognition(
        Match.ADDRESS, f"the same process {before.pid}, with [stack] and [vdso] where they were"
    )


def _other_program(before: Process, after: Process) -> bool:
    programs = _program(before), _program(after)
    return None not in programs and programs[0] != programs[1]


def _programs(before: Process, after: Process) -> str:
    return f"{_program(before)}, then {_program(after)}"


def _program(process: Process) -> str | None:
    """Return the executable, whether or not it was deleted since (an upgrade)."""
    return process.executable and split_deleted(process.executable)[0]


def _prove_a_layout(equal: list[str], seen: set[str]) -> bool:
    """Return whether landmarks at *equal* addresses show one layout: libraries, and what the kernel places.

    A static program has no libraries; both landmarks of the kernel then stand in for them.
    """
    kernel = [name for name in KERNEL if name in equal]
    if any(name in seen for name in LIBRARIES):
        return bool(kernel) and all(name in equal for name in LIBRARIES if name in seen)
    return len(kernel) == len(KERNEL)


def _why_different(before: Snapshot, after: Snapshot, moved: list[str]) -> str:
    if moved:
        return f"{_listed(moved)} {'is' if len(moved) == 1 else 'are'} at other addresses"
    pids = before.process.pid, after.process.pid
    if None not in pids and pids[0] != pids[1]:
        return f"process {pids[0]} and process {pids[1]} share no landmark"
    return "nothing shows that both are of one address space"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
