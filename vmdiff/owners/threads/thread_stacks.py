"""Thread stacks, by the C library's own records of its threads; without those, likely by stack pointer.

A record bounds the stack to the byte and names the thread. A stack pointer proves nothing: fibers, signal
stacks and blocked goroutines have theirs in memory that looks like a stack, with guards and MAP_STACK.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from operator import attrgetter

from vmdiff.model import AddressIndex, Mapping, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene, is_guard, is_plain
from vmdiff.owners.threads.glibc_threads import GlibcThreads
from vmdiff.owners.threads.thread_record import ENDED, ThreadLibrary, ThreadRecord, follow, linked, own_ids

_DEFAULT_STACK = 8 << 20
_TOP = 4 << 10  # where in a stack the record is, but for large static TLS
_MOST_TOPS, _BATCH = 32_768, 256

_MARKS = frozenset({"nh", "gu"})  # of VmFlags: no huge pages, as MAP_STACK asks; guards
_JAVA_ZONES = (16 << 10, 12 << 10, 20 << 10)

_ENDED_HOW = "the C library's record of a thread that has ended is in it, with these bounds, and in its list"
_KNOWN_HOW = "the C library's record of the thread is in it, with these bounds, and in its list of threads"


def stacks(scene: Scene) -> Iterator[Claim]:
    """Claim the stacks of all threads, and the guard pages at their low ends."""
    ids = own_ids(scene)
    main = scene.snapshot.process.pid or 0
    wanted = {own for own, tid in ids.items() if tid != main and tid not in scene.settled.threads}
    own_pid = next((own for own, tid in ids.items() if tid == main), main)
    records = _records(scene, wanted, own_pid)
    for record in records:
        yield from _claims(scene, record, ids)
    rest = {ids[own] for own in wanted - {record.tid for record in records}}
    if scene.can_read:
        yield from _by_pointer(scene, rest, records)
    if not scene.can_read:
        yield from _by_shape(scene)


def _libraries(scene: Scene) -> Iterator[ThreadLibrary]:
    """Yield the C libraries whose records may be there."""
    if not scene.has_musl:
        yield GlibcThreads(scene.word_size)
    if scene.word_size == 8 and not scene.find_object("libc.so.6", "libc-2."):
        from vmdiff.owners.threads.musl_threads import MuslThreads  # where musl is or may be, as in few

        yield MuslThreads()


def _records(scene: Scene, wanted: set[int], main: int) -> list[ThreadRecord]:
    """Return the records of threads that a list of their library has, the live ones of *wanted* among them.

    They are looked for where stacks end. What is at no such place, as stacks that a program supplied or that
    the kernel merged with what follows, the lists lead to.
    """
    if not scene.can_read:
        return []
    heads = list(_tops(scene, list(_marked(scene))))
    for library in _libraries(scene):
        at_tops = (record for base, head in heads for record in library.records_in(scene, base, head))
        found = linked(scene, {record.address: record for record in at_tops}.values(), library)
        missing = wanted - {record.tid for record in found}
        if missing:
            entry = found[0].link if found else next(library.main_links(scene, main), None)
            found += linked(scene, follow(scene, library, entry, found), library)
        if found:
            return _apart(found)
    return []


def _apart(records: Sequence[ThreadRecord]) -> list[ThreadRecord]:
    """Return the records whose stacks do not overlap those before them, each once."""
    kept: list[ThreadRecord] = []
    for record in sorted(set(records), key=lambda record: (record.start, record.end)):
        if not kept or kept[-1].end <= record.start:
            kept.append(record)
    return kept


def _claims(scene: Scene, record: ThreadRecord, ids: dict[int, int]) -> Iterator[Claim]:
    """Claim a recorded stack: what is accessible as stack, what is not at its low end as guard."""
    tid = ids.get(record.tid)
    label = "unused" if record.tid == ENDED else scene.thread_names.get(tid or 0)
    bottom = _lightweight_guard(scene, record)
    for mapping in scene.within(record.start, record.end):
        if mapping.perms.startswith("---"):
            bottom = max(bottom, min(mapping.end, record.end))
    if record.start < bottom:
        why = "the inaccessible low end of a recorded stack"
        yield Claim(record.start, bottom, "guard page", "record", why, label, tid)
    if bottom < record.end:
        how = _ENDED_HOW if record.tid == ENDED else _KNOWN_HOW
        yield Claim(bottom, record.end, "thread stack", "record", how, label, tid)


def _lightweight_guard(scene: Scene, record: ThreadRecord) -> int:
    """Return the end of the MADV_GUARD_INSTALL range that a stack begins with, or its start."""
    first = scene.at(record.start)
    if scene.memory is None or first is None or not _may_have_guards(first):
        return record.start
    guards = scene.memory.guards(record.start, record.end) or []
    return next((end for start, end in guards if start == record.start), record.start)


def _may_have_guards(mapping: Mapping) -> bool:
    return mapping.flags is None or "gu" in mapping.flags


def _marked(scene: Scene) -> Iterator[PlacedMapping]:
    """Yield the anonymous mappings that are bounded or marked like a stack and not settled yet."""
    guarded = {above.start for _, above in scene.guarded}
    marks = {flags for flags in set(map(attrgetter("flags"), scene.touched)) if _MARKS & {*(flags or ())}}
    for mapping in scene.touched if guarded or marks else ():
        marked = mapping.start in guarded or mapping.flags in marks
        if marked and (scene.settled.end_at(mapping.start) or 0) < mapping.end:
            yield mapping


def _tops(scene: Scene, mappings: Sequence[PlacedMapping]) -> Iterator[tuple[int, bytes]]:
    """Yield address and bytes of the memory where stacks in these mappings would end."""
    if scene.memory is None:
        return
    tops = list(dict.fromkeys(end - _TOP for mapping in mappings for end in _ends(scene, mapping)))
    for first in range(0, min(len(tops), _MOST_TOPS), _BATCH):  # all at once may be hundreds of megabytes
        some = tops[first : first + _BATCH]
        for base, head in zip(some, scene.memory.read_many(some, _TOP), strict=True):
            if head:
                yield base, head


def _ends(scene: Scene, mapping: PlacedMapping) -> Iterator[int]:
    """Yield the ends of the stacks that a mapping may hold: its own end, and where guards begin."""
    start, end = mapping.start, mapping.end
    if end - start >= _TOP:
        yield end
    if scene.memory and mapping.flags is not None and "gu" in mapping.flags:
        for low, _ in scene.memory.guards(start, end) or ():
            if low - _TOP >= start:
                yield low


def _by_pointer(scene: Scene, tids: set[int], records: Sequence[ThreadRecord]) -> Iterator[Claim]:
    """Claim as likely what holds one thread's stack pointer and has the bounds of a stack.

    Only of threads that no record bounds: threads of a runtime of its own, or of another C library.
    """
    pointers = scene.memory.stack_pointers(sorted(tids)) if scene.memory and tids else {}
    recorded = AddressIndex(records)
    inside: dict[int, list[int]] = {}
    for tid, pointer in pointers.items():
        if recorded.at(pointer) is None and scene.at(pointer) is not None:
            inside.setdefault(scene.span(pointer, pointer + 1)[0], []).append(tid)
    for index, holders in inside.items():
        mapping = scene.mappings[index]
        below = scene.mappings[index - 1] if index else None
        guarded = below is not None and is_guard(below, mapping)
        if len(holders) > 1 or not is_plain(mapping) or not (guarded or "nh" in (mapping.flags or ())):
            continue
        claim = partial(Claim, label=scene.thread_names.get(holders[0]), tid=holders[0])
        bound = "inaccessible pages below it" if guarded else "the mark of a stack (VmFlags nh)"
        how = f"holds the thread's stack pointer and no other's, with {bound}"
        yield claim(mapping.start, mapping.end, "thread stack", "shape", how)
        if guarded and below is not None:
            yield claim(
                below.start, below.end, "guard page", "shape", "inaccessible pages below a stack pointer"
            )


def _by_shape(scene: Scene) -> Iterator[Claim]:
    """Claim what looks like a stack: a guard and above it as much memory as a stack has by default."""
    limit = (scene.snapshot.process.limits or {}).get("stack")
    usual = {_DEFAULT_STACK, limit} if isinstance(limit, int) else {_DEFAULT_STACK}
    java = scene.find_object("libjvm.so") is not None
    for below, mapping in scene.guarded:
        guard, size = below.size, mapping.size
        like_java = java and guard in _JAVA_ZONES and guard + size == 1 << 20
        if (guard <= 64 << 10 and size in usual) or like_java:
            how = "as large as a stack is by default, above inaccessible pages"
            yield Claim(mapping.start, mapping.end, "thread stack", "shape", how)
            yield Claim(below.start, below.end, "guard page", "shape", "below what looks like a stack")
