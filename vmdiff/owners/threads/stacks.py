"""Thread stacks, by the C library's own record of a thread or by a stack pointer within bounds.

A stack pointer alone proves nothing: blocked goroutines and fibers have theirs in heap memory. It
does where the memory has the bounds of a stack: inaccessible pages below, or the mark of MAP_STACK
(``nh`` since Linux 6.7). glibc keeps a ``struct pthread`` at the top of each stack that points to
itself and holds the thread's id and the exact bounds (nptl/descr.h); stacks of threads that have
ended stay in its cache, with the id cleared.
"""

from bisect import bisect_left, bisect_right
from collections import abc
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene, is_guard, is_plain

_LARGEST_GUARD = 1 << 20
_LARGEST_TLS = 64 << 10  # how far below the end of a stack its record may lie, with static TLS
_SMALLEST_STACK = 16 << 10  # PTHREAD_STACK_MIN
_DEFAULT_STACK = 8 << 20
_DESCRIPTOR = 0x900  # longer than struct pthread of any glibc
_MOST_ZONES = 16  # HotSpot cuts a stack into a few zones of its own
_TOP = 4 << 10
_MOST_TOPS, _BATCH = 32_768, 256
_MOST_RECORDS = 2  # in one top: the real one is the only one
_DEEP = 128 << 10

# By the bytes of a word: where the record points to itself, and where it holds the thread id.
_SELF_AT = {8: 16, 4: 8}
_TID_AT = {8: 0x2D0, 4: 0x68}

_JAVA_ZONES = (16 << 10, 12 << 10, 20 << 10)


_ENDED, _UNKNOWN = 0, -1
_GONE = frozenset({0, 0xFFFFFFFF})  # what the kernel and pthread_join leave as the id
_HOW = {
    _ENDED: "the C library's record of a thread that has ended is in it, with these bounds",
    _UNKNOWN: "the C library's record of a thread is in it, with these bounds and an id not known here",
}
_KNOWN = "the C library's record of the thread is in it, with these bounds"


class RecordedStack(NamedTuple):
    """The bounds of a thread's stack, its guard included.

    *tid* is 0 where the thread has ended, -1 where the record has the id of another pid namespace.
    """

    start: int
    end: int
    tid: int


def stacks(scene: Scene) -> Iterator[Claim]:
    """Claim the stacks of all threads, and the guard pages at their low ends.

    RecordedStack pointers are asked for only where records leave threads without a stack.
    """
    tids = set(scene.thread_names) - {scene.snapshot.process.pid or 0} - scene.settled.threads
    marked = list(_marked(scene)) if scene.memory else []
    records = list(_at_tops(scene, marked))
    # Ids of another pid namespace mean nothing here, not even those that happen to exist here too.
    foreign = any(stack.tid not in tids and stack.tid not in _GONE for stack in records)
    named = set() if foreign else {stack.tid for stack in records}
    pointers = scene.memory.stack_pointers(sorted(tids - named)) if scene.memory and tids - named else {}
    records += _elsewhere(scene, pointers, records, marked)
    by_pointer = sorted((pointer, tid) for tid, pointer in pointers.items())
    for stack in records:
        tid = _whose(stack, by_pointer, set() if foreign else tids)
        pointers.pop(tid, None)
        yield from _claims(scene, stack._replace(tid=tid))
    yield from _by_pointer(scene, pointers)
    yield from _by_shape(scene)


def _claims(scene: Scene, stack: RecordedStack) -> Iterator[Claim]:
    """Claim a recorded stack: what is accessible as stack, what is not at its low end as guard."""
    label, tid = (scene.thread_names.get(stack.tid), stack.tid) if stack.tid > 0 else (None, None)
    if stack.tid == _ENDED:
        label = "unused"
    bottom = _lightweight_guard(scene, stack)
    for mapping in scene.within(stack.start, stack.end):
        if mapping.perms.startswith("---"):
            bottom = max(bottom, min(mapping.end, stack.end))
    if stack.start < bottom:
        why = "the inaccessible low end of a recorded stack"
        yield Claim(stack.start, bottom, "guard page", "record", why, label, tid)
    if bottom < stack.end:
        yield Claim(bottom, stack.end, "thread stack", "record", _HOW.get(stack.tid, _KNOWN), label, tid)


def _lightweight_guard(scene: Scene, stack: RecordedStack) -> int:
    """Give the end of the MADV_GUARD_INSTALL range that a stack begins with, or its start."""
    first = scene.at(stack.start)
    if scene.memory is None or first is None or not _may_have_guards(first):
        return stack.start
    guards = scene.memory.guards(stack.start, stack.end) or []
    return next((end for start, end in guards if start == stack.start), stack.start)


def _may_have_guards(mapping: PlacedMapping) -> bool:
    return mapping.flags is None or "gu" in mapping.flags


def _at_tops(scene: Scene, mappings: Sequence[PlacedMapping]) -> Iterator[RecordedStack]:
    """Find the C library's records where stacks in these mappings would end, each once."""
    if scene.memory is None or not mappings:
        return
    tops = list(dict.fromkeys(end - _TOP for mapping in mappings for end in _tops(scene, mapping)))[
        :_MOST_TOPS
    ]
    found: set[RecordedStack] = set()
    for first in range(0, len(tops), _BATCH):  # not all at once: that could be hundreds of megabytes
        some = tops[first : first + _BATCH]
        for start, head in zip(some, scene.memory.read_many(some, _TOP), strict=True):
            for stack in _records(scene, start, head or b""):
                if stack not in found:
                    found.add(stack)
                    yield stack


def _elsewhere(
    scene: Scene,
    pointers: abc.Mapping[int, int],
    records: Sequence[RecordedStack],
    marked: Sequence[PlacedMapping],
) -> Iterator[RecordedStack]:
    """Find the records of stacks that hold a pointer and nothing marks: supplied or merged ones."""
    known = {mapping.start for mapping in marked}
    held = {m.start: m for pointer in pointers.values() if (m := scene.at(pointer)) and is_plain(m)}
    found = [*records, *_at_tops(scene, [m for start, m in held.items() if start not in known])]
    yield from found[len(records) :]
    bounds = sorted((stack.start, stack.end) for stack in found)
    for pointer in pointers.values():
        at = bisect_right(bounds, (pointer, 1 << 64)) - 1
        inside = at >= 0 and pointer < bounds[at][1]
        if not inside and (merged := _above(scene, pointer)):
            yield merged


def _whose(stack: RecordedStack, by_pointer: Sequence[tuple[int, int]], known: set[int]) -> int:
    """Say whose stack it is: of the one that the record names, else of the one whose pointer is in it."""
    if stack.tid in known:
        return stack.tid
    low = bisect_left(by_pointer, (stack.start, 0))
    inside = by_pointer[low : bisect_left(by_pointer, (stack.end, 0))]
    if len(inside) == 1:
        return inside[0][1]
    return _ENDED if stack.tid in _GONE else _UNKNOWN


def _marked(scene: Scene) -> Iterator[PlacedMapping]:
    """Give the anonymous mappings that are bounded or marked like a stack and not explained yet."""
    guarded = {above.start for _, above in scene.guarded}
    for mapping in scene.touched:
        start, end, flags = mapping.start, mapping.end, mapping.flags or ()
        if (start in guarded or "nh" in flags or "gu" in flags) and (scene.settled.end_at(start) or 0) < end:
            yield mapping


def _tops(scene: Scene, mapping: PlacedMapping) -> Iterator[int]:
    """Give the ends of the stacks that a mapping may hold: its own end, and where guards begin."""
    start, end = mapping.start, mapping.end
    if end - start >= _TOP:
        yield end
    if scene.memory and mapping.flags is not None and "gu" in mapping.flags:
        for low, _ in scene.memory.guards(start, end) or ():
            if low - _TOP >= start:
                yield low


def _records(scene: Scene, base: int, head: bytes) -> Iterator[RecordedStack]:
    """Read the records in a piece of memory that begins at *base* and say what stacks they bound."""
    for at, tid, word in islice(_descriptors(scene, base, head), _MOST_RECORDS):
        if bounds := _bounds(scene, head[at : at + _DESCRIPTOR], base + at, word):
            yield RecordedStack(*bounds, tid)


def _descriptors(scene: Scene, base: int, head: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where in *head* a thread's record points to itself, the id there, and the bytes of a word."""
    word = scene.word_size
    words = memoryview(head[: len(head) // word * word]).cast("Q" if word == 8 else "I")
    step, self_at, tid_at = 64 // word, _SELF_AT[word] // word, _TID_AT[word]
    last = (len(head) - tid_at - 4) // word // step * step
    for at in range(last, -1, -step):
        address = base + at * word
        if words[at] == address == words[at + self_at]:
            yield at * word, int.from_bytes(head[at * word + tid_at :][:4], "little"), word


def main_record(scene: Scene, start: int, end: int) -> int | None:
    """Give where in a range the main thread's record lies, which is on no stack, or None.

    Its id is that of the process, or another one in the process's own pid namespace.
    """
    head = scene.read(start, end - start) or b""
    for at, tid, word in islice(_descriptors(scene, start, head), _MOST_RECORDS):
        record = head[at : at + _DESCRIPTOR]
        if tid == scene.snapshot.process.pid or (tid and not _bounds(scene, record, start + at, word)):
            return start + at
    return None


def _bounds(scene: Scene, record: bytes, address: int, word: int) -> tuple[int, int] | None:
    """Find the stack's block, size and guard size in a record, wherever this glibc has them."""
    words = memoryview(record[: len(record) // word * word]).cast("Q" if word == 8 else "I")
    for at in range(_TID_AT[word] // word, len(words) - 2):
        block, size, guard = words[at : at + 3]
        if not 0 < block < address or size < _SMALLEST_STACK or guard >= size or guard % 4096:
            continue
        if address < block + size <= address + _LARGEST_TLS and _is_one_piece(scene, block, block + size):
            return block, block + size
    return None


def _is_one_piece(scene: Scene, start: int, end: int) -> bool:
    """Tell whether anonymous memory, some of it inaccessible perhaps, fills a range without holes."""
    pieces = scene.within(start, end)
    if not 0 < len(pieces) <= _MOST_ZONES or pieces[0].start > start or pieces[-1].end < end:
        return False
    touching = all(below.end == above.start for below, above in pairwise(pieces))
    return touching and all(is_plain(piece) or piece.kind is Kind.RESERVED for piece in pieces)


def _above(scene: Scene, pointer: int) -> RecordedStack | None:
    """Look for a record from a stack pointer up, where the kernel merged the stack with what follows."""
    mapping = scene.at(pointer)
    if mapping is None or not is_plain(mapping):
        return None
    base = pointer // 64 * 64
    head = scene.read(base, min(_DEEP, mapping.end - base))
    found = _records(scene, base, head or b"")
    return next((stack for stack in found if stack.start <= pointer < stack.end), None)


def _by_pointer(scene: Scene, pointers: dict[int, int]) -> Iterator[Claim]:
    """Claim the mappings that hold one stack pointer and have the bounds of a stack."""
    inside: dict[int, list[int]] = {}
    for tid, pointer in pointers.items():
        index = scene.span(pointer, pointer + 1)[0]
        if scene.at(pointer) is not None:
            inside.setdefault(index, []).append(tid)
    names = scene.thread_names
    for index, tids in inside.items():
        mapping = scene.mappings[index]
        below = scene.mappings[index - 1] if index else None
        if len(tids) > 1 or not is_plain(mapping):
            continue
        guarded = below is not None and is_guard(below, mapping)
        if not guarded and "nh" not in (mapping.flags or ()):
            continue
        (tid,) = tids
        bound = "inaccessible pages below it" if guarded else "the mark of a stack (VmFlags nh)"
        how = f"holds the thread's stack pointer and no other's, with {bound}"
        yield Claim(mapping.start, mapping.end, "thread stack", "register", how, names.get(tid), tid)
        if guarded and below is not None:
            why = "inaccessible pages below a thread's stack"
            yield Claim(below.start, below.end, "guard page", "register", why, names.get(tid), tid)


def _by_shape(scene: Scene) -> Iterator[Claim]:
    """Claim what looks like a stack: a guard and above it as much memory as a stack has by default."""
    limit = (scene.snapshot.process.limits or {}).get("stack")
    usual = {_DEFAULT_STACK, limit} if isinstance(limit, int) else {_DEFAULT_STACK}
    java = any("libjvm.so" in mapping.path for mapping in scene.mappings if mapping.path)
    for below, mapping in scene.guarded:
        guard, size = below.size, mapping.size
        like_java = java and guard in _JAVA_ZONES and guard + size == 1 << 20
        if (guard <= 64 << 10 and size in usual) or like_java:
            how = "as large as a stack is by default, above inaccessible pages"
            yield Claim(mapping.start, mapping.end, "thread stack", "shape", how)
            yield Claim(below.start, below.end, "guard page", "shape", "below what looks like a stack")
