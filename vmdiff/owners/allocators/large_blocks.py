"""glibc's blocks that have a mapping of their own, by the chunk header in front of each (malloc/malloc.c).

A header is two words that other data may resemble, so the second proof is the C library's own count: ``mp_``
holds how many such blocks there are and how many bytes they take. Headers that make the sum too large are
not believed. The search ends when all blocks are found, or when it has looked at as many pages as it may.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from vmdiff.owners.allocators.glibc_state import LargeBlocks
from vmdiff.owners.allocators.plain_runs import PlainRun, gaps, plain_runs
from vmdiff.owners.scene import Scene

MOST_PAGES = 131_072  # without a header at their start that are looked at in one process
_FEW, _MANY = 16, 1024  # pages that are looked at together: more of them the longer nothing is found
_MOST_BLOCKS = 65_536  # vm.max_map_count is 65,530
_ALIGNED_PAGES = 64  # of a block or gap, behind which the header of an aligned block is looked for
_MOST_ROUNDS = 8  # of looking behind stale headers
_IS_MMAPPED, _FLAGS = 2, 7
_MMAP_HP = 1  # of the first word of a header, since 2.43: the block is in huge pages


class LargeBlock(NamedTuple):
    """The memory of one block, its header and what alignment left unused included."""

    start: int
    end: int


class Search(NamedTuple):
    """The *blocks* in order, and whether *all* pages that may have a header were looked at."""

    blocks: tuple[LargeBlock, ...]
    all: bool


class ChunkForm:
    """How a chunk header looks in a process.

    *short* is the bytes by which the size in it is less than whole pages: since 2.43 a header's length
    (``mmap_set_chunk``). Since then its first word has a flag, too.
    """

    def __init__(self, scene: Scene, short: int) -> None:
        self.page = scene.page_size
        self._word = scene.word_size
        self._form = struct.Struct("<2Q" if self._word == 8 else "<2I")
        self.length = self._form.size
        self._short = short
        self._mark = _MMAP_HP if short else 0
        # On 32 bits a header lies eight bytes in, so that what follows it is aligned to sixteen.
        self.at = 0 if self._word == 8 else 8

    def block(self, address: int, head: bytes, run: PlainRun) -> LargeBlock | None:
        """Return the block whose header is at *address*, whose first bytes are *head*, if there is one."""
        if len(head) < self.length:
            return None
        before, length = self._form.unpack_from(head)
        start = address - (before & ~self._mark)
        end = address + (length & ~_FLAGS) + self._short
        fits = length & _FLAGS == _IS_MMAPPED and not (start | end) % self.page
        if fits and run.start <= start <= address < end <= run.end:
            return LargeBlock(start, end)
        return None


def search(scene: Scene, form: ChunkForm, expected: LargeBlocks | None) -> Search:
    """Look for large blocks at the start of each run of memory, behind each block, then in what is left.

    Runs that are as long as the mean block come first: mostly they are few, and hold all blocks.
    """
    mean = expected.size // max(expected.blocks, 1) if expected else 0
    found = _chains(scene, plain_runs(scene, mean), form, expected)
    if mean and not _is_reached(found, expected):
        found = sorted([*found, *_chains(scene, plain_runs(scene, limit=mean), form, expected)])
    if _is_reached(found, expected):
        return Search(tuple(found), all=True)
    runs = plain_runs(scene)
    found, complete = _with_inner(scene, runs, found, form)
    for _ in range(_MOST_ROUNDS):
        if _is_reached(found, expected):
            break
        aligned = sorted(set(_aligned(scene, runs, found, form)) - set(found))
        if not aligned:
            break
        # A stale header may have hidden what lies behind the block that is really there.
        kept = sorted([*aligned, *_clear_of(found, aligned)])
        found, complete = _with_inner(scene, runs, kept, form)
    return Search(tuple(found), all=complete or _is_reached(found, expected))


def _with_inner(
    scene: Scene, runs: Sequence[PlainRun], found: Sequence[LargeBlock], form: ChunkForm
) -> tuple[list[LargeBlock], bool]:
    """Return *found* and the blocks in what is left of the runs, and whether all pages were looked at."""
    rest = sorted(gaps(runs, found), key=lambda run: run.end - run.start)  # vast memory of others comes last
    inner, complete = _inside(scene, rest, form)
    return sorted([*found, *inner]), complete


def _is_reached(found: Sequence[LargeBlock], expected: LargeBlocks | None) -> bool:
    return expected is not None and len(found) == expected.blocks and _sum(found) == expected.size


def _sum(blocks: Iterable[LargeBlock]) -> int:
    return sum(block.end - block.start for block in blocks)


def _chains(
    scene: Scene, runs: Sequence[PlainRun], form: ChunkForm, expected: LargeBlocks | None
) -> list[LargeBlock]:
    """Return, in order, the blocks that follow each other from the start of a run on.

    Longer runs come first, and the search ends when all blocks are found: most mappings of a crowd are small.
    """
    found: list[LargeBlock] = []
    by_size = sorted(runs, key=lambda run: run.start - run.end)
    for first in range(0, len(by_size), _MANY):
        some = by_size[first : first + _MANY]
        heads = _heads(scene, [run.start + form.at for run in some], form.length)
        for run, head in zip(some, heads, strict=True):
            found += _chain(scene, run, head, form)
        if _is_reached(found, expected):
            break
    return sorted(found)


def _chain(scene: Scene, run: PlainRun, first_head: bytes, form: ChunkForm) -> Iterator[LargeBlock]:
    block = form.block(run.start + form.at, first_head, run)
    at = run.start
    for _ in range(_MOST_BLOCKS):
        if block is None or block.start != at:
            return
        yield block
        at = block.end
        head = scene.read(at + form.at, form.length) if at < run.end else None
        block = form.block(at + form.at, head or b"", run)


def _inside(scene: Scene, rest: Sequence[PlainRun], form: ChunkForm) -> tuple[list[LargeBlock], bool]:
    """Look at every page of what is left; return the blocks, and whether all pages were looked at.

    Memory that is recognised is passed over and costs nothing of the budget.
    """
    found: list[LargeBlock] = []
    left = MOST_PAGES
    for run in rest:
        at, batch = run.start, _FEW
        while at < run.end:
            if left <= 0:
                return found, False
            count = min(batch, left, (run.end - at) // form.page)
            places = range(at, at + count * form.page, form.page)
            left -= count
            heads = _heads(scene, [place + form.at for place in places], form.length)
            block = next(_first(places, heads, form, run), None)
            if block is not None:
                found.append(block)
                left += count - (block.start - at) // form.page - 1
            at = places.stop if block is None else block.end
            batch = min(batch * 2, _MANY) if block is None else _FEW
    return found, True


def _first(
    places: Sequence[int], heads: Sequence[bytes], form: ChunkForm, run: PlainRun
) -> Iterator[LargeBlock]:
    for place, head in zip(places, heads, strict=True):
        block = form.block(place + form.at, head, run)
        if block is not None and block.start == place:
            yield block


def _aligned(
    scene: Scene, runs: Sequence[PlainRun], found: Sequence[LargeBlock], form: ChunkForm
) -> Iterator[LargeBlock]:
    """Yield blocks whose header is not at their start: ``aligned_alloc``, then ``realloc``.

    The header lies right before what is aligned, so before the end of a page, or in the first one if it is
    aligned to less. ``realloc`` leaves a stale header at the start.
    """
    left = MOST_PAGES
    ranges = sorted([*gaps(runs, found), *(PlainRun(*block) for block in found)])
    whole = {run.start: run for run in runs}
    run = PlainRun(0, 0)
    for start, end in ranges:
        run = whole.get(start, run)
        count = min(_ALIGNED_PAGES, (end - start) // form.page, left)
        left -= count
        places = [start + (number + 1) * form.page - form.length for number in range(count)]
        within = (
            form.block(at, head, run)
            for at, head in zip(places, _heads(scene, places, form.length), strict=True)
        )
        candidates = [*within, *_in_first_page(scene, start, form, run)]
        yield from (block for block in candidates[:-1] if block and block.start == start)
        if left <= 0:
            return


def _in_first_page(scene: Scene, start: int, form: ChunkForm, run: PlainRun) -> Iterator[LargeBlock | None]:
    raw = scene.read(start, form.page) or b""
    for at in range(form.at + form.length, len(raw) - form.length, form.length):
        block = form.block(start + at, raw[at : at + form.length], run)
        if block is not None and block.start == start:
            yield block
    yield None


def _clear_of(found: Iterable[LargeBlock], others: Sequence[LargeBlock]) -> Iterator[LargeBlock]:
    """Yield the blocks that do not overlap any of *others*, which are in order."""
    for block in found:
        if not any(block.start < other.end and other.start < block.end for other in others):
            yield block


def _heads(scene: Scene, places: Sequence[int], length: int) -> list[bytes]:
    if scene.memory is None:
        return [b""] * len(places)
    return [head or b"" for head in scene.memory.read_many(places, length)]


def believed(blocks: Sequence[LargeBlock], expected: LargeBlocks) -> tuple[LargeBlock, ...] | None:
    """Return the blocks that agree with the C library's count and sum; None where it cannot be told which.

    At most two headers too many are left out, where just one choice makes the sums right.
    """
    surplus, extra = len(blocks) - expected.blocks, _sum(blocks) - expected.size
    if surplus == extra == 0:
        return tuple(blocks)
    sizes = [block.end - block.start for block in blocks]
    if surplus == 1:
        strange = [n for n, size in enumerate(sizes) if size == extra]
        return _without(blocks, strange) if len(strange) == 1 else None
    if surplus == 2:
        pairs = list(islice(_pairs(sizes, extra), 2))
        return _without(blocks, pairs[0]) if len(pairs) == 1 else None
    return None


def _pairs(sizes: Sequence[int], total: int) -> Iterator[tuple[int, int]]:
    """Yield the places of two sizes that add up to *total*."""
    places: dict[int, list[int]] = {}
    for place, size in enumerate(sizes):
        yield from ((other, place) for other in places.get(total - size, ()))
        places.setdefault(size, []).append(place)


def _without(blocks: Sequence[LargeBlock], places: Sequence[int]) -> tuple[LargeBlock, ...]:
    return tuple(block for number, block in enumerate(blocks) if number not in places)
