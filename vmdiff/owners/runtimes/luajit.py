"""LuaJIT's own allocator, a dlmalloc (src/lj_alloc.c, LuaJIT 2.0 and 2.1).

A Lua state's first segment begins with its record (struct malloc_state): bins that lead to themselves while
they are empty, and the list of segments at its end; each older segment has its entry at its own end. What is
mapped right below the newest segment becomes a part of it. Blocks of 128 KiB and more have mappings of
their own, with a chunk header like malloc's that nothing counts, so they are likely and no more.
"""

from collections import abc
from collections.abc import Iterator, Sequence

from vmdiff.owners.allocators.plain_runs import heads, joined
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, is_block, raw_each, unpacked, word, words
from vmdiff.owners.scene import Scene

HEAP = "lua heap"

_SYMBOL = b"\0luaJIT_setmode\0"
_MOST_PAGES = 131_072
_STATE = 16  # bytes from a segment's start to the record
_BINS, _SMALL_BINS = 72, 32  # offset of the bins, and how many pairs of words they are
_SEGMENTS = 840  # offset of the list of segments
_MOST_SEGMENTS = 65_536
_IN_USE, _FLAGS = 2, 7
_DIRECT = 1  # in front of a block that has a mapping of its own
_FOOT, _FENCEPOST = 32, 0xB  # bytes behind such a block, and the size that stands there
_SMALLEST_BLOCK = 128 << 10
_HOW = "a segment in the list of a Lua state's allocator, whose empty bins lead to themselves"
_LIKE = "a chunk header of LuaJIT's allocator for a block with a mapping of its own"


def luajit(scene: Scene) -> Iterator[Claim]:
    """Claim the segments of every Lua state, and likely blocks beside them."""
    runtime = any(thing.exports_any((_SYMBOL,)) for thing in scene.objects if "lua" in thing.name)
    if not runtime or not scene.can_read or scene.word_size != WORD:
        return
    begins = dict(heads(scene, scene.page_size, 2 * WORD, _MOST_PAGES))
    segments = sorted({segment for state in _states(scene, begins) for segment in _segments(scene, state)})
    for start, end, count in joined(segments):
        yield Claim(start, end, HEAP, "record", _HOW, f"{count} segments" if count > 1 else None)
    if segments:
        for start, end, count in joined(_blocks(scene, begins)):
            yield Claim(start, end, HEAP, "shape", _LIKE, f"{count} blocks" if count > 1 else None)


def _states(scene: Scene, begins: abc.Mapping[int, bytes]) -> Iterator[int]:
    """Yield where the records of Lua states' allocators are, by the size of the chunk that each is in."""
    found = [at for at, raw in begins.items() if _may_hold_state(raw)]
    for at, raw in zip(found, raw_each(scene, found, _STATE + _SEGMENTS), strict=True):
        state = at + _STATE
        if raw and _has_bins(unpacked(raw[_STATE:]), state):
            yield state


def _may_hold_state(head: bytes) -> bool:
    size = int.from_bytes(head[WORD:], "little")
    return bool(size & _IN_USE) and _SEGMENTS < size < 2 * _SEGMENTS


def _blocks(scene: Scene, begins: abc.Mapping[int, bytes]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of what looks like a block with a mapping of its own, up to the mark behind it."""
    for at, raw in begins.items():
        before, head = unpacked(raw)
        end = at + (head & ~_FLAGS) + _FOOT
        if before != _DIRECT or head & _FLAGS != _IN_USE or end % scene.page_size:
            continue
        marked = end - at >= _SMALLEST_BLOCK and word(scene, end - _FOOT + WORD) == _FENCEPOST
        if marked and is_block(scene, at, end):
            yield at, end


def _has_bins(fields: Sequence[int], state: int) -> bool:
    """Return whether each bin is empty, or leads to chunks with both ends."""
    empty = 0
    for number in range(_SMALL_BINS):
        at = _BINS // WORD + 2 * number
        itself = state + at * WORD - 2 * WORD
        first, last = fields[at : at + 2]
        empty += first == last == itself
        if (first == itself) != (last == itself) or not first or not last:
            return False
    return empty > 0


def _segments(scene: Scene, state: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the segments of a state."""
    entry = state + _SEGMENTS
    for _ in range(_MOST_SEGMENTS):
        base, size, after = words(scene, entry, 3) or (0, 0, 0)
        if not size or not is_block(scene, base, base + size):
            return
        yield base, base + size
        if not after:
            return
        entry = after
