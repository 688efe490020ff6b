"""Direct buffers of a JVM: what `java.nio.Bits` counts of memory beside the heap.

The class keeps three counters, each an AtomicLong, next to each other: bytes reserved, bytes of all buffers,
and their number. Both classes are found by name among those of the boot loader; the three are believed if
they are objects of that class that follow each other in the class's own object, and if their values fit.
Facts: java/nio/Bits.java of JDK 11 to 25, src/hotspot/share/oops/{klass,symbol}.hpp. Not with ZGC,
whose references carry colours.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.machine_words import raw_each, word
from vmdiff.owners.runtimes.hotspot_structs import HotSpot

OWNER = "java direct buffers"
_BITS, _COUNTER = "java/nio/Bits", "java/util/concurrent/atomic/AtomicLong"
_MOST_CLASSES = 1 << 16
_MOST_LOADERS = 256
_MIRROR, _OBJECT = 256, 24  # bytes of a class's object that are read, and of a counter's
_LONGEST_NAME = 64
_COMPACT_SHIFT = 42  # the class in the mark word, with -XX:+UseCompactObjectHeaders
_LARGEST = 1 << 46


class DirectBuffers(NamedTuple):
    """The bytes that are reserved for direct buffers, and how many there are."""

    reserved: int
    buffers: int


def direct_buffers(jvm: HotSpot, steps: int | None) -> DirectBuffers | None:
    """Return what `java.nio.Bits` counts; None where that is not proven within *steps* classes."""
    if jvm.heap is None:
        return None
    classes = _named(jvm, _MOST_CLASSES if steps is None else min(steps, _MOST_CLASSES))
    bits, counter = classes.get(_BITS), classes.get(_COUNTER)
    handle = jvm.member(bits, "Klass", "_java_mirror")
    mirror = word(jvm.scene, handle) if handle else None
    raw = jvm.scene.read(mirror, _MIRROR) if mirror and jvm.heap[0] <= mirror < jvm.heap[1] else None
    if raw is None or not counter:
        return None
    found = [values for values in _runs(jvm, raw, counter) if _fits(values)]
    return DirectBuffers(max(found[0]), min(found[0])) if len(found) == 1 else None


def _fits(values: Sequence[int]) -> bool:
    """Return whether three numbers may be bytes reserved, bytes of buffers, and a number of buffers."""
    reserved, capacity, count = values
    return count <= capacity <= reserved < _LARGEST and (count > 0) == (reserved > 0)


def _named(jvm: HotSpot, most: int) -> dict[str, int]:
    """Return the addresses of the two classes; those of the JDK itself are in one loader's list."""
    length, body = (
        jvm.offset("_length", "Symbol"),
        jvm.offset("_body", "Symbol") or jvm.offset("_body[0]", "Symbol"),
    )
    if length is None or body is None:
        return {}
    wanted = {len(name).to_bytes(2, "little") + name.encode(): name for name in (_BITS, _COUNTER)}
    for places in _classes(jvm, most):
        names = jvm.each(places, "_name", "Klass")
        found = {}
        for at, raw in zip(places, raw_each(jvm.scene, names, body + _LONGEST_NAME), strict=True):
            text = (
                raw
                and raw[length : length + 2]
                + raw[body : body + int.from_bytes(raw[length : length + 2], "little")]
            )
            if text and text in wanted:
                found[wanted[text]] = at
        if len(found) == len(wanted):
            return found
    return {}


def _classes(jvm: HotSpot, most: int) -> Iterator[list[int]]:
    """Yield the classes of each loader."""
    loader = jvm.static("ClassLoaderDataGraph", "_head")
    left = most
    for _ in range(_MOST_LOADERS):
        if not loader:
            return
        places: list[int] = []
        at = jvm.member(loader, "ClassLoaderData", "_klasses")
        while at and left > 0:
            places.append(at)
            left -= 1
            at = jvm.member(at, "Klass", "_next_link")
        yield places
        loader = jvm.member(loader, "ClassLoaderData", "_next")


def _runs(jvm: HotSpot, raw: bytes, counter: int) -> Iterator[tuple[int, int, int]]:
    """Yield the values of three counters that fields next to each other refer to."""
    base, shift = jvm.narrow("oop") or (0, 0)
    narrow = [base + (value << shift) for value in struct.unpack(f"<{len(raw) // 4}I", raw)]
    for places in (narrow, [*struct.unpack(f"<{len(raw) // 8}Q", raw)]):
        values = _values(jvm, places, counter)
        for one, two, three in zip(values, values[1:], values[2:], strict=False):
            if one is not None and two is not None and three is not None:
                yield one, two, three


def _values(jvm: HotSpot, places: Sequence[int], counter: int) -> list[int | None]:
    """Return what each place holds that is an object of the class *counter*."""
    low, high = jvm.heap or (0, 0)
    inside = [at if low <= at < high and not at % 8 else None for at in places]
    raws = iter(raw_each(jvm.scene, [at for at in inside if at is not None], _OBJECT))
    return [None if at is None else _value(jvm, next(raws), counter) for at in inside]


def _value(jvm: HotSpot, raw: bytes | None, counter: int) -> int | None:
    """Return the number in an AtomicLong; after a header of 8, 12 or 16 bytes it is aligned to 8."""
    if raw is None:
        return None
    base, shift = jvm.narrow("klass") or (0, 0)
    mark: int
    wide: int
    last: int
    mark, wide, last = struct.unpack("<3Q", raw)
    if mark >> _COMPACT_SHIFT and base + (mark >> _COMPACT_SHIFT << shift) == counter:
        return wide
    return last if counter in {wide, base + ((wide & 0xFFFFFFFF) << shift)} else None
