"""Pages of files: what was read and can be dropped, what was written, what was not read yet."""

from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta, grown
from vmdiff.model import FILE_SIZE, PAGE_CACHE, Kind, Mapping, Snapshot
from vmdiff.units import signed, size

_FILE_KINDS = (Kind.IMAGE, Kind.FILE)


def file_backed_growth(comparison: Comparison) -> Found:
    """Find resident growth that is clean file pages: the kernel can take them back without writing.

    Precondition: at least half of the growth, and at most all of it, is in mappings of files; hardly any
    of it is dirty, in this process or another (pages of tmpfs are dirty from the first write on), and
    none of these mappings is locked. Where the file system has no device of its own (major 0), it may be
    tmpfs, whose pages live in memory only; the sentence then says so.
    """
    resident = delta(comparison, "resident")
    from_files = grown(comparison, "kind", _FILE_KINDS, "rss")
    written = _written(comparison)
    if resident is None or from_files is None or not NOTEWORTHY <= from_files <= resident <= from_files * 2:
        return
    if written is None or written * 10 > from_files or _locked(comparison.after):
        return
    caveat = " (unless on tmpfs)" if _without_device(comparison) else ""
    message = (
        f"{size(from_files)} of what became resident is pages of files, read through their mappings:"
        f" the kernel can drop them at any time without writing anything{caveat}; it is no leak"
    )
    evidence = (f"resident in files {signed(from_files)}", f"of that written to {signed(written)}")
    yield Finding("file-backed-growth", "info", message, evidence)


def _written(comparison: Comparison) -> int | None:
    """Return by how much the dirty pages in files grew, whoever wrote to them."""
    private = grown(comparison, "kind", _FILE_KINDS, "private_dirty")
    shared = grown(comparison, "kind", _FILE_KINDS, "shared_dirty")
    if private is None or "shared_dirty" not in comparison.totals:
        return private
    return None if shared is None else max(0, private) + max(0, shared)


def _locked(after: Snapshot) -> bool:
    return any("lo" in (mapping.flags or ()) for mapping in after.mappings if mapping.kind in _FILE_KINDS)


def _without_device(comparison: Comparison) -> bool:
    """Return whether a file whose pages became resident is on a file system without a device (major 0)."""
    grew = (change for change in comparison.changes if change.kind in _FILE_KINDS)
    return any(
        (mapping.device or "").startswith("00:")
        for change in grew
        if (change.delta.get("rss") or 0) > 0
        for mapping in change.after
    )


def file_pages_written(comparison: Comparison) -> Found:
    """Find pages of shared file mappings that were written to: they stay until they are on disk.

    Precondition: the dirty pages of shared mappings of files grew, in this process or in another that
    maps them. Private mappings are left out: what is written there never reaches the file.
    """
    shared = [c for c in comparison.changes if c.kind is Kind.FILE and _is_shared(c)]
    grew = sum(
        (change.delta.get("private_dirty") or 0) + (change.delta.get("shared_dirty") or 0)
        for change in shared
    )
    if grew >= NOTEWORTHY:
        message = (
            f"{size(grew)} more of the pages of files is written to: the kernel must write them to their"
            " files before it can drop them"
        )
        yield Finding("file-pages-written", "info", message, (f"dirty in files {signed(grew)}",))


def _is_shared(change: Change) -> bool:
    return all(
        mapping.perms[3] == "s" and not (mapping.device or "").startswith("00:")
        for mapping in change.mappings
    )


def lazily_read_file(comparison: Comparison) -> Found:
    """Find the largest file that is being read through its mapping, of which most was not touched yet.

    Precondition for what it says of the page cache: no page of the mapping was copied by a write, for a
    copy is resident and says nothing of whether the page cache still has the page of the file.
    """
    files = [change for change in comparison.changes if _is_being_read(change, comparison.after)]
    largest = max(files, key=lambda change: _readable(change.after[0], comparison.after), default=None)
    if largest is None:
        return
    mapping, resident = largest.after[0], comparison.after.value(largest.after[0], "rss") or 0
    whole = _readable(mapping, comparison.after)
    cached = comparison.after.attribute(mapping, PAGE_CACHE)
    rest = "its pages come when they are touched"
    evidence = [f"size {size(whole)}", f"rss {size(resident)}"]
    if isinstance(cached, int) and not _was_copied(mapping, comparison.after):
        rest = _cost_of_the_rest(whole - resident, max(cached - resident, 0))
        evidence.append(f"page_cache {size(cached)}")
    so_far = f"{size(resident)} of {size(whole)} resident so far ({_percent(resident, whole)})"
    message = f"{mapping.path}: {so_far}; {rest}"
    yield Finding("lazily-read-file", "info", message, tuple(evidence))


def _was_copied(mapping: Mapping, after: Snapshot) -> bool:
    copied = after.value(mapping, "anonymous")
    return copied != 0 and mapping.private is not False


def _is_being_read(change: Change, after: Snapshot) -> bool:
    """Return whether a file was mapped, or more of it read, and most of it was not.

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
    """Return the bytes that can be read through a mapping: those beyond the end of its file cannot."""
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
