"""Where memory came from: malloc, another owner, threads, reservations."""

from collections.abc import Iterator

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.match_mode import Match
from vmdiff.findings.finding import (
    NOTEWORTHY,
    Finding,
    Found,
    arrived,
    counted,
    delta,
    group_delta,
    grown,
    listed,
    owned,
    told,
)
from vmdiff.model import Snapshot
from vmdiff.units import signed, size

_MALLOC = ("malloc heap", "malloc arena", "malloc large block", "(heap)")
_MANY_ARENAS = 8
_WORTH_BOUNDING = 32 << 20  # bytes resident in arenas: advice for less would gain nothing


def heap_growth(comparison: Comparison) -> Found:
    """Find growth of the memory that the C library's malloc hands out.

    Precondition: resident memory grew, malloc's is at least half of that growth and at most all of it.
    Where it grew by more than the whole, other memory shrank, and no share of the growth is malloc's.
    """
    rss, resident = grown(comparison, "owner", _MALLOC, "resident"), delta(comparison, "resident")
    if not _is_most(rss, resident):
        return
    groups = [group for group in comparison.grouped("owner") if group.name in _MALLOC]
    message = f"malloc's memory grew: {size(rss or 0)} of the {signed(resident or 0)} resident"
    yield Finding("heap-growth", "notice", message, tuple(told(g, "rss", "size") for g in groups))


def owner_growth(comparison: Comparison) -> Found:
    """Find the one other owner to whom most of the growth belongs.

    Precondition: as for `heap_growth`.
    """
    resident = delta(comparison, "resident")
    for group in comparison.grouped("owner"):
        rss = group_delta(group, "resident")
        if group.name in _MALLOC or group.name.startswith("(") or not _is_most(rss, resident):
            continue
        message = f"{group.name} grew: {size(rss or 0)} of the {signed(resident or 0)} resident"
        yield Finding("owner-growth", "notice", message, (told(group, "rss", "size"),))


def _is_most(part: int | None, whole: int | None) -> bool:
    return part is not None and whole is not None and NOTEWORTHY <= part <= whole <= 2 * part


def many_arenas(comparison: Comparison) -> Found:
    """Find arenas of malloc that came on top of many.

    Precondition: records tell which heaps belong to which arena (one arena has many heaps of 64 MiB), so
    that arenas are counted and not heaps. Bounding them is advised only where they hold enough memory.
    """
    before, after = (_arenas(side) for side in (comparison.before, comparison.after))
    if before is None or after is None or after < _MANY_ARENAS or after <= before:
        return
    held = sum(comparison.after.value(one, "rss") or 0 for one in owned(comparison.after, "malloc arena"))
    advice = ". MALLOC_ARENA_MAX=2 in the environment bounds them" if held >= _WORTH_BOUNDING else ""
    message = (
        f"malloc has {after} arenas besides its main one, {after - before} more than before; each reserves"
        f" addresses and keeps what its threads have freed{advice}"
    )
    groups = [group for group in comparison.grouped("owner") if group.name == "malloc arena"]
    yield Finding("many-arenas", "notice", message, tuple(told(group, "rss", "size") for group in groups))


def _arenas(snapshot: Snapshot) -> int | None:
    """Count the arenas; None where some heap's arena is not known."""
    heaps = [m.owner for m in owned(snapshot, "malloc arena") if m.owner and m.accessible]
    labels = {owner.label for owner in heaps}
    return None if None in labels else len(labels)


def new_threads(comparison: Comparison) -> Found:
    """Find stacks of threads that were not there.

    Precondition: where threads are listed, the stack's thread is among them: glibc keeps stacks of
    threads that have ended for those to come.
    """
    stacks = [*_stacks_of_their_own(comparison), *_stacks_beside_others(comparison)]
    if len(stacks) < 2:
        return
    names = [label or "?" for label, _ in stacks]
    virtual = sum(length for _, length in stacks)
    message = f"{counted(len(stacks), 'new thread stack')} ({listed(names)}), {size(virtual)} of addresses"
    yield Finding("new-threads", "info", message, tuple(f"size {signed(length)}" for _, length in stacks[:9]))


def _stacks_of_their_own(comparison: Comparison) -> Iterator[tuple[str | None, int]]:
    """Yield label and size of new mappings that are stacks."""
    living = {thread.tid for thread in comparison.after.process.threads or ()}
    for change in arrived(comparison):
        if change.owner is not None and _is_stack_of(change, living):
            yield change.owner.label, change.delta.get("size") or 0


def _stacks_beside_others(comparison: Comparison) -> Iterator[tuple[str | None, int]]:
    """Yield the same of stacks that the kernel merged with neighbours, as those of glibc 2.42 and later.

    Such a mapping is not new, so what tells is that the thread is, and that nothing was mapped there: glibc
    gives stacks of threads that have ended to those to come.
    """
    before, after = comparison.before.process.threads, comparison.after.process.threads
    if not before or comparison.match is not Match.ADDRESS:
        return
    new = {thread.tid for thread in after or ()} - {thread.tid for thread in before}
    there = comparison.before.by_address
    for mapping in comparison.after.mappings if new else ():
        for part in mapping.owner.parts if mapping.owner else ():
            if part.name == "thread stack" and part.tid in new and not there.within(part.start, part.end):
                yield part.label, part.end - part.start


def _is_stack_of(change: Change, living: set[int]) -> bool:
    if not _is_owned(change, "thread stack"):
        return False
    return not living or (change.owner is not None and change.owner.tid in living)


def large_blocks(comparison: Comparison) -> Found:
    """Find large requests of malloc, which go back to the system when they are freed.

    Precondition: malloc's own record (or shape) shows the memory as such blocks. It is counted by its
    owner and not by new mappings: the kernel merges a block with a neighbour that has the same permissions.
    """
    for group in comparison.grouped("owner"):
        virtual, held = group_delta(group, "size"), group_delta(group, "resident")
        if group.name != "malloc large block" or virtual is None or virtual < NOTEWORTHY:
            continue
        known = "" if held is None or held < 0 else f", {size(held)} of it resident"
        message = (
            f"large blocks of malloc take {size(virtual)} more of addresses{known}:"
            " each goes back to the system as soon as it is freed"
        )
        yield Finding("large-blocks", "info", message, (told(group, "size", "rss"),))


def reservation(comparison: Comparison) -> Found:
    """Find address space that nobody can touch: it costs no memory.

    Precondition: no less memory is accessible than before (else memory was protected, not reserved), and
    what is inaccessible holds no memory: pages that were filled before mprotect(PROT_NONE) stay.
    """
    virtual, able = delta(comparison, "size"), delta(comparison, "accessible")
    if virtual is None or able is None or virtual - able < NOTEWORTHY or (virtual - able) * 2 < virtual:
        return
    held = inaccessible(comparison.after)
    if able < 0 or held is None or held * 100 > virtual - able:
        return
    message = (
        f"{size(virtual - able)} of the {signed(virtual)} virtual is reserved, not usable: it costs no memory"
    )
    yield Finding("reservation", "info", message, (f"accessible {signed(able)}", f"size {signed(virtual)}"))


def inaccessible(snapshot: Snapshot) -> int | None:
    """Return the bytes in memory and in swap of mappings that nobody can touch; None where not measured.

    Pages that were filled before the mapping was protected stay in memory, and only counters show them.
    """
    if snapshot.total("rss") is None:
        return None
    shut = [mapping for mapping in snapshot.mappings if mapping.perms.startswith("---")]
    return sum(
        snapshot.value(mapping, name) or 0 for mapping in shut for name in ("rss", "swap", "private_hugetlb")
    )


def _is_owned(change: Change, name: str) -> bool:
    return change.owner is not None and change.owner.name == name
