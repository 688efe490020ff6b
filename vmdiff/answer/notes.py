"""What a sentence adds to a figure in a few words: how many came, whether it was swapped, who shares it."""

from collections.abc import Callable, Iterator, Sequence

from vmdiff.answer.parts import short
from vmdiff.answer.sentence import Mover
from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.usage_change import exact
from vmdiff.findings import inner_accounts, swap_moves
from vmdiff.findings.finding import has_owner
from vmdiff.findings.freed_and_kept import (
    OwnerMove,
    kept,
    largest_by_size,
    largest_rows,
    moved_inside,
    named_types,
)
from vmdiff.findings.huge_pages import came_huge
from vmdiff.findings.runtime_areas import new_wasm_memories
from vmdiff.model import Kind, Mapping, Snapshot
from vmdiff.model.memory_figures import figure_of_two
from vmdiff.units import signed, size

_NOTEWORTHY = 1 << 20  # bytes
_MOST_OWNERS = 2  # whose memory is told apart in one sentence
_JVM = "jvm "
_MALLOC = frozenset({"malloc heap", "malloc arena", "malloc large block"})
_NAMELESS = {None, "/dev/zero", "/SYSV00000000"}  # what the kernel calls shared memory without a name
_COUNTED = {"thread stack": "stack", "malloc arena": "arena"}


def of_mover(comparison: Comparison, mover: Mover) -> str:
    """Return the first note that applies to a part that moved; empty if none does."""
    return next((note for rule in _NOTES if (note := rule(comparison, mover))), "")


def _new_ones(comparison: Comparison, mover: Mover) -> str:
    """Count what came, or went, where the number says more than the bytes: stacks, arenas."""
    thing = _COUNTED.get(mover.name)
    if mover.by != "owner" or thing is None:
        return ""
    before, after = (owner_count(side, mover.name) for side in (comparison.before, comparison.after))
    count = after - before
    if abs(count) < 2 or (count > 0) != (mover.delta > 0):
        return ""
    return f"{abs(count):,} {'more' if count > 0 else 'fewer'} {thing}s"


def owner_count(side: Snapshot, owner: str) -> int:
    """Return how many owners of a name there are, not how many mappings: an arena has many heaps."""
    mine = [m for m in side.mappings if m.owner and m.owner.name == owner and m.accessible]
    labels = {m.owner.tid or m.owner.label or m.start for m in mine if m.owner}
    parts = {
        part.tid or part.label or part.start
        for m in side.mappings
        if m.owner
        for part in m.owner.parts
        if part.name == owner
    }
    return len(labels | parts)


def _off_heap(comparison: Comparison, mover: Mover) -> str:
    """Return the remark that malloc's memory in a JVM lies beside the Java heap."""
    if mover.name not in _MALLOC or not has_owner(comparison.after, _JVM):
        return ""
    return "off-heap"


def _wasm(comparison: Comparison, mover: Mover) -> str:
    """Return the remark that WebAssembly has most of the unowned memory of a JavaScript engine."""
    count, grew = new_wasm_memories(comparison) if mover.name == "anonymous" else (0, 0)
    if count <= 0 or grew * 10 < mover.delta * 8:
        return ""
    return f"{count:,} new WebAssembly {'memory' if count == 1 else 'memories'}"


def _huge(comparison: Comparison, mover: Mover) -> str:
    """Return which huge pages memory came in: of hugetlbfs, or transparent ones."""
    if mover.delta <= 0:
        return ""
    mine = [change for change in comparison.changes if _has(change, mover)]
    huge = sum(figure_of_two(c.delta, "resident") or 0 for c in mine) - sum(
        c.delta.get("rss") or 0 for c in mine
    )
    if huge * 10 >= mover.delta * 8:
        return "in hugetlb pages"
    if came_huge(comparison, mine) * 10 >= mover.delta * 8:
        return "in huge pages"
    return ""


def _has(change: Change, mover: Mover) -> bool:
    """Return whether a change is one of the part's memory alone."""
    if mover.by == "owner":
        return change.owner is not None and change.owner.name == mover.name
    return mover.by == "kind" and change.owner is None and change.kind == mover.name


def _deleted(comparison: Comparison, mover: Mover) -> str:
    """Return the remark that a file was deleted: its memory and disk space stay until it is unmapped."""
    if mover.by != "object" or mover.delta < 0:
        return ""
    files = [m for m in comparison.after.mappings if m.path == mover.name and m.kind is Kind.FILE]
    return "deleted, still mapped" if files and all(m.deleted for m in files) else ""


def _file_pages(comparison: Comparison, mover: Mover) -> str:
    """Return whether the kernel can drop the file's pages that came, where the figures prove it."""
    if mover.by != "object" or mover.delta < 0:
        return ""
    grew = [c for c in comparison.changes if c.path == mover.name and c.kind is Kind.FILE]
    written = [value for c in grew for value in (c.delta.get("private_dirty"), c.delta.get("shared_dirty"))]
    if not grew or None in written:
        return ""
    dirty = sum(value or 0 for value in written)
    if dirty * 2 >= mover.delta:
        return "file pages, written to"
    after = [mapping for change in grew for mapping in change.after]
    kept = any("lo" in (m.flags or ()) or (m.device or "").startswith("00:") for m in after)
    return "file pages, droppable" if not kept and dirty * 10 <= mover.delta else ""


def _shared(comparison: Comparison, mover: Mover) -> str:
    """Return the remark that others map shared memory too, where PSS proves it; else which object it is."""
    mine = [m for m in comparison.after.mappings if _is_shared_memory(m, mover)]
    if not mine:
        return ""
    sums = comparison.after.sums(mine)
    pss, rss = sums.get("pss"), sums.get("rss")
    if pss is not None and rss and pss * 10 <= rss * 9:
        return "shared, counted in every process that maps it"
    paths = {mapping.path for mapping in mine} - _NAMELESS
    return short(paths.pop() or "") if mover.by == "owner" and len(paths) == 1 else ""


def _is_shared_memory(mapping: Mapping, mover: Mover) -> bool:
    if mapping.kind is not Kind.SHARED_MEMORY:
        return False
    name = mapping.owner.name if mapping.owner else None
    return mover.name == (mapping.path if mover.by == "object" else name)


_NOTES: tuple[Callable[[Comparison, Mover], str], ...] = (
    _new_ones,
    _off_heap,
    _wasm,
    _huge,
    _deleted,
    _file_pages,
    _shared,
)


def of_swap(comparison: Comparison) -> str:
    """Return how much of what left memory went to swap, as far as the figures prove it.

    Within one mapping, pages that were absent before may be those that are in swap after, while others
    were freed; so only what exceeds the absent ones is proved to have been resident.
    """
    resident, swap = _delta(comparison, "resident"), _delta(comparison, "swap")
    if resident is None or swap is None:
        return ""
    if swap < 0:
        return " (swapped in again, or freed there)" if resident > 0 else ""
    if swap_moves.proved(comparison) * 10 >= min(swap, -resident) * 8:
        return " (swapped out, not freed)"
    return " (part of it may be swapped out, not freed)"


def of_virtual(comparison: Comparison) -> str:
    """Return the address space that came with the memory, where it is far more than the memory."""
    virtual, resident = _delta(comparison, "virtual"), _delta(comparison, "resident")
    if virtual is None or resident is None or abs(virtual) < 64 * _NOTEWORTHY:
        return ""
    return f"; virtual {signed(virtual)}" if abs(virtual) > 8 * abs(resident) else ""


def of_inside(comparison: Comparison, movers: Sequence[Mover] = ()) -> str:
    """Distinguish what is in use from what was freed and kept, where the allocators' records show it.

    Owners are added up only where the sum is of all *movers*: else it would read like the whole movement's.
    One that is no mover is told where what moved inside it is half of the movement or more.
    """
    names = {mover.name for mover in movers}
    least = abs(sum(mover.delta for mover in movers)) // 2
    large = [
        move
        for move in moved_inside(comparison)
        if (moved := max(abs(move.in_use), abs(move.more_kept))) >= _NOTEWORTHY
        and (move.change.owner in names or moved >= least)
    ]
    accounts = inner_accounts.clause(comparison)
    if large and names and names <= {move.change.owner for move in large}:
        return f"; {_inside(large)}{accounts}"
    return "".join(f"; {move.change.owner} {_inside([move])}" for move in large[:_MOST_OWNERS]) + accounts


def _inside(moves: Sequence[OwnerMove]) -> str:
    in_use, more_kept = sum(move.in_use for move in moves), sum(move.more_kept for move in moves)
    told = f"in use {signed(in_use)}{_grown_most(moves, in_use)}"
    return told if abs(more_kept) < _NOTEWORTHY else f"{told}, freed and kept {signed(more_kept)}"


def of_held(snapshot: Snapshot, part: Mover) -> str:
    """Return what is in use of a part of a snapshot, where that is not nearly all."""
    mine = [usage for usage in snapshot.usage or () if usage.owner == part.name]
    in_use, more = exact(mine, "in_use"), kept(mine, part.delta)
    if part.by != "owner" or in_use is None or more is None or in_use > part.delta:
        return ""
    if more < max(_NOTEWORTHY, part.delta // 10):
        return ""
    return f"{size(in_use)} in use, {size(more)} freed and kept"


def _grown_most(moves: Sequence[OwnerMove], in_use: int) -> str:
    """Name the block size or type that accounts for most of a growth."""
    for change in (move.change for move in moves):
        named = named_types(change)
        held = named[0][2] if named else largest_by_size(change)
        if held >= _NOTEWORTHY and held * 10 >= in_use * 8:
            return f" ({next(largest_rows(change))})"
    return ""


def of_still(comparison: Comparison) -> str:
    """Return what else moved where resident memory did not; each is a clause of its own."""
    return "".join(f"; {clause}" for rule in _BESIDES for clause in rule(comparison))


def _deleted_files(comparison: Comparison) -> Iterator[str]:
    """Find files that were deleted in between, and are still mapped."""
    # Whatever else became of it: the kernel may have written its pages to disk meanwhile.
    gone = [
        change
        for change in comparison.changes
        if change.before and change.after and _was_deleted(change.before, change.after)
    ]
    if gone:
        held = sum(mapping.size or 0 for change in gone for mapping in change.after)
        paths = dict.fromkeys(mapping.path for change in gone for mapping in change.after)
        name = short(next(iter(paths)) or "") if len(paths) == 1 else f"{len(paths)} files"
        yield f"{name} ({size(held)}) was deleted and is still mapped"


def _was_deleted(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> bool:
    if {mapping.path for mapping in before} != {mapping.path for mapping in after}:
        return False
    return not any(m.deleted for m in before) and all(m.deleted and m.kind is Kind.FILE for m in after)


def _freed_lazily(comparison: Comparison) -> Iterator[str]:
    total = comparison.totals.get("lazy_free")
    if total and total.delta and total.delta >= _NOTEWORTHY:
        yield f"{size(total.delta)} more is freed (MADV_FREE) and counted until the kernel needs it"


def _virtual(comparison: Comparison) -> Iterator[str]:
    virtual = _delta(comparison, "virtual")
    if virtual and abs(virtual) >= _NOTEWORTHY:
        yield f"virtual {signed(virtual)}"


def _swap(comparison: Comparison) -> Iterator[str]:
    swap = _delta(comparison, "swap")
    if swap and abs(swap) >= _NOTEWORTHY:
        yield f"swap {signed(swap)}"


def _open_memfds(comparison: Comparison) -> Iterator[str]:
    """Find memory in memfds that are open and not mapped: it is in no mapping, so in no resident memory."""
    sides = [side.process.unmapped_files for side in (comparison.before, comparison.after)]
    if None in sides:
        return
    before, after = (sum(one.held for one in side or () if one.memfd) for side in sides)
    if abs(after - before) >= _NOTEWORTHY:
        yield f"open memfds that are not mapped {signed(after - before)}"


_BESIDES: tuple[Callable[[Comparison], Iterator[str]], ...] = (
    _swap,
    _deleted_files,
    _freed_lazily,
    _open_memfds,
    _virtual,
)


def _delta(comparison: Comparison, name: str) -> int | None:
    return figure_of_two({counter: total.delta for counter, total in comparison.totals.items()}, name)
