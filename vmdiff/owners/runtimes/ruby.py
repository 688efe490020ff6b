"""Ruby's heap pages, fiber stacks and transient heap (CRuby 2.6 to 3.5).

Objects lie in pages of 16 or 64 KiB (since 3.2), which begin with the address of their record (struct
heap_page, gc.c). The record leads back: it has where the first slot is, and as many slots of its size as fill
the page. Up to 3.0 pages come from malloc and are malloc's. libruby's variables lead to the stacks of fibers
(struct fiber_pool_allocation, cont.c), which lead back to the variable, and up to 3.2 to the transient heap
(struct transient_heap, transient_heap.c), whose blocks are linked.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.owners.allocators.plain_runs import heads, joined
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, is_block, raw_each, unpacked, words, zeroed
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene

HEAP = "ruby heap"
FIBERS = "ruby fiber stack"

_SYMBOL = b"\0rb_gc_start\0"
_STEP, _SIZES = 16 << 10, (16 << 10, 64 << 10)
_MOST_PAGES = 1 << 20
_RECORD = 16  # words
_FIRST_SLOT = 1 << 10  # bytes of a page before its first slot, at the most
_SLOTS = range(24, 2049, 8)  # bytes
_ONLY_SLOT = 40  # bytes of every slot up to Ruby 3.0
_MOST_STACKS, _MOST_POOLS = 1 << 20, 64
_TRANSIENT, _BLOCK = 32 << 20, 32 << 10


def ruby(scene: Scene) -> Iterator[Claim]:
    """Claim what CRuby maps for itself."""
    library = next((thing for thing in scene.objects if _is_ruby(thing)), None)
    if library is None or not scene.can_read or scene.word_size != WORD:
        return
    how = "its first word leads to the record of a heap page, which leads back and has slots that fill it"
    for start, end, count in joined(_pages(scene)):
        yield Claim(start, end, HEAP, "record", how, f"{count} pages" if count > 1 else None)
    variables = _Variables(*_values(scene, library))
    yield from _fiber_stacks(scene, variables)
    yield from _transient_heap(scene, variables)


def _is_ruby(thing: MappedObject) -> bool:
    return "ruby" in thing.name and thing.exports_any((_SYMBOL,))


def _pages(scene: Scene) -> Iterator[tuple[int, int]]:
    """Yield the bounds of heap pages in address order."""
    found = [(at, int.from_bytes(raw, "little")) for at, raw in heads(scene, _STEP, WORD, _MOST_PAGES)]
    led = [(page, record) for page, record in found if record and not record % WORD and scene.at(record)]
    records = raw_each(scene, [record for _, record in led], _RECORD * WORD)
    reach = 0
    for (page, _), raw in zip(led, records, strict=True):
        size = _page_size(page, raw) if raw and page >= reach else None
        if size and is_block(scene, page, page + size):
            reach = page + size
            yield page, reach


def _page_size(page: int, record: bytes) -> int | None:
    """Return the size of a heap page that a record fits, None if it is none's.

    The record begins with the bytes of a slot (since 3.1) and the number of slots.
    """
    first, second = struct.unpack_from("<2H", record)
    for start in unpacked(record):
        if page < start <= page + _FIRST_SLOT:
            for slot, count in ((first, second), (_ONLY_SLOT, first)):
                used = start - page + slot * count
                fitting = [size for size in _SIZES if slot in _SLOTS and 0 <= size - used < slot]
                if fitting:
                    return fitting[0]
    return None


class _Variables(NamedTuple):
    """The zeroed variables of libruby: the address of the first, and all values."""

    start: int
    values: Sequence[int]


def _values(scene: Scene, library: MappedObject) -> tuple[int, Sequence[int]]:
    start, raw = zeroed(scene, library.mappings)
    return start, unpacked(raw)


def _fiber_stacks(scene: Scene, variables: _Variables) -> Iterator[Claim]:
    """Claim the stacks of fibers, each with a guard page below: base, size, step and number, and the pool."""
    how = "a pool of fibers that leads back to libruby's variable has base, step and number of these stacks"
    places = {
        variables.start + at * WORD: value
        for at, value in enumerate(variables.values)
        if value and not value % WORD and scene.at(value)
    }
    raws = raw_each(scene, list(places.values()), _RECORD * WORD)
    for variable, raw in zip(places, raws, strict=True):
        allocation = unpacked(raw)
        for _ in range(_MOST_POOLS):
            if variable not in allocation[4:6]:
                break
            base, size, step, count = allocation[:4]
            end = base + step * count
            if 0 < size < step and 0 < count < _MOST_STACKS and is_block(scene, base, end):
                yield Claim(base, end, FIBERS, "record", how, f"{count} stacks")
            after = allocation[allocation.index(variable, 4) + 1]
            allocation = words(scene, after, _RECORD) or () if after else ()


def _transient_heap(scene: Scene, variables: _Variables) -> Iterator[Claim]:
    """Claim the heap of short-lived arrays: a variable has its start, the next how many blocks were used.

    Each block was linked to one that lies in it, or to none.
    """
    how = "libruby's variables have where it begins and how many of its linked blocks were handed out"
    for start, count in zip(variables.values, variables.values[1:], strict=False):
        end = start + _TRANSIENT
        if not start or start % _STEP or not 0 < count <= _TRANSIENT // _BLOCK:
            continue
        if is_block(scene, start, end):
            places = [start + number * _BLOCK for number in range(count)]
            blocks = [unpacked(raw) for raw in raw_each(scene, places, 2 * WORD)]
            links = [block[1] for block in blocks if block]
            if any(links) and all(link == 0 or link in places for link in links):
                yield Claim(start, end, HEAP, "record", how, "transient heap")
                return
