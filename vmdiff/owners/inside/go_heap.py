"""The Go runtime's account of its heap: in use, free, returned to the kernel, and goroutines' stacks.

`mheap_` has the bytes that the page allocator manages. `gcController` counts those in spans of objects, those
returned to the kernel, and those free, which can be returned; `memstats.heapStats` counts, in three parts,
what is in spans of objects, stacks and buffers. Neither has a symbol in a stripped program: both are searched
in its variables, and believed where the three accounts agree to the byte. The figures are those of
`runtime.MemStats`. Facts: runtime/{mpagealloc,mgcpacer,mstats}.go of Go 1.19 to 1.27.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.machine_words import WORD, unpacked, words, zeroed
from vmdiff.owners.runtimes.go import find_heap, is_go
from vmdiff.owners.scene import Scene

OWNER = "go heap"
_PAGE = 8192
_RANGES = (
    15 + (1 << 13) + 3
)  # words of `mheap_` before pageAlloc.inUse: summary, chunks, searchAddr, start, end
_MOST_RANGES = 1 << 16
_PARTS = 3
_PART = 5 + 3 + 68 + 2 + 68  # words of a heapStatsDelta; up to 1.22 or so one more
_LENGTHS = (_PART, _PART + 1)
_RELEASED, _IN_HEAP, _IN_STACKS = 1, 2, 3
_WORD_LIMIT = 1 << 64


class Places(NamedTuple):
    """Where the three accounts are; *length* is that of a part of the statistics, in words."""

    ranges: int
    controller: int
    statistics: int
    length: int


class Account(NamedTuple):
    """Bytes of pages: of objects, returned to the kernel, free, of stacks, and of the runtime's buffers."""

    objects: int
    released: int
    free: int
    stacks: int
    buffers: int


def go_heap(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of a Go program's heap, and of its goroutines' stacks."""
    program = scene.executable
    if program is None or scene.word_size != WORD or not is_go(scene, program):
        return
    places = next(filter(None, (_find(scene, most) for most in _searched(budget))), None)
    if places is None:
        return
    account, steady = two_readings(lambda: _account(scene, places))
    reason = None if steady and account else MOVED
    source = "Go mheap_, gcController and memstats"
    heap = Usage(owner=OWNER, source=source, certainty="certain", partial=reason)
    stacks = heap.model_copy(update={"label": "goroutine stacks"})
    if account is not None:
        figures = {"in_use": account.objects, "free": account.free, "overhead": account.buffers}
        heap = heap.model_copy(
            update={**figures, "cached": 0, "reserved": account.released, "releasable": account.free}
        )
        stacks = stacks.model_copy(
            update={"in_use": account.stacks, "free": 0, "cached": 0, "overhead": 0, "releasable": 0}
        )
    yield from (heap, stacks)


def _searched(budget: Budget) -> Iterator[int]:
    """Yield how many bytes of the variables to search: most programs have few."""
    yield 1 << 20
    if budget.allows(walk=16 << 20):
        yield 16 << 20


def _find(scene: Scene, most: int) -> Places | None:
    heap = find_heap(scene, most)
    if heap is None:
        return None
    ranges = heap + _RANGES * WORD
    total = _managed(scene, ranges)
    if total is None:
        return None
    variables = [*_variables(scene, most)]
    for start, values in variables:
        for at in _controllers(values, total):
            objects, released, free = values[at : at + 3]
            rest = total - objects - released - free
            for low, parts in variables:
                if found := _statistics(parts, objects, released, rest):
                    return Places(ranges, start + at * WORD, low + found[0] * WORD, found[1])
    return None


def _variables(scene: Scene, most: int) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield address and words of the program's variables, zeroed ones first."""
    program = scene.executable
    if program is None:
        return
    start, raw = zeroed(scene, program.mappings, most)
    yield start, unpacked(raw)
    for mapping in program.mappings:
        if mapping.perms.startswith("rw"):
            yield mapping.start, unpacked(scene.read(mapping.start, min(mapping.end - mapping.start, most)))


def _managed(scene: Scene, at: int) -> int | None:
    """Return the bytes that the page allocator manages; None unless its ranges add up to that number."""
    record = words(scene, at, 4)  # the slice of ranges, and their sum
    if record is None or not 0 < record[1] <= min(record[2], _MOST_RANGES):
        return None
    bounds = words(scene, record[0], 2 * record[1]) or ()
    total = sum(bounds[1::2]) - sum(bounds[0::2])
    ordered = all(low < high for low, high in pairwise(bounds))
    return total if bounds and ordered and total == record[3] and total % _PAGE == 0 else None


def _controllers(values: Sequence[int], total: int) -> Iterator[int]:
    """Yield where the counters of `gcController` may be: objects, released, free, bytes made and freed."""
    for at, (objects, released, free) in enumerate(zip(values, values[1:], values[2:], strict=False)):
        if (
            0 < objects <= total
            and not (objects | released | free) % _PAGE
            and objects + released + free <= total
        ):
            made, freed, ready = values[at + 3 : at + 6] if at + 6 <= len(values) else (0, 1, 0)
            if freed <= made and made - freed <= objects and made and ready >= objects + free:
                yield at


def _statistics(values: Sequence[int], objects: int, released: int, rest: int) -> tuple[int, int] | None:
    """Return where the three parts of the statistics are that add up to what is known, and their length."""
    for length in _LENGTHS:
        parts = zip(values, values[length:], values[2 * length :], strict=False)
        for at, part in enumerate(parts):
            if sum(part) % _WORD_LIMIT == objects and at >= _IN_HEAP:
                sums = _sums(values[at - _IN_HEAP :], length)
                if sums and sums[_RELEASED] == released and sum(_manual(sums, length)) == rest:
                    return at - _IN_HEAP, length
    return None


def _sums(values: Sequence[int], length: int) -> list[int] | None:
    """Return the sums over the three parts of the first six figures; each may be negative by itself."""
    if len(values) < 2 * length + 6:
        return None
    return [sum(values[n::length][:_PARTS]) % _WORD_LIMIT for n in range(6)]


def _manual(sums: Sequence[int], length: int) -> Sequence[int]:
    """Return the bytes of stacks, then of the runtime's buffers, of which older versions have two kinds."""
    return sums[_IN_STACKS : _IN_STACKS + 2 + length - _PART]


def _account(scene: Scene, places: Places) -> Account | None:
    """Read the three accounts; None while they disagree, as they do for a moment when the heap changes."""
    total = _managed(scene, places.ranges)
    counters = words(scene, places.controller, 3)
    parts = words(scene, places.statistics, 2 * places.length + 6)
    sums = _sums(parts, places.length) if parts else None
    if total is None or counters is None or sums is None:
        return None
    objects, released, free = counters
    stacks, *buffers = _manual(sums, places.length)
    if objects != sums[_IN_HEAP] or objects + released + free + stacks + sum(buffers) != total:
        return None
    return Account(objects, released, free, stacks, sum(buffers))
