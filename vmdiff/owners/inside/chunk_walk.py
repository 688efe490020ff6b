"""Go through the chunks of glibc's malloc one by one: sizes, and what is free between them.

A chunk begins with two words: the size of the chunk before it, valid only if that one is free, and its own
size, whose lowest bits are flags. PREV_INUSE, the lowest, tells whether the chunk *before* is in use. So a
walk needs the second word of each chunk only, and skips what the program keeps in it (malloc/malloc.c).

Programs that have many small blocks have many of one size side by side, so many headers are compared at once.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, repeat, takewhile
from typing import NamedTuple

from vmdiff.owners.allocators.glibc_state import HeapSegment
from vmdiff.owners.inside.page_words import UnreadableError
from vmdiff.owners.scene import Scene

PREV_INUSE = 1
FLAGS = 7
_WINDOW = 4 << 20  # bytes that are held at a time
_ONE_BY_ONE, _ALIKE = 16, 4  # chunks: after so many it is seen whether the last few are alike
_TOGETHER = 256  # chunks whose headers are compared at once


class ChunkRange(NamedTuple):
    """A range of addresses that is free; several chunks side by side, or one."""

    start: int
    end: int


@dataclass
class ChunkCount:
    """What a walk found so far: chunks by size, and the range of each free one.

    *fenceposts* are the bytes at the ends of segments that were abandoned, *top* those of the chunk at the
    end of the newest one. *suspects* are the addresses of chunks of a size that was asked for.
    """

    chunks: Counter[int] = field(default_factory=Counter)
    free: Counter[int] = field(default_factory=Counter)
    fenceposts: int = 0
    top: int = 0
    suspects: list[int] = field(default_factory=list)


class ChunkRun(NamedTuple):
    """Chunks side by side with the same *header*, each behind one in use; the *offset* is in words."""

    header: int
    offset: int
    times: int


class HeaderWindow(NamedTuple):
    """Successive chunks: the address of the first, their headers, and their offsets in words.

    The chunks of *runs* are not among them, but the one behind each run is, which has the same header.
    """

    address: int
    headers: list[int]
    offsets: list[int]
    sizes_before: Sequence[int]  # the word in front of each header
    runs: Sequence[ChunkRun] = ()


class ChunkWalk:
    """A walk through the segments of one arena, window by window, so that memory stays bounded."""

    def __init__(
        self,
        scene: Scene,
        top: int,
        wanted: frozenset[int] = frozenset(),
        wide: int = 0,
        beside: frozenset[int] = frozenset(),
    ) -> None:
        """Prepare a walk through chunks of an arena whose top is at *top*.

        The addresses of chunks of a *wanted* size are kept. Of free chunks all are counted, but only those
        are yielded that have *wide* bytes, or begin or end at one of the addresses *beside*.
        """
        self.count = ChunkCount()
        self._scene = scene
        self._word = scene.word_size
        self._least = 4 * self._word if self._word == 8 else 16  # MINSIZE
        self._top = top
        self._wanted = wanted
        self._wide = wide
        self._beside = beside

    def free_chunks(self, segment: HeapSegment) -> Iterator[list[ChunkRange]]:
        """Walk a segment; yield free chunks of each window in order, the top left out.

        Raises:
            UnreadableError: memory cannot be read, or the chunks do not fill the segment.
        """
        address, last = segment.start, 0
        while address < segment.end:
            window = self._window(address, segment)
            yield self._free(window, last)
            last = int(window.headers[-1])
            reached = address + int(window.offsets[-1]) * self._word
            if last < self._least:
                self._end(reached, segment)
                return
            address = reached + (last & ~FLAGS)
        if address != segment.end or reached != self._top:
            raise UnreadableError(f"a chunk at {reached:x} reaches beyond the end of its heap")
        self.count.top = last & ~FLAGS
        self.count.chunks[last & ~FLAGS] -= 1

    def _read(self, address: int, segment: HeapSegment) -> bytes:
        """Read a window: the word before the first chunk's header, and all words up to its end."""
        low = address + self._word
        length = min(_WINDOW, segment.end - low) // self._word * self._word
        raw = self._scene.read(address, length + self._word) if length > 0 else None
        if raw is None:
            raise UnreadableError("some of it is swapped out or cannot be read")
        return raw

    def _window(self, address: int, segment: HeapSegment) -> HeaderWindow:
        """Read the headers from *address* on, up to the end of the window or a fencepost."""
        raw = self._read(address, segment)
        form = "Q" if self._word == 8 else "I"
        words: memoryview[int] = memoryview(raw)[self._word :].cast(form)  # type: ignore[call-overload]
        headers, offsets, runs = self._chunks(words)
        return HeaderWindow(address, headers, offsets, memoryview(raw).cast(form), runs)  # type: ignore[call-overload]

    def _chunks(self, words: "memoryview[int]") -> tuple[list[int], list[int], list[ChunkRun]]:
        """Return headers, offsets and runs of chunks; the last one reaches to the end, or has no size."""
        shift, least = (0 if self._word == 8 else 1), self._least
        headers: list[int] = []
        offsets: list[int] = []
        runs: list[ChunkRun] = []
        found, placed, at = headers.append, offsets.append, 0
        try:
            while True:
                for _ in repeat(None, _ONE_BY_ONE):
                    header = words[at]
                    found(header)
                    placed(at)
                    if header < least:
                        return headers, offsets, runs
                    at += header >> 3 << shift
                if headers[-_ALIKE:].count(header) == _ALIKE and self._may_repeat(header):
                    step = header >> 3 << shift
                    times = _alike(words, header, at, step) - 1
                    if times > 0:
                        runs.append(ChunkRun(header, at, times))
                        at += times * step
        except IndexError:  # beyond the end of the window
            return headers, offsets, runs

    def _may_repeat(self, header: int) -> bool:
        """Return whether chunks with this *header* need not be looked at one by one."""
        return bool(header & PREV_INUSE) and header & ~FLAGS not in self._wanted

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        """Count the chunks of a window; return those that the chunk behind says are free."""
        address, headers, offsets, before, runs = window
        count, word = self.count, self._word
        counted = Counter(headers)
        for run in runs:
            counted[run.header] += run.times
        for header, times in counted.items():
            if header >= self._least:
                count.chunks[header & ~FLAGS] += times
        if any(header & ~FLAGS in self._wanted for header in counted):
            some = [at for at, header in enumerate(headers) if header & ~FLAGS in self._wanted]
            count.suspects += [address + offsets[at] * word for at in some]
        free = {header for header in counted if not header & PREV_INUSE}
        if not free:
            return []
        behind = [*map(free.__contains__, headers)]
        sizes = [header & ~FLAGS for header in compress(chain([last], headers), behind)]
        ends = [*compress(offsets, behind)]
        if [*map(before.__getitem__, ends)] != sizes:
            raise UnreadableError(f"a free chunk behind {address:x} has two sizes")
        freed = Counter(sizes)
        count.free.update(freed)
        if not self._beside and max(freed) < self._wide:
            return []
        return self._yielded(sizes, [address + end * word for end in ends])

    def _yielded(self, sizes: Sequence[int], ends: Sequence[int]) -> list[ChunkRange]:
        """Return the free chunks, of *sizes* and up to *ends*, that were asked for."""
        wide, beside = self._wide, self._beside
        pairs = zip(sizes, ends, strict=True)
        if not beside:
            return [ChunkRange(end - size, end) for size, end in pairs if size >= wide]
        return [
            ChunkRange(end - size, end)
            for size, end in pairs
            if size >= wide or end in beside or end - size in beside
        ]

    def _end(self, reached: int, segment: HeapSegment) -> None:
        """Check that a walk stopped at the fenceposts, which are at most two headers and what they cover."""
        if not 0 < segment.end - reached <= 2 * self._least:
            raise UnreadableError(f"the chunk at {reached:x} has no size")
        self.count.fenceposts += segment.end - reached


def _alike(words: "memoryview[int]", header: int, at: int, step: int) -> int:
    """Return how many words from *at* on, *step* apart, are the same as *header*."""
    same = header.to_bytes(words.itemsize, sys.byteorder) * _TOGETHER
    reach, far = at, step * _TOGETHER
    while words[reach : reach + far : step].tobytes() == same:
        reach += far
    return (reach - at) // step + len([*takewhile(header.__eq__, words[reach : reach + far : step])])
