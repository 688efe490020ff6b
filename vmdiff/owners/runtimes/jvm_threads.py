"""Java threads: the stacks that the JVM has on record, and the names that Java has for them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, raw_each, word_each, words
from vmdiff.owners.runtimes.hotspot_structs import HotSpot
from vmdiff.owners.runtimes.java_strings import JavaHeap
from vmdiff.owners.scene import Scene

_EVIDENCE = "HotSpot's JavaThread has these bounds of its stack, and its OSThread this thread id"
_MOST_ENDING = 64
_KERNEL_NAME = 15  # bytes; longer names are cut off (TASK_COMM_LEN)
_THREAD_OBJECT = 256  # bytes of a java.lang.Thread that hold its fields


class _JavaThread(NamedTuple):
    """A JavaThread: where it is, and what it says of itself."""

    at: int
    tid: int
    low: int
    high: int


def find(machine: HotSpot) -> Iterator[Claim]:
    """Claim the stacks of Java threads; what is inaccessible at their low end guards them."""
    threads = [*_threads(machine)]
    names = _names(machine, threads)
    for thread in threads:
        if not is_block(machine.scene, thread.low, thread.high):
            continue
        low, name = thread.low, names.get(thread.tid)
        guard = machine.scene.at(low)
        if guard and guard.start == low and not guard.accessible:
            low = min(guard.end, thread.high)
            yield Claim(thread.low, low, "guard page", "record", _EVIDENCE, name, thread.tid)
        yield Claim(low, thread.high, "thread stack", "record", _EVIDENCE, name, thread.tid)


def _threads(machine: HotSpot) -> Iterator[_JavaThread]:
    places = _list(machine)
    system = machine.each(places, "_osthread", "Thread", "JavaThread")
    base = machine.each(places, "_stack_base", "JavaThread", "Thread")
    size = machine.each(places, "_stack_size", "JavaThread", "Thread")
    tids = machine.each(system, "_thread_id", "OSThread", width=4)
    found = [
        _JavaThread(at, tid, high - length, high)
        for at, tid, high, length in zip(places, tids, base, size, strict=True)
        if 0 < length < high
    ]
    return _seen_from_here(machine.scene, found)


def _seen_from_here(scene: Scene, threads: Sequence[_JavaThread]) -> Iterator[_JavaThread]:
    """Yield those threads that the snapshot has, under the ids that it has for them.

    The JVM knows the ids of its own pid namespace. If they are not those seen here, the thread of a
    stack is the one whose stack pointer lies in it.
    """
    known = [thread.tid for thread in scene.snapshot.process.threads or ()]
    ids = set(known)
    alike = [thread for thread in threads if thread.tid in ids]
    if len(alike) * 2 > len(threads) or scene.memory is None:
        yield from alike
        return
    pointers = sorted((at, tid) for tid, at in scene.memory.stack_pointers(known).items())
    for thread in threads:
        low, high = (bisect_left(pointers, (bound, 0)) for bound in (thread.low, thread.high))
        if high - low == 1:
            yield thread._replace(tid=pointers[low][1])


def _list(machine: HotSpot) -> Sequence[int]:
    list_ = machine.static("ThreadsSMRSupport", "_java_thread_list")
    count = machine.member(list_, "ThreadsList", "_length")
    array = machine.member(list_, "ThreadsList", "_threads")
    if not count or not array:
        return ()
    # A thread that ends meanwhile may still be listed; more than a few of them are a misread count.
    most = len(machine.scene.thread_names) + _MOST_ENDING
    return words(machine.scene, array, min(count & 0xFFFFFFFF, most)) or ()


def _names(machine: HotSpot, threads: Sequence[_JavaThread]) -> dict[int, str | None]:
    """Return the kernel's names, and Java's where the kernel cut one off or was never told.

    A name that was read must begin as the kernel's does, else it was misread.
    """
    process = machine.scene.snapshot.process
    names = {thread.tid: thread.name for thread in process.threads or ()}
    unnamed_name = names.get(process.pid or 0)
    cut = [t for t in threads if len((names[t.tid] or "").encode()) >= _KERNEL_NAME]
    unnamed = [t for t in threads if names[t.tid] == unnamed_name and t not in cut]
    for thread, name in zip(cut + unnamed, _java_names(machine, cut + unnamed), strict=True):
        if name and (thread in unnamed or name.startswith(names[thread.tid] or "")):
            names[thread.tid] = name
    return names


def _java_names(machine: HotSpot, threads: Sequence[_JavaThread]) -> list[str | None]:
    """Read the first String that each java.lang.Thread refers to: its name."""
    objects = JavaHeap.of(machine)
    if objects is None:
        return [None] * len(threads)
    handles = machine.each([thread.at for thread in threads], "_threadObj", "JavaThread")
    places = [place or 0 for place in word_each(machine.scene, handles)]
    raws = raw_each(machine.scene, places, _THREAD_OBJECT)
    return [None if raw is None else objects.text_in(raw) for raw in raws]
