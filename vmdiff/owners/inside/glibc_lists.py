"""Follow the lists of free chunks that glibc's malloc keeps: fast bins, bins, and the threads' tcaches.

Chunks in fast bins and tcaches look as if they were in use, so only these lists tell. Since 2.32 their
pointers are mixed with the address that they stand at (PROTECT_PTR in malloc/malloc.c).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from vmdiff.owners.allocators.glibc_state import Grounds, MallocArena
from vmdiff.owners.inside.chunk_walk import FLAGS, ChunkRange
from vmdiff.owners.inside.page_words import PageWords, UnreadableError
from vmdiff.owners.scene import Scene

_MIXED_SINCE = (2, 32)
_MOST_IN_A_BIN = 65_535  # of a tcache: its counts have 16 bits
_PAGE_BITS = 12  # what PROTECT_PTR shifts by


class TcacheLayout(NamedTuple):
    """How ``tcache_perthread_struct`` is laid out: counts of *width* bytes, then a pointer a bin.

    *downwards* tells whether the counts are of free slots (since 2.42), else of chunks. The chunk that holds
    the record has *size* bytes, or 16 more where malloc did not split what was left of a free one.
    """

    size: int
    bins: int
    width: int
    downwards: bool


# 2.30 widened the counts, 2.42 added 12 bins for larger blocks and counts slots.
_TCACHES = {
    8: (
        TcacheLayout(0x290, 64, 2, downwards=False),
        TcacheLayout(0x250, 64, 1, downwards=False),
        TcacheLayout(0x300, 76, 2, downwards=True),
    ),
    4: (
        TcacheLayout(0x190, 64, 2, downwards=False),
        TcacheLayout(0x150, 64, 1, downwards=False),
        TcacheLayout(0x1D0, 76, 2, downwards=True),
    ),
}
_SMALL_BINS = 64
_UNSPLIT = (0, 16)  # the rest would be smaller than the smallest chunk


def tcache_sizes(word: int) -> frozenset[int]:
    """Return the sizes of the chunks that may hold a tcache."""
    return frozenset(layout.size + more for layout in _TCACHES[word] for more in _UNSPLIT)


class ChunkLists:
    """The lists of one process, whose C library has *version*; None is taken for a late one."""

    def __init__(self, scene: Scene, version: str | None, words: PageWords | None = None) -> None:
        self._words = PageWords(scene) if words is None else words
        self._grounds = Grounds(scene)
        self._threads = len(scene.snapshot.process.threads or ())
        self._word = scene.word_size
        self._mixed = version is None or tuple(map(int, version.split("."))) >= _MIXED_SINCE

    def fast(self, arena: MallocArena, most: int) -> list[ChunkRange]:
        """Return the chunks in an arena's fast bins.

        Raises:
            UnreadableError: a list is broken, or there are more than *most* chunks.
        """
        layout, found = arena.layout, list[ChunkRange]()
        for number in range(layout.fast_bins):
            first = arena.state[layout.fast + number]
            size = (number + 2) * 2 * self._word  # 32, 48, ... or 16, 24, ...
            for chunk in self._singly(first, 2 * self._word):
                if self.size(chunk) != size:
                    raise UnreadableError(
                        f"a fast bin of {size} bytes leads to {chunk:x}, which has another size"
                    )
                found.append(ChunkRange(chunk, chunk + size))
                _check(len(found), most)
        return found

    def bins(self, arena: MallocArena, most: int) -> list[ChunkRange]:
        """Return the chunks in an arena's bins, without walking what is in use.

        Raises:
            UnreadableError: a list is broken, or there are more than *most* chunks.
        """
        layout, words, word = arena.layout, self._words, self._word
        found: list[ChunkRange] = []
        head = arena.address + (layout.bins - 2) * word
        for at in range(layout.bins, layout.next - 16 // word, 2):
            before, chunk = head, arena.state[at]
            while chunk != head:
                if words.at(chunk + 3 * word) != before:
                    raise UnreadableError(f"the list of a bin does not lead back from {chunk:x}")
                found.append(ChunkRange(chunk, chunk + self.size(chunk)))
                _check(len(found), most)
                before, chunk = chunk, words.at(chunk + 2 * word)
            head += 2 * word
        return found

    def tcaches(
        self, suspects: Iterable[int], threads: Mapping[int, frozenset[int]]
    ) -> Iterator[tuple[int, Collection[int]]]:
        """Yield the chunk that holds each tcache, and the chunks in it.

        They are looked for where the variables of *threads* lead to. A thread has one at most; where not each
        one's own is found there, the *suspects* are looked at, too.
        """
        own = [self._like_tcaches(self._pointed_to(held)) for held in threads.values()]
        found = {holder: cached for one in own for holder, cached in one.items()}
        if not len(found) == len(own) == self._threads or any(len(one) != 1 for one in own):
            found |= self._like_tcaches(suspects)
        seen: set[int] = set()
        for holder, cached in sorted(found.items()):
            # What holds the same is a copy, such as a program's dump of its own memory.
            if seen.isdisjoint(cached):
                seen.update(cached)
                yield holder, cached

    def _pointed_to(self, held: Iterable[int]) -> list[int]:
        """Return the chunks that the words *held* by a thread lead to, if they are chunks."""
        header = 2 * self._word
        return [word - header for word in held if not word % 16 and word - header in self._grounds]

    def _like_tcaches(self, chunks: Iterable[int]) -> dict[int, set[int]]:
        """Return those of the *chunks* that hold what looks like a tcache, each with the chunks in it."""
        every = list(chunks)
        self._words.read_ahead(every)
        return {chunk: cached for chunk in every if (cached := self._tcache(chunk)) is not None}

    def _tcache(self, chunk: int) -> set[int] | None:
        """Return the chunks in the tcache that *chunk* holds; None if it holds none."""
        try:
            size = self.size(chunk)
            layout = next((one for one in _TCACHES[self._word] if size - one.size in _UNSPLIT), None)
            return layout and self._cached(chunk + 2 * self._word, layout)
        except UnreadableError:
            return None

    def _cached(self, record: int, layout: TcacheLayout) -> set[int] | None:
        raw = self._words.raw(record, layout.bins * (layout.width + self._word))
        counts = memoryview(raw)[: layout.bins * layout.width].cast("B" if layout.width == 1 else "H")
        heads = memoryview(raw)[layout.bins * layout.width :].cast("Q" if self._word == 8 else "I")
        empty = max(counts) if layout.downwards else 0
        if [count != empty for count in counts] != [*map(bool, heads)]:
            return None
        self._words.read_ahead(head for head in heads if head and head in self._grounds)
        found: set[int] = set()
        for number, (count, head) in enumerate(zip(counts, heads, strict=True)):
            if not head:
                continue
            chunks = [at - 2 * self._word for at in self._singly(head, 0, _MOST_IN_A_BIN)]
            if len(chunks) != abs(count - empty):
                return None
            if number < _SMALL_BINS and any(self.size(at) != 4 * self._word + number * 16 for at in chunks):
                return None
            found.update(chunks)
        return found or None

    def size(self, chunk: int) -> int:
        """Return the bytes of a chunk.

        Raises:
            UnreadableError: its header cannot be read.
        """
        return self._words.at(chunk + self._word) & ~FLAGS

    def _singly(self, first: int, link: int, most: int | None = None) -> Iterator[int]:
        """Follow a list whose pointers stand *link* bytes into each element."""
        at, passed = first, 0
        while at:
            if at not in self._grounds or at % self._word:
                raise UnreadableError(f"a list leads to {at:x}, which is no memory of malloc")
            yield at
            passed += 1
            if most is not None and passed > most:
                raise UnreadableError("a list has no end")
            place = at + link
            value = self._words.at(place)
            at = value ^ (place >> _PAGE_BITS) if self._mixed else value


def _check(count: int, most: int) -> None:
    if count > most:
        raise UnreadableError("there are too many free blocks to follow in the time: --inside follows all")


def sizes_of(stretches: Iterable[ChunkRange]) -> Counter[int]:
    """Count chunks by size."""
    return Counter(stretch.end - stretch.start for stretch in stretches)
