"""Go through the chunks of glibc's malloc one by one: sizes, and what is free between them.

A chunk begins with two words: the size of the chunk before it, valid only if that one is free, and its own
size, whose lowest bits are flags. PREV_INUSE, the lowest, tells whether the chunk *before* is in use. So a
walk needs the second word of each chunk only, and skips what the program keeps in it (malloc/malloc.c).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, repeat
from operator import rshift
from typing import NamedTuple

from vmdiff.owners.allocators.glibc_state import HeapSegment
from vmdiff.owners.inside.page_words import UnreadableError
from vmdiff.owners.scene import Scene

PREV_INUSE = 1
FLAGS = 7
_WINDOW = 4 << 20  # bytes that are held at a time


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


class HeaderWindow(NamedTuple):
    """Successive chunks: the address of the first, their headers, and their offsets in units of 8 bytes."""

    address: int
    headers: list[int]
    offsets: list[int]
    sizes_before: Sequence[int]  # the word in front of each header


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
            reached = address + int(window.offsets[-1]) * 8
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
        words = memoryview(raw)[self._word :].cast(form)  # type: ignore[call-overload]
        shift, least = (0 if self._word == 8 else 1), self._least
        headers: list[int] = []
        found, at, count = headers.append, 0, len(words)
        while at < count:
            header = words[at]
            found(header)
            if header < least:
                break
            at += header >> 3 << shift
        offsets = list(accumulate(map(rshift, headers[:-1], repeat(3)), initial=0))
        return HeaderWindow(address, headers, offsets, memoryview(raw).cast(form))  # type: ignore[call-overload]

    def _free(self, window: HeaderWindow, last: int) -> list[ChunkRange]:
        """Count the chunks of a window; return those that the chunk behind says are free."""
        address, headers, offsets, before = window
        count, shift = self.count, 0 if self._word == 8 else 1
        counted = Counter(headers)
        for header, times in counted.items():
            if header >= self._least:
                count.chunks[header & ~FLAGS] += times
        if any(header & ~FLAGS in self._wanted for header in counted):
            some = [at for at, header in enumerate(headers) if header & ~FLAGS in self._wanted]
            count.suspects += [address + offsets[at] * 8 for at in some]
        behind = [at for at, header in enumerate(headers) if not header & PREV_INUSE]
        if not behind:
            return []
        sizes = [(headers[at - 1] if at else last) & ~FLAGS for at in behind]
        ends = [offsets[at] for at in behind]
        if [before[end << shift] for end in ends] != sizes:
            raise UnreadableError(f"a free chunk behind {address:x} has two sizes")
        count.free.update(sizes)
        return self._yielded(sizes, [address + end * 8 for end in ends])

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
