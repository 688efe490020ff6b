"""The blocks of jemalloc that are in use, one by one: regions of slabs, and large extents.

A record has, 64 bytes from its start, a bit for each region of its slab, set where the region is free
(`edata_t`, in 5.0 to 5.2 `extent_t`). Regions in the caches of threads count as in use there. Each thread has
an array of caches in its thread-local storage, the contents of which lie side by side in one block (since
5.3, include/jemalloc/internal/cache_bin.h).
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import compress, islice
from operator import not_

from vmdiff.owners.inside.jemalloc_extents import ActiveExtent, active_extents
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.thread_variables import main_storage
from vmdiff.owners.inside.used_blocks import BlockRange, UsedBlocks
from vmdiff.owners.machine_words import WORD, raw_each, unpacked, words
from vmdiff.owners.scene import Scene

_OWNER = "jemalloc"
_BITS_AT, _BITS = 64, 64  # bytes of a record: where the bits are, and how many bytes they take
# A cache: where its newest pointer is, a count of requests, and a word of four 16-bit fields: the low bits of
# where the pointers were fewest, of where they are when it is full, and when it is empty; since 5.3.1 how
# many it holds at most.
_CACHE = 3  # words
_LEAST_CACHES = 16  # of one thread that lead from one to the next; there are some 40
_LOW = 0xFFFF
_TOP = 64 << 10  # bytes of a stack where thread-local storage may be
_LARGEST_TLS = 256 << 10  # of the mapping that has the first thread's
_MOST_PLACES = 4096


def jemalloc_blocks(scene: Scene, bases: Sequence[int]) -> UsedBlocks | None:
    """List the blocks in use; None where there is no jemalloc, or its records are not known."""
    extents = active_extents(scene)
    if extents is None:
        return None
    starts, sizes, unread = array("Q"), array("Q"), 0
    slabs = [extent for extent in extents if extent.free is not None]
    bits = raw_each(scene, [extent.record + _BITS_AT for extent in slabs], _BITS)
    for extent, raw in zip(slabs, bits, strict=True):
        found = None if raw is None else _used(extent, int.from_bytes(raw, "little"))
        if found is None:
            unread += extent.blocks * extent.block
        else:
            starts.extend(found)
            sizes.extend([extent.block] * len(found))
    large = [extent for extent in extents if extent.free is None]
    starts.extend([extent.start for extent in large])
    sizes.extend([extent.block for extent in large])
    cached, own = _cached(scene, bases)
    taken = bytes(map(not_, map(cached.__contains__, starts)))
    grounds = tuple(BlockRange(start, end) for start, end, _ in owned_ranges(scene, _OWNER))
    blocks = UsedBlocks(
        _OWNER,
        array("Q", compress(starts, taken)),
        array("Q", compress(sizes, taken)),
        grounds,
        tuple(_unread(unread, found=bool(cached or own))),
    )
    return _without_holders(blocks, own)


def _unread(size: int, *, found: bool) -> Iterator[str]:
    if size:
        yield f"jemalloc: {size:,} bytes in slabs whose records contradict themselves"
    if not found:
        yield "jemalloc: no caches of threads were found: what they hold, or held, does not look lost"


def _used(extent: ActiveExtent, bits: int) -> Sequence[int] | None:
    """Return where the regions in use of a slab begin; None where the bits contradict the record."""
    end = extent.start + extent.blocks * extent.block
    bits &= (1 << extent.blocks) - 1
    if bits.bit_count() != extent.free:
        return None
    every = range(extent.start, end, extent.block)
    if not bits:
        return every
    free = format(bits, f"0{extent.blocks}b")[::-1]  # a letter a region
    return [*compress(every, map("0".__eq__, free))]


def _without_holders(blocks: UsedBlocks, own: Sequence[int]) -> UsedBlocks:
    """Leave out the blocks that hold the contents of caches: what was taken out of one is still there."""
    if not own:
        return blocks
    held = [
        at
        for at, (start, size) in enumerate(zip(blocks.starts, blocks.sizes, strict=True))
        if size > _BITS and any(start <= place < start + size for place in own)
    ]
    for at in reversed(held):
        del blocks.starts[at]
        del blocks.sizes[at]
    return blocks


def _cached(scene: Scene, bases: Sequence[int]) -> tuple[set[int], list[int]]:
    """Return the regions in caches of threads, and an address in the block with the contents of each."""
    found: set[int] = set()
    places: list[int] = []
    for low, high in _storage(scene, bases):
        held = words(scene, low, (high - low) // WORD) or ()
        at = next(_arrays(held), None)
        while at is not None and _is_cache(held, at):
            head, empty = held[at], _empty(held, at)
            found.update(unpacked(scene.read(head, empty - head)) if empty > head else ())
            places.append(empty - WORD)
            if not _follows(held, at):
                break
            at += _CACHE
    return found, places


def _storage(scene: Scene, bases: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where threads may have their thread-local storage: at the top of stacks, and the loader's.

    The first thread's is in memory that the loader mapped, which the kernel may have merged with anything:
    then only its owner, or the thread's base, leads there.
    """
    for start, end, _ in islice(owned_ranges(scene, "thread stack"), _MOST_PLACES):
        yield max(start, end - _TOP), end
    yield from main_storage(scene, _TOP)
    for base in bases:
        mapping = scene.at(base)
        if mapping is not None:
            yield max(mapping.start, base // WORD * WORD - _TOP), base // WORD * WORD
    for mapping in scene.touched:
        if mapping.size <= _LARGEST_TLS:
            yield mapping.start, mapping.end


def _arrays(held: Sequence[int]) -> Iterator[int]:
    """Yield where a thread's array of caches begins."""
    step, last = _CACHE, len(held) - _LEAST_CACHES * _CACHE
    for at in range(max(last, 0)):
        if (
            held[at + 2]
            and _follows(held, at)
            and all(
                _is_cache(held, at + n * step) and _follows(held, at + n * step)
                for n in range(_LEAST_CACHES - 1)
            )
        ):
            yield at


def _is_cache(held: Sequence[int], at: int) -> bool:
    bits = held[at + 2]
    full, empty = bits >> 16 & _LOW, bits >> 32 & _LOW
    room = empty - full & _LOW
    if bits >> 48 not in {0, room // WORD} or held[at] % WORD:
        return False
    return room > 0 and (held[at] - full & _LOW) <= room


def _follows(held: Sequence[int], at: int) -> bool:
    """Return whether the next cache's contents begin where those of the one at *at* end."""
    if at + 2 * _CACHE > len(held):
        return False
    return held[at + 2] >> 32 & _LOW == held[at + 2 + _CACHE] >> 16 & _LOW


def _empty(held: Sequence[int], at: int) -> int:
    """Return the address behind a cache's last pointer."""
    return held[at] + (((held[at + 2] >> 32) - held[at]) & _LOW)
