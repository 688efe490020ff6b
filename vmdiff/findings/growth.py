"""Where memory came from: files, malloc, runtimes, threads, reservations."""

from vmdiff.comparison import Change, Comparison
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
from vmdiff.model import MIXED, Kind, Mapping, Snapshot
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
    """Find the largest file of which, mapped anew, hardly anything was read yet."""
    files = (change for change in arrived(comparison) if change.kind in _FILE_KINDS and change.path)
    largest = max(files, key=_usable, default=None)
    if largest is None or _usable(largest) < NOTEWORTHY:
        return
    resident = largest.delta.get("rss")
    if resident is None or resident * 10 > _usable(largest):
        return
    message = (
        f"{largest.path} is mapped but hardly read: {size(resident)} of {size(_usable(largest))} resident;"
        " its pages come when they are touched"
    )
    evidence = (f"size {signed(_usable(largest))}", f"rss {signed(resident)}")
    yield Finding("lazily-read-file", "info", message, evidence)


def reservation(comparison: Comparison) -> Found:
    """Find address space that nobody can touch: it costs no memory."""
    virtual, able = delta(comparison, "size"), delta(comparison, "accessible")
    if virtual is None or able is None or virtual - able < NOTEWORTHY or (virtual - able) * 2 < virtual:
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


def _usable(change: Change) -> int:
    return change.delta.get("accessible") or 0


def _is_owned(change: Change, name: str) -> bool:
    return change.owner is not None and change.owner.name == name
