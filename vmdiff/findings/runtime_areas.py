"""Memory of a runtime beside its heap: class metadata and off-heap memory of a JVM, WebAssembly."""

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta, grown, has_owner
from vmdiff.findings.freed_and_kept import in_use_of
from vmdiff.model import Mapping, Snapshot
from vmdiff.units import signed, size

_MALLOC = ("malloc heap", "malloc arena", "malloc large block")
_CLASSES = ("jvm metaspace", "jvm class space")
# V8 reserves so much for each memory of WebAssembly, whose bounds then need no check, and as much as that
# below it for negative offsets (kFullGuardSize32 and kNegativeGuardSize of objects/backing-store.cc).
_WASM, _BELOW = 8 << 30, 2 << 30  # bytes of addresses


def off_heap(comparison: Comparison) -> Found:
    """Find growth of malloc in a JVM: memory that no Java heap dump shows.

    Precondition: both sides have a Java heap, resident memory grew, and malloc's growth is a quarter of
    it or more; where malloc's records tell what is in use, that grew, too. Which of its users it was, the
    memory does not tell.
    """
    grew, resident = grown(comparison, "owner", _MALLOC, "resident"), delta(comparison, "resident")
    if grew is None or resident is None or grew < NOTEWORTHY or grew * 4 < resident:
        return
    in_use = in_use_of(comparison, _MALLOC)
    if in_use is not None and in_use * 2 < grew:
        return
    if all(has_owner(side, "jvm heap") for side in (comparison.before, comparison.after)):
        kept = "" if in_use is not None else " (in use, or freed and kept: that was not read)"
        message = (
            f"{size(grew)} of malloc beside the Java heap{kept}: direct buffers, Deflater and Inflater, JNI"
            " or the JVM itself; -XX:NativeMemoryTracking=summary tells which"
        )
        yield Finding("off-heap", "notice", message, (f"malloc rss {signed(grew)}",))


def class_metadata(comparison: Comparison) -> Found:
    """Find growth of what a JVM keeps of classes.

    Precondition: metaspace or class space grew, by records of the JVM, and by a tenth of the growth.
    """
    grew, resident = grown(comparison, "owner", _CLASSES, "resident"), delta(comparison, "resident")
    if grew is None or resident is None or grew < NOTEWORTHY or grew * 10 < resident:
        return
    message = (
        f"class metadata (metaspace, class space) grew by {size(grew)}: more classes, which stay for as"
        " long as their class loader is referenced"
    )
    yield Finding("class-metadata", "info", message, (f"metaspace and class space rss {signed(grew)}",))


def wasm_memory(comparison: Comparison) -> Found:
    """Find new memories of WebAssembly, which are neither V8's heap nor malloc's.

    Precondition: a V8 heap on both sides, and more reservations as V8 makes for WebAssembly memories only:
    8 GiB and more, accessible at their start and not after that, with 2 GiB before them that nobody else
    has. A resizable ArrayBuffer of many GiB has nothing before it.
    """
    count, grew = new_wasm_memories(comparison)
    if count > 0 and grew >= NOTEWORTHY:
        what = "new WebAssembly memory" if count == 1 else f"{count:,} new WebAssembly memories"
        message = f"{what}, {size(grew)} resident"
        yield Finding("wasm-memory", "info", message, (f"reservations of {size(_WASM)} {count:+}",))


def new_wasm_memories(comparison: Comparison) -> tuple[int, int]:
    """Return by how many, and by how many resident bytes, the memories of WebAssembly grew."""
    sides = comparison.before, comparison.after
    if not all(has_owner(side, "v8 heap") for side in sides):
        return 0, 0
    before, after = map(_memories, sides)
    return len(after) - len(before), sum(after) - sum(before)


def _memories(side: Snapshot) -> list[int]:
    """Return what each WebAssembly memory has resident.

    The kernel makes one mapping of what is inaccessible at the end of one reservation and before the next.
    """
    found = []
    end_of_last: Mapping | None = None
    left = 0  # bytes at the end of the last reservation that it does not need
    for below, start, above in zip((None, *side.mappings), side.mappings, side.mappings[1:], strict=False):
        if not (_is_open(start) and _is_guard(above) and start.end == above.start):
            continue
        free = _before(below, start)
        free = left if free and below is end_of_last else free
        whole = (start.size or 0) + (above.size or 0)
        end_of_last, left = above, max(0, whole - _WASM)
        if whole >= _WASM and free >= _BELOW:
            found.append(side.value(start, "rss") or 0)
    return found


def _before(below: Mapping | None, start: Mapping) -> int:
    """Return the inaccessible bytes right before a mapping."""
    return (below.size or 0) if below and _is_guard(below) and below.end == start.start else 0


def _is_guard(mapping: Mapping) -> bool:
    return mapping.perms.startswith("---") and not mapping.path


def _is_open(mapping: Mapping) -> bool:
    owned = mapping.owner is not None and "wasm" not in mapping.owner.name
    return mapping.perms.startswith("rw") and not mapping.path and not owned
