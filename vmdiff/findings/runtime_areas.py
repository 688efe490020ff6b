"""Memory of a runtime beside its heap: class metadata and off-heap memory of a JVM, WebAssembly."""

from itertools import pairwise

from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta, grown, has_owner
from vmdiff.model import Mapping, Snapshot
from vmdiff.units import signed, size

_MALLOC = ("malloc heap", "malloc arena", "malloc large block")
_CLASSES = ("jvm metaspace", "jvm class space")
_WASM = 8 << 30  # bytes of addresses that V8 reserves for each memory, whose bounds then need no check


def off_heap(comparison: Comparison) -> Found:
    """Find growth of malloc in a JVM: memory that no Java heap dump shows.

    Precondition: both sides have a Java heap, resident memory grew, and malloc's growth is a quarter of
    it or more. Which of its users it was, the memory does not tell.
    """
    grew, resident = grown(comparison, "owner", _MALLOC, "resident"), delta(comparison, "resident")
    if grew is None or resident is None or grew < NOTEWORTHY or grew * 4 < resident:
        return
    if all(has_owner(side, "jvm heap") for side in (comparison.before, comparison.after)):
        message = (
            f"{size(grew)} of malloc beside the Java heap: direct buffers, Deflater and Inflater, JNI or"
            " the JVM itself; -XX:NativeMemoryTracking=summary tells which"
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

    Precondition: a V8 heap on both sides, and more reservations as large as V8 makes for WebAssembly
    memories only (8 GiB and more, accessible at their start and inaccessible after that).
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
    """Return what each WebAssembly memory has resident."""
    pairs = pairwise(side.mappings)
    return [side.value(low, "rss") or 0 for low, high in pairs if _is_memory(low, high)]


def _is_memory(low: Mapping, high: Mapping) -> bool:
    if low.end != high.start or not high.perms.startswith("---") or not low.perms.startswith("rw"):
        return False
    owned = low.owner is not None and "wasm" not in low.owner.name
    return not low.path and not owned and (low.size or 0) + (high.size or 0) >= _WASM
