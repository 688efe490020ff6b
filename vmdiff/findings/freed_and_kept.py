"""What the allocators record: growth that is in use, and memory that was freed and is kept."""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import Grouping, tallied
from vmdiff.comparison.totals import Group, held_groups
from vmdiff.comparison.usage_change import UsageChange, by_owner, exact
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta, listed
from vmdiff.model import Snapshot, Usage, add
from vmdiff.model.usage import NO_CLASS
from vmdiff.units import signed, size

_ALL_IN_USE = "malloc large block"
_MOST_ROWS = 3  # block sizes or types in one sentence
_GLIBC = "glibc"
_UNREAD = {  # the ways out that readers name, and why
    "--inside": "takes longer to read",
    "--freeze": "changed while it was read",
}
_WAYS = {  # to have memory returned that could be, by whose it is
    "jemalloc": "it goes back by itself as its pages decay (dirty_decay_ms, muzzy_decay_ms)",
    "malloc heap": "malloc_trim(0) would return that",
    "malloc arena": "malloc_trim(0) would return that, MALLOC_ARENA_MAX bounds the arenas that keep memory",
    "go heap": "debug.FreeOSMemory() would return that",
}


class OwnerMove(NamedTuple):
    """What moved in one owner's memory: more in use, more freed and kept, and what is kept now, in bytes."""

    change: UsageChange
    in_use: int
    more_kept: int
    kept: int


def moved_inside(comparison: Comparison) -> tuple[OwnerMove, ...]:
    """Return what moved inside the allocators that both sides know, unmoved while they were read.

    What is kept is resident: of an owner's memory that is free at most what is resident beyond what is in
    use. What lies in other owners' memory, as memory contexts do, is counted there.
    """
    resident = {group.name: group.totals.get("rss") for group in comparison.grouped("owner")}
    found = []
    for change in by_owner(comparison.usage or ()):
        rss, in_use = resident.get(change.owner), change.delta["in_use"]
        if rss is None or in_use is None:
            continue
        before, after = kept(change.before, rss.before), kept(change.after, rss.after)
        if before is not None and after is not None:
            found.append(OwnerMove(change, in_use, after - before, after))
    return tuple(found)


def in_use_of(comparison: Comparison, owners: Collection[str]) -> int | None:
    """Return by how much more of some owners' memory is in use; None where it is unknown of one that grew."""
    known = {move.change.owner: move.in_use for move in moved_inside(comparison)}
    grew = {group.name for group in comparison.grouped("owner") if group.name in owners and _grew(group)}
    return None if grew - known.keys() else sum(known.get(name, 0) for name in owners)


def _grew(group: Group) -> bool:
    rss = group.totals.get("rss")
    return rss is None or rss.delta is None or rss.delta > 0


def kept(usages: Sequence[Usage], resident: int | None) -> int | None:
    """Return the resident bytes that were freed and are kept; None where that is unknown."""
    free, cached = exact(usages, "free"), add(usage.cached or 0 for usage in usages)
    used = add(None if usage.in_use is None else usage.in_use + (usage.overhead or 0) for usage in usages)
    if free is None or used is None or resident is None:
        return None
    return min(free + (cached or 0), max(resident - used, 0))


def freed_and_kept(comparison: Comparison) -> Found:
    """Find allocators that keep more of what the program freed than before.

    Precondition: their own records tell it on both sides, it is resident, and not small beside what else
    happened.
    """
    least = max(NOTEWORTHY, abs(delta(comparison, "resident") or 0) // 20)
    for move in moved_inside(comparison):
        if move.more_kept >= least:
            yield _finding(
                move.change.owner, move.change.after, move.kept, f"{signed(move.more_kept)} since before"
            )


def kept_now(snapshot: Snapshot) -> Found:
    """Find allocators that keep as much of what the program freed as it uses, or more.

    Precondition: as for `freed_and_kept`.
    """
    resident = _resident(snapshot)
    every: dict[str, list[Usage]] = {}
    for usage in snapshot.usage or ():
        every.setdefault(usage.owner, []).append(usage)
    for owner, usages in every.items():
        in_use, held = exact(usages, "in_use"), kept(usages, resident.get(owner))
        if in_use is not None and held is not None and held >= max(8 * NOTEWORTHY, in_use):
            yield _finding(owner, usages, held, f"{size(in_use)} in use")


def unread(comparison: Comparison) -> Found:
    """Find owners of which a snapshot does not tell what is in use, for want of time, and how to have it."""
    yield from _unread([*(comparison.before.usage or ()), *(comparison.after.usage or ())], comparison.after)


def unread_now(snapshot: Snapshot) -> Found:
    """Find owners of which the snapshot does not tell what is in use, as `unread` does."""
    yield from _unread(snapshot.usage or (), snapshot)


def _unread(usages: Sequence[Usage], snapshot: Snapshot) -> Found:
    """Precondition: the records are those of much memory; of little they are read in any case.

    A large block of malloc is all in use until it is unmapped, so nobody needs to ask.
    """
    for way, why in _UNREAD.items():
        wanted = {one.owner for one in usages if way in (one.partial or "") and _unknown(one)}
        wanted.discard(_ALL_IN_USE)
        large = _large(snapshot, wanted) if wanted else []
        if large:
            message = f"what is in use of {listed(large)} {why}: snap {way} reads it"
            yield Finding("in-use-unread", "info", message)
            return


def _large(snapshot: Snapshot, names: Collection[str]) -> list[str]:
    """Return, in order, the owners among *names* that have much resident memory."""
    held = _resident(snapshot)
    return [name for name in sorted(names) if (held.get(name) or 0) >= 8 * NOTEWORTHY]


def _resident(snapshot: Snapshot) -> dict[str, int | None]:
    """Return the resident memory of each owner in bytes; None where it is unknown."""
    groups = held_groups(snapshot, tallied(snapshot), Grouping.OWNER)
    return {group.name: group.counts.get("rss") for group in groups}


def _unknown(usage: Usage) -> bool:
    return exact((usage,), "in_use") is None


def _finding(owner: str, usages: Sequence[Usage], held: int, compared: str) -> Finding:
    back = exact(usages, "releasable")
    way = _WAYS.get(owner, "") if owner in {"jemalloc", "go heap"} or _is_glibc(usages) else ""
    message = f"{owner} keeps {size(held)} that the program freed ({compared}): it is no leak"
    if back and way:
        message += f". {size(back)} of it can be returned: {way}"
    if back is not None and way and back * 2 < held:
        rest = "The rest" if back else "It"
        message += f". {rest} lies between blocks in use on the same pages, and can only be used again"
    evidence = tuple(f"{name} {_told(usages, name)}" for name in ("in_use", "free", "releasable"))
    return Finding("freed-and-kept", "notice", message, evidence)


def _is_glibc(usages: Sequence[Usage]) -> bool:
    return any(usage.source.startswith(_GLIBC) for usage in usages)


def _told(usages: Sequence[Usage], name: str) -> str:
    value = exact(usages, name)
    return "unknown" if value is None else size(value)


def in_use_growth(comparison: Comparison) -> Found:
    """Find allocators of which the program uses more, and the block sizes or types that grew.

    Precondition: as for `freed_and_kept`.
    """
    for move in moved_inside(comparison):
        if move.in_use >= NOTEWORTHY:
            rows = list(largest_rows(move.change))[:_MOST_ROWS]
            what = f": {', '.join(rows)}" if rows else ""
            message = f"{move.change.owner}: {size(move.in_use)} more is in use{what}"
            evidence = (f"in_use {signed(move.in_use)}", f"freed and kept {signed(move.more_kept)}")
            yield Finding("in-use-growth", "notice", message, evidence)


def largest_rows(change: UsageChange) -> Iterator[str]:
    """Yield the types or block sizes that grew, largest first, in words."""
    named = named_types(change)
    for name, objects, held in named:
        if held > 0:
            yield f"{name} {f'{objects:+,}, ' if objects else ''}{signed(held)}"
    if named:
        return
    for block, count, _ in change.sizes:
        if count > 0 and block:
            yield f"+{count:,} block{'' if count == 1 else 's'} of {block:,} bytes"


def named_types(change: UsageChange) -> list[tuple[str, int, int]]:
    """Return the types that changed; none where blocks of no class changed more than all of them."""
    rest = sum(abs(held) for name, _, held in change.types if name == NO_CLASS)
    named = [row for row in change.types if row[0] != NO_CLASS]
    return named if sum(abs(held) for _, _, held in named) >= rest else []


def largest_by_size(change: UsageChange) -> int:
    """Return the bytes by which the blocks of one size changed most; 0 where nobody counted them."""
    return next((block * count for block, count, _ in change.sizes), 0)
