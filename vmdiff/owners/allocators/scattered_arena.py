"""The regions of glibc's main arena that brk did not give (``sysmalloc``, malloc/malloc.c).

Where brk fails (something is mapped behind its end, or the tunable glibc.malloc.hugetlb=2 is set) malloc maps
regions instead, mostly of 1 MiB and more. Nothing lists them. Each but the newest ends in two headers that
were put there when it was left (fenceposts), the newest in the top chunk; its chunks lead from its start to
its end, and all regions together have the bytes that the arena counts.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from vmdiff.model import Kind
from vmdiff.owners.allocators.plain_runs import PlainRun, plain_runs
from vmdiff.owners.scene import Scene

_MOST_PAGES = 131_072  # whose ends are looked at
_MOST_STARTS = 4096  # of walks
_MOST_CHUNKS = 1 << 22  # that all walks together pass
_WINDOW = 1 << 20  # bytes of chunks that are read at a time
_BATCH = 1024
_IN_USE, _FLAGS = 1, 7


class ArenaRegion(NamedTuple):
    """A stretch of chunks, from the first to the end of what the arena got there."""

    start: int
    end: int


def find_regions(scene: Scene, top: int, system: int, least: int) -> tuple[ArenaRegion, ...]:
    """Return the regions of an arena, that of its *top* chunk last; none if they are not *system* bytes.

    What was mapped for one has *least* bytes or more; what brk gave may have fewer.
    """
    walk = _Walk(scene, least)
    head = walk.header(top)
    if head is None:
        return ()
    last = top + (head & ~_FLAGS)
    found: list[ArenaRegion] = []
    for run in _grounds(scene):
        low = run.start
        newest = [last] if run.start <= top < last <= run.end else []
        for end in sorted([*walk.fenceposts(run), *newest]):
            start = walk.start(low, end, top)
            if start is not None:
                found.append(ArenaRegion(start, end))
                low = end
    exact = _without_surplus(walk, found, system, top)
    return tuple(sorted(exact, key=lambda region: region.end == last))


def _without_surplus(walk: "_Walk", found: list[ArenaRegion], system: int, top: int) -> list[ArenaRegion]:
    """Return the regions if they are *system* bytes, or if just one can begin so much later that they are.

    Data below a region may by accident lead into its chunks, and so may some page of another region.
    """
    surplus = sum(region.end - region.start for region in found) - system
    if surplus <= 0:
        return found if surplus == 0 else []
    later = [region._replace(start=region.start + surplus) for region in found]
    fitting = [n for n, one in enumerate(later) if walk.is_long_enough(one) and walk.is_region(one, top)]
    return [later[n] if n == fitting[0] else one for n, one in enumerate(found)] if len(fitting) == 1 else []


def _grounds(scene: Scene) -> Iterator[PlainRun]:
    """Yield where regions may be: what brk gave before it failed, and plain memory."""
    for mapping in scene.mappings:
        if mapping.kind is Kind.HEAP:
            yield PlainRun(mapping.start, mapping.end)
    yield from plain_runs(scene)


class _Walk:
    """Walks from chunk to chunk, all of them together bounded."""

    def __init__(self, scene: Scene, least: int) -> None:
        self._scene = scene
        self._region_least = least
        self._word = scene.word_size
        self._form: Literal["Q", "I"] = "Q" if self._word == 8 else "I"
        self._post = 2 * self._word | _IN_USE
        self._least = 4 * self._word if self._word == 8 else 16  # MINSIZE
        self._offset = 0 if self._word == 8 else 8  # of the first chunk in a region
        self._pages, self._starts, self._chunks = _MOST_PAGES, _MOST_STARTS, _MOST_CHUNKS

    def header(self, chunk: int) -> int | None:
        """Return the size of a chunk with its flags."""
        raw = self._scene.read(chunk + self._word, self._word)
        return None if raw is None else int.from_bytes(raw, "little")

    def fenceposts(self, run: PlainRun) -> Iterator[int]:
        """Yield the ends of pages that have the two headers of a region's end right before them."""
        page, length = self._scene.page_size, 6 * self._word
        count = min((run.end - run.start) // page, self._pages)
        self._pages -= count
        for first in range(0, count, _BATCH):
            ends = [run.start + (number + 1) * page for number in range(first, min(first + _BATCH, count))]
            tails = (
                self._scene.memory.read_many([end - length for end in ends], length)
                if self._scene.memory
                else []
            )
            yield from (end for end, tail in zip(ends, tails, strict=False) if tail and self._is_end(tail))

    def _is_end(self, tail: bytes) -> bool:
        """Return whether the last words are two fenceposts; what precedes the first may be free.

        On 32 bits chunks begin 8 bytes off a multiple of 16, so that as much may be left behind them.
        """
        words = struct.unpack(f"<6{self._form}", tail)
        places = ((3, 5),) if self._word == 8 else ((3, 5), (1, 3))
        return any(words[a] | _IN_USE == self._post == words[b] for a, b in places)

    def start(self, low: int, end: int, top: int) -> int | None:
        """Return the lowest page from *low* on whose chunks lead to *end*."""
        page = self._scene.page_size
        for first in range(low, end, _BATCH * page):
            places = range(first, min(first + _BATCH * page, end), page)
            for place, head in zip(places, self._headers(places), strict=True):
                if head & _IN_USE and self._least <= head & ~_FLAGS <= end - place:
                    self._starts -= 1
                    if self.is_region(ArenaRegion(place, end), top):
                        return place
                if self._starts < 0:
                    return None
        return None

    def _headers(self, places: Sequence[int]) -> list[int]:
        """Return size and flags of the chunk that each place may begin with, 0 where unreadable."""
        at = [place + self._offset + self._word for place in places]
        heads = self._scene.memory.read_many(at, self._word) if self._scene.memory else [None] * len(at)
        return [int.from_bytes(head or b"", "little") for head in heads]

    def is_long_enough(self, region: ArenaRegion) -> bool:
        """Return whether malloc may have mapped so little for a region, or brk may have given it."""
        held = self._scene.at(region.start)
        is_of_brk = held is not None and held.kind is Kind.HEAP
        return is_of_brk or region.end - region.start >= self._region_least

    def is_region(self, region: ArenaRegion, top: int) -> bool:
        """Return whether chunks fill a region up to its fenceposts, or up to the *top* chunk that ends it."""
        end = region.end
        for at, size in self._chain(region.start + self._offset, end):
            if at == top:
                return at + size == end
            if size == 2 * self._word:
                return end - at <= 6 * self._word
            if at + size >= end:
                return False
        return False

    def _chain(self, chunk: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the address and the size of the chunks that follow each other, as long as they have one."""
        while chunk < end:
            raw = self._scene.read(chunk, min(_WINDOW, end - chunk))
            base, words = chunk, memoryview(raw or b"").cast(self._form)
            while (place := (chunk - base) // self._word + 1) < len(words):
                size = words[place] & ~_FLAGS
                self._chunks -= 1
                if size < 2 * self._word or self._chunks < 0:
                    return
                yield chunk, size
                chunk += size
            if chunk == base:
                return
