"""Where memory came from: files, malloc, runtimes, threads, reservations."""

from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import (
    NOTEWORTHY,
    Finding,
    Found,
    arrived,
    counted,
    delta,
    grown,
    listed,
    owned,
    told,
)
from vmdiff.model import FILE_SIZE, MIXED, PAGE_CACHE, Kind, Mapping, Snapshot
from vmdiff.units import signed, size

_FILE_KINDS = (Kind.IMAGE, Kind.FILE)
_MALLOC = ("malloc heap", "malloc arena", "malloc large block", "(heap)")
_MANY_ARENAS = 8


def heap_growth(comparison: Comparison) -> Found:
    """Find growth of the memory that the C library's malloc hands out."""
    rss, resident = grown(comparison, "owner", _MALLOC, "rss"), delta(comparison, "rss")
    if rss is None or resident is None or rss < NOTEWORTHY or rss * 2 < resident:
        return
    groups = [group for group in comparison.grouped("owner") if group.name in _MALLOC]
    message = f"malloc's memory grew: {size(rss)} of the {signed(resident)} resident"
    yield Finding("heap-growth", "notice", message, tuple(told(g, "rss", "size") for g in groups))


def owner_growth(comparison: Comparison) -> Found:
    """Find the one other owner to whom most of the growth belongs."""
    resident = delta(comparison, "rss")
    for group in comparison.grouped("owner"):
        rss = group.totals["rss"].delta if "rss" in group.totals else None
        if rss is None or resident is None or rss < NOTEWORTHY or rss * 2 < resident:
            continue
        if group.name not in (*_MALLOC, MIXED) and not group.name.startswith("("):
            message = f"{group.name} grew: {size(rss)} of the {signed(resident)} resident"
            yield Finding("owner-growth", "notice", message, (told(group, "rss", "size"),))


def many_arenas(comparison: Comparison) -> Found:
    """Find arenas of malloc that came on top of many."""
    before, after = (_arenas(side) for side in (comparison.before, comparison.after))
    if after < _MANY_ARENAS or after <= before:
        return
    message = (
        f"malloc has {after} arenas besides its main one, {after - before} more than before; each reserves"
        " addresses and keeps what its threads have freed. MALLOC_ARENA_MAX=2 in the environment bounds them"
    )
    groups = [group for group in comparison.grouped("owner") if group.name == "malloc arena"]
    yield Finding("many-arenas", "notice", message, tuple(told(group, "rss", "size") for group in groups))


def _arenas(snapshot: Snapshot) -> int:
    return len(
        {m.owner.label or m.start for m in owned(snapshot, "malloc arena") if m.owner and m.accessible}
    )


def new_threads(comparison: Comparison) -> Found:
    """Find stacks of threads that were not there."""
    stacks = [change for change in arrived(comparison) if _is_owned(change, "thread stack")]
    if len(stacks) < 2:
        return
    names = [change.after[0].owner.label or "?" for change in stacks if change.after[0].owner]
    virtual = sum(change.delta.get("size") or 0 for change in stacks)
    message = f"{counted(len(stacks), 'new thread stack')} ({listed(names)}), {size(virtual)} of addresses"
    yield Finding(
        "new-threads", "info", message, tuple(f"size {signed(c.delta.get('size') or 0)}" for c in stacks[:9])
    )


def large_blocks(comparison: Comparison) -> Found:
    """Find large requests of malloc, which get mappings of their own and go back when they are freed."""
    blocks = [change for change in arrived(comparison) if _is_owned(change, "malloc large block")]
    held = sum(change.delta.get("rss") or 0 for change in blocks)
    virtual = sum(change.delta.get("size") or 0 for change in blocks)
    if virtual >= NOTEWORTHY:
        message = (
            f"{counted(len(blocks), 'new mapping')} of large blocks of malloc, {size(held)} of"
            f" {size(virtual)} resident: they go back to the system as soon as they are freed"
        )
        yield Finding("large-blocks", "info", message, (f"size {signed(virtual)}", f"rss {signed(held)}"))


def file_backed_growth(comparison: Comparison) -> Found:
    """Find resident growth that is file pages: the kernel can take them back without writing anything."""
    resident = delta(comparison, "rss")
    from_files = grown(comparison, "kind", _FILE_KINDS, "rss")
    written = grown(comparison, "kind", _FILE_KINDS, "private_dirty")
    if resident is None or from_files is None or from_files < NOTEWORTHY or from_files * 2 < resident:
        return
    if written is None or written * 10 > from_files:
        return
    message = (
        f"{size(from_files)} of what became resident is pages of files, read through their mappings:"
        " the kernel can drop them at any time without writing anything; it is no leak"
    )
    evidence = (f"resident in files {signed(from_files)}", f"of that written to {signed(written)}")
    yield Finding("file-backed-growth", "info", message, evidence)


def lazily_read_file(comparison: Comparison) -> Found:
    """Find the largest file that is being read through its mapping, of which most was not touched yet."""
    files = [change for change in comparison.changes if _is_being_read(change, comparison.after)]
    largest = max(files, key=lambda change: _readable(change.after[0], comparison.after), default=None)
    if largest is None:
        return
    mapping, resident = largest.after[0], comparison.after.value(largest.after[0], "rss") or 0
    whole = _readable(mapping, comparison.after)
    cached = comparison.after.attribute(mapping, PAGE_CACHE)
    rest = "its pages come when they are touched"
    evidence = [f"size {size(whole)}", f"rss {size(resident)}"]
    if isinstance(cached, int):
        rest = _cost_of_the_rest(whole - resident, max(cached - resident, 0))
        evidence.append(f"page_cache {size(cached)}")
    so_far = f"{size(resident)} of {size(whole)} resident so far ({_percent(resident, whole)})"
    message = f"{mapping.path}: {so_far}; {rest}"
    yield Finding("lazily-read-file", "info", message, tuple(evidence))


def _is_being_read(change: Change, after: Snapshot) -> bool:
    """Tell whether a file was mapped, or more of it read, and most of it was not.

    A new library, of which some parts are never needed, is worth a word only where hardly any of it was.
    """
    if change.kind not in _FILE_KINDS or change.path is None or len(change.after) != 1:
        return False
    mapping, whole = change.after[0], _readable(change.after[0], after)
    resident = after.value(mapping, "rss")
    if whole < NOTEWORTHY or resident is None or resident * 10 > whole * 9:
        return False
    new = change.change is ChangeName.NEW
    if mapping.kind is Kind.IMAGE:
        return new and resident * 10 <= whole
    return new or (change.delta.get("rss") or 0) >= NOTEWORTHY


def _readable(mapping: Mapping, snapshot: Snapshot) -> int:
    """Give the bytes that can be read through a mapping: those beyond the end of its file cannot."""
    length = snapshot.attribute(mapping, FILE_SIZE)
    able = mapping.accessible or 0
    return min(able, length) if isinstance(length, int) else able


def _percent(part: int, whole: int) -> str:
    return "under 1 %" if part * 100 < whole else f"{part * 100 // whole} %"


def _cost_of_the_rest(rest: int, cached: int) -> str:
    if cached >= rest:
        return "all of the rest is in the page cache already: touching it costs a minor fault, no reading"
    if not cached:
        return "none of the rest is in the page cache: touching it means reading it"
    return (
        f"of the rest, {size(cached)} of {size(rest)} are in the page cache already: touching that costs a"
        " minor fault, no reading"
    )


def reservation(comparison: Comparison) -> Found:
    """Find address space that nobody can touch: it costs no memory."""
    virtual, able = delta(comparison, "size"), delta(comparison, "accessible")
    if virtual is None or able is None or virtual - able < NOTEWORTHY or (virtual - able) * 2 < virtual:
        return
    if able < 0:  # what was usable before is not: no part of what came
        return
    message = (
        f"{size(virtual - able)} of the {signed(virtual)} virtual is reserved, not usable: it costs no memory"
    )
    yield Finding("reservation", "info", message, (f"accessible {signed(able)}", f"size {signed(virtual)}"))


def writable_code(comparison: Comparison) -> Found:
    """Find memory that has become writable and executable at once."""
    found = [
        c for c in comparison.changes if any(map(_is_both, c.after)) and not any(map(_is_both, c.before))
    ]
    if found:
        where = [f"{m.start:x}" for c in found for m in c.after if _is_both(m) and m.start is not None]
        message = f"{counted(len(found), 'mapping')} became both writable and executable ({listed(where)})"
        yield Finding("writable-code", "notice", message, tuple(where[:9]))


def _is_both(mapping: Mapping) -> bool:
    return mapping.perms[1] == "w" and mapping.perms[2] == "x"


def _is_owned(change: Change, name: str) -> bool:
    return change.owner is not None and change.owner.name == name
