"""The Go runtime's memory, from its own `mheap_`, whether the program has symbols or not.

The heap's structure begins with the five levels of the page allocator's summary, slices whose
capacities follow from the 48 bits of an address: they are how it is found. It also has the map of
arenas, a table with one entry for each 64 MiB of address space; what has an entry is Go's heap.
Facts: runtime/{mheap,mpagealloc,mpagealloc_64bit,malloc}.go, Go 1.14 and later, on amd64 and arm64.

A thread that runs Go has its stack pointer in the heap: goroutines' stacks are no thread stacks.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, is_block, words, zeroed
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene, is_plain

_NOTE = b"\4\0\0\0Go\0\0"  # type and name of the note in .note.go.buildid
_LEVELS = tuple(1 << bits for bits in (14, 17, 20, 23, 26))  # entries of 8 bytes
_SLICE = 3 * WORD  # pointer, length, capacity

_ARENA = 64 << 20
_FIRST_HEAP = 0xC0 << 32
_ARENAS = 1 << 22  # entries of the map
_FIRST_ARENA = 1 << 47  # addresses are signed: those of user space begin half way up
_MOST_ARENAS = 1 << 16
_HEAP_SIZE = 256 << 10  # bytes of `mheap_`, which has 93 KB in Go 1.27
_LARGEST_CHUNK = 4 << 20  # bytes; the runtime allocates its records in chunks of 256 KiB to 1 MiB
_VARIABLES = (1 << 20, 16 << 20)  # bytes that are searched, first few


def go(scene: Scene) -> Iterator[Claim]:
    """Claim the heap and the bookkeeping of a Go program."""
    if scene.memory is None:
        yield from _in_a_listing(scene)
        return
    program = scene.executable
    if program is None or not is_go(scene, program):
        return
    heap = next(filter(None, (_heap(scene, most) for most in _VARIABLES)), None)
    if heap is None:
        yield from _shapes(scene)
    else:
        yield from _records(scene, heap)
        yield from _bookkeeping(scene, program, heap)


def is_go(scene: Scene, program: MappedObject) -> bool:
    """Look for the note with Go's build id, which linkers put behind the program headers."""
    first = program.mappings[0]
    return first.offset == 0 and _NOTE in (scene.read(first.start, scene.page_size) or b"")


def find_heap(scene: Scene, most: int) -> int | None:
    """Return the address of `mheap_`, if it begins in the first *most* bytes of the program's variables."""
    program = scene.executable
    address, raw = zeroed(scene, program.mappings, most + _HEAP_SIZE) if program else (0, b"")
    start = _start(raw)
    return None if start is None else address + start


def _heap(scene: Scene, most: int) -> bytes | None:
    """Return the bytes of `mheap_`."""
    program = scene.executable
    _, raw = zeroed(scene, program.mappings, most + _HEAP_SIZE) if program else (0, b"")
    start = _start(raw)
    return None if start is None else raw[start : start + _HEAP_SIZE]


def _start(raw: bytes) -> int | None:
    """Find where in *raw* the slices of the five levels are, with which `mheap_` begins."""
    spelt = [level.to_bytes(WORD, "little") for level in _LEVELS]
    at = raw.find(spelt[-1])
    while at >= 0:
        start = at + WORD - _SLICE * len(_LEVELS)
        capacities = [raw[start + _SLICE * n - WORD : start + _SLICE * n] for n in range(1, len(spelt) + 1)]
        if start >= 0 and start % WORD == 0 and capacities == spelt:
            return start
        at = raw.find(spelt[-1], at + 1)
    return None


def _records(scene: Scene, heap: bytes) -> Iterator[Claim]:
    """Claim what `mheap_` has the bounds of: the page allocator's summary and the heap's arenas."""
    pointers = _words(heap)
    page = scene.page_size
    for level, capacity in enumerate(_LEVELS):
        start = pointers[3 * level]
        end = start + -(-capacity * WORD // page) * page
        if is_block(scene, start, end):
            yield Claim(
                start, end, "go runtime", "record", "a slice of the page allocator", f"summary {level}"
            )
    aligned = dict.fromkeys(at for at in pointers if at and not at % page)
    table = next((at for at in aligned if _is_map(scene, at)), None)
    if table is None:
        return
    yield Claim(table, table + _ARENAS * WORD, "go runtime", "record", "mheap_ refers to it", "map of arenas")
    for arena in _arenas(scene, table):
        yield Claim(arena, arena + _ARENA, "go heap", "record", "it is in the runtime's map of heap arenas")


def _words(heap: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(heap) // WORD}Q", heap[: len(heap) // WORD * WORD])


def _is_map(scene: Scene, table: int) -> bool:
    """Return whether this is the map of arenas: it has entries for mapped memory only, each leading to such.

    Neither the map nor what it leads to lies in an arena: the heap's own data may look like a few entries.
    """
    if not is_block(scene, table, table + _ARENAS * WORD):
        return False
    found = [*_entries(scene, table)]
    arenas = {index for index, _ in found}
    led = [table, *(entry for _, entry in found)]
    return (
        bool(found)
        and all(entry % WORD == 0 and scene.at(entry) for entry in led)
        and not any((at + _FIRST_ARENA) // _ARENA in arenas for at in led)
        and _is_empty_beside(scene, table, arenas)
    )


def _is_empty_beside(scene: Scene, table: int, arenas: AbstractSet[int]) -> bool:
    """Return whether the pages of the map that have these entries have none for memory that is not mapped."""
    entries = scene.page_size // WORD
    for page in {index // entries for index in arenas}:
        held = words(scene, table + page * scene.page_size, entries)
        indices = [page * entries + at for at, entry in enumerate(held or ()) if entry]
        starts = [index * _ARENA - _FIRST_ARENA for index in indices if index not in arenas]
        if held is None or not all(scene.within(start, start + _ARENA) for start in starts):
            return False
    return True


def _arenas(scene: Scene, table: int) -> Iterator[int]:
    for index, _ in _entries(scene, table):
        arena = index * _ARENA - _FIRST_ARENA
        held = scene.within(arena, arena + _ARENA)
        if held and all(mapping.path is None or mapping.path.startswith("[anon") for mapping in held):
            yield arena


def _entries(scene: Scene, table: int) -> Iterator[tuple[int, int]]:
    """Yield index and content of the map's entries for readable and writable memory."""
    for first, last in _places(scene):
        entries = words(scene, table + first * WORD, last - first) or ()
        yield from ((first + at, entry) for at, entry in enumerate(entries) if entry)


def _places(scene: Scene) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of indices, in order and disjoint, of the arenas that may be there."""
    reach = left = 0
    for mapping in scene.plain:
        first = max((mapping.start + _FIRST_ARENA) // _ARENA, reach)
        reach = max(-(-(mapping.end + _FIRST_ARENA) // _ARENA), first)
        left += reach - first
        if first < reach <= _ARENAS and left <= _MOST_ARENAS:
            yield first, reach


def _bookkeeping(scene: Scene, program: MappedObject, heap: bytes) -> Iterator[Claim]:
    """Claim as likely what `mheap_` leads to: a pointer bounds nothing.

    Programs map memory of their own (``syscall.Mmap``), and the kernel merges it with the runtime's: what is
    larger than the runtime's chunks, its arenas' records left out, is not claimed, nor what lies below the
    first pointer, where the kernel puts what is mapped later.
    """
    pointers = sorted(set(_words(heap)))
    bss = program.mappings[-1].end
    for mapping in scene.plain:
        at = bisect_left(pointers, mapping.start)
        if mapping.start == bss or mapping.size > _LARGEST_CHUNK:
            continue
        if at < len(pointers) and pointers[at] < mapping.end:
            start = pointers[at] // scene.page_size * scene.page_size
            yield Claim(start, mapping.end, "go runtime", "shape", "mheap_ refers to it")


def _shapes(scene: Scene) -> Iterator[Claim]:
    """Claim the heap by the place that Go up to 1.25 or so gave it on 64-bit machines."""
    for mapping in scene.plain:
        if 0xC0 << 32 <= mapping.start < 0xC1 << 32:
            evidence = "in a Go program, at the address where its heap begins"
            yield Claim(mapping.start, mapping.end, "go heap", "shape", evidence)


def _in_a_listing(scene: Scene) -> Iterator[Claim]:
    """Claim what begins exactly where Go up to 1.25 or so puts its first arena, reserve included."""
    first = scene.at(_FIRST_HEAP)
    if first is None or first.start != _FIRST_HEAP or not is_plain(first):
        return
    evidence = "begins at the address where Go's heap begins"
    yield Claim(first.start, -(-first.end // _ARENA) * _ARENA, "go heap", "shape", evidence)
