"""Which blocks can be reached from words that are outside of every block: a conservative search.

A word that leads anywhere into a block reaches it, so low bits that a program uses as tags do no harm; nor do
the 16 high ones. Words are looked at every four bytes, as packed structures have them, and once more as glibc
mangles the pointers that it saves (PTR_MANGLE: mixed with a number of the process, then rotated by 17 bits).
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vmdiff.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy as np

    from vmdiff.owners.inside.used_blocks import UsedBlocks

# By the bytes of a word: 2 * 8 + 1 and 2 * 4 + 1 bits (sysdeps/unix/sysv/linux/*/pointer_guard.h).
_ROTATED = {8: 17, 4: 9}
_PAGE_BITS = 12
_HIGH_TAG = (1 << 48) - 1  # what boxed values and tagged pointers leave of an address
_NARROW, _WIDE = 256, 4096  # blocks: fewer are followed one by one, more all at once


def numpy() -> Any:
    """Return numpy.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import numpy as np  # the core of vmdiff goes without
    except ImportError as error:
        raise MissingExtraError("leaks", "fast") from error
    return np


class BlockGraph:
    """The blocks in use of one process, and which of them lead to which.

    *word* is the bytes of a word of the process, *guard* the number that its C library mixes saved pointers
    with, None where it is not known.
    """

    def __init__(self, blocks: "Sequence[UsedBlocks]", word: int, guard: int | None) -> None:
        np = self._np = numpy()
        starts = np.concatenate([np.zeros(0, np.uint64), *(_numbers(one.starts) for one in blocks)])
        sizes = np.concatenate([np.zeros(0, np.uint64), *(_numbers(one.sizes) for one in blocks)])
        order = np.argsort(starts)
        self.starts, self.sizes = starts[order], sizes[order]
        self.first = np.zeros(len(starts), np.uint64)
        self._ends = self.starts + self.sizes
        self._word = word
        self._guard = guard
        grounds = _apart(ground for one in blocks for ground in one.grounds)
        self._low = np.array([low for low, _ in grounds], np.uint64)
        self._high = np.array([high for _, high in grounds], np.uint64)
        self._roots: list[Any] = []
        self._sources: list[Any] = []
        self._targets: list[Any] = []

    def add_memory(self, address: int, data: bytes) -> None:
        """Look at every word of a piece of memory: in blocks, or outside of them."""
        word = self._word
        for shift in (0, 4) if word == 8 else (0,):
            usable = (len(data) - shift) // word * word
            if usable > 0:
                held = self._np.frombuffer(data, self._form(), usable // word, shift)
                self._add_words(address + shift, held, aligned=not shift)

    def add_roots(self, data: bytes) -> None:
        """Look at words that are in no memory, such as registers."""
        held = self._np.frombuffer(data[: len(data) // self._word * self._word], self._form())
        self._roots.append(self._led_to(held)[1])

    def _form(self) -> str:
        return "<u8" if self._word == 8 else "<u4"

    def _add_words(self, address: int, held: "np.ndarray[Any, Any]", *, aligned: bool) -> None:
        np = self._np
        if aligned:
            self._note_first(address, held)
        places, targets = self._led_to(held)
        at = np.uint64(address) + places.astype(np.uint64) * np.uint64(self._word)
        source, inside = self._block_at(at)
        self._sources.append(source[inside].astype(np.uint32))
        self._targets.append(targets[inside].astype(np.uint32))
        loose, at = targets[~inside], at[~inside]
        self._roots.append(np.unique(loose[~self._in_grounds(at)]))

    def _note_first(self, address: int, held: "np.ndarray[Any, Any]") -> None:
        np, end = self._np, address + len(held) * self._word
        low, high = np.searchsorted(self.starts, np.array([address, end], np.uint64))
        offsets = (self.starts[low:high] - np.uint64(address)) // np.uint64(self._word)
        self.first[low:high] = held[offsets.astype(np.int64)]

    def _led_to(self, held: "np.ndarray[Any, Any]") -> tuple[Any, Any]:
        """Return the places of words that lead into a block, and into which."""
        np, word = self._np, self._word
        if not len(self.starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        found = [self._into_blocks(held & np.uint64(_HIGH_TAG) if word == 8 else held)]
        if self._guard is not None:
            kind, bits = held.dtype.type, _ROTATED[word]
            turned = (held >> kind(bits)) | (held << kind(8 * word - bits))
            found.append(self._into_blocks(turned ^ kind(self._guard)))
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def _into_blocks(self, values: "np.ndarray[Any, Any]") -> tuple[Any, Any]:
        np = self._np
        places = np.nonzero((values >= self.starts[0]) & (values < self._ends[-1]))[0]
        index, inside = self._block_at(values[places].astype(np.uint64))
        return places[inside], index[inside]

    def _block_at(self, addresses: "np.ndarray[Any, Any]") -> tuple[Any, Any]:
        np = self._np
        index = np.searchsorted(self.starts, addresses, side="right") - 1
        safe = np.maximum(index, 0)
        return safe, (index >= 0) & (addresses < self._ends[safe])

    def _in_grounds(self, addresses: "np.ndarray[Any, Any]") -> Any:
        np = self._np
        if not len(self._low):
            return np.zeros(len(addresses), bool)
        index = np.searchsorted(self._low, addresses, side="right") - 1
        return (index >= 0) & (addresses < self._high[np.maximum(index, 0)])

    def lost(self) -> "LostBlocks":
        """Return the blocks that no root leads to."""
        np, count = self._np, len(self.starts)
        if self._word == 8:
            self._follow_free_lists()
        links = BlockLinks(_taken(self._sources), _taken(self._targets), count)
        seen = np.zeros(count, bool)
        links.mark(np.unique(np.concatenate([np.zeros(0, np.int64), *self._roots])), seen)
        return LostBlocks(~seen, links)

    def _follow_free_lists(self) -> None:
        """Follow what glibc's lists of free blocks hold (PROTECT_PTR in malloc/malloc.c).

        Free blocks are left out before, but for those of a list that was being changed at that moment. With
        32 bits a plain pointer, too, looks like one that leads to another block.
        """
        np = self._np
        plain = self.first ^ (self.starts >> np.uint64(_PAGE_BITS))
        places, targets = self._into_blocks(plain) if len(plain) else (np.zeros(0, np.int64),) * 2
        exact = plain[places] == self.starts[targets]
        self._sources.append(places[exact].astype(np.uint32))
        self._targets.append(targets[exact].astype(np.uint32))


def _numbers(column: "array[int]") -> Any:
    np = numpy()
    return np.frombuffer(column, dtype=np.uint64) if column else np.zeros(0, np.uint64)


def _apart(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges in order, those that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def _taken(pieces: list[Any]) -> Any:
    """Join columns; the pieces are let go, since there may be a hundred million links."""
    np = numpy()
    joined = np.concatenate([np.zeros(0, np.uint32), *pieces])
    pieces.clear()
    return joined


class BlockLinks:
    """Which block leads to which."""

    def __init__(self, sources: Any, targets: Any, count: int) -> None:
        np = self._np = numpy()
        order = np.argsort(sources, kind="stable")
        self.sources, self.targets = sources[order], targets[order]
        self._borders = np.searchsorted(self.sources, np.arange(count + 1, dtype=np.int64))

    def mark(self, begin: Any, seen: Any) -> Any:
        """Mark in *seen* what can be reached from *begin*; return what was not marked before."""
        np = self._np
        step = begin[~seen[begin]]
        seen[step] = True
        found = [step]
        while len(step):
            if len(step) < _NARROW:
                passed, step = self._one_by_one(step, seen)
                found.append(passed)
                continue
            step = self._next(step)
            step = np.unique(step[~seen[step]])
            seen[step] = True
            found.append(step)
        return np.concatenate(found)

    def _one_by_one(self, step: Any, seen: Any) -> tuple[Any, Any]:
        """Follow long chains, such as lists; return what was marked, and what of it is still to follow."""
        np = self._np
        borders, targets, marked = memoryview(self._borders), memoryview(self.targets), memoryview(seen)
        ahead, passed = step.tolist(), array("Q")
        while ahead and len(ahead) < _WIDE:
            at = ahead.pop()
            for target in targets[borders[at] : borders[at + 1]].tolist():
                if not marked[target]:
                    marked[target] = True
                    ahead.append(target)
                    passed.append(target)
        return np.frombuffer(passed, np.uint64).astype(np.int64), np.array(ahead, np.int64)

    def _next(self, step: Any) -> Any:
        np = self._np
        low, high = self._borders[step], self._borders[step + 1]
        counts = high - low
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.targets[np.repeat(low, counts) + within].astype(np.int64)


class LostBlocks:
    """The blocks that are lost (*which*, a flag for each block), and how they hang together."""

    def __init__(self, which: Any, links: BlockLinks) -> None:
        self.which = which
        self._links = links

    def tops(self) -> Any:
        """Return the blocks that no other lost block leads to, and one of each circle."""
        np, sources, targets = numpy(), self._links.sources, self._links.targets
        held = np.zeros(len(self.which), bool)
        held[targets[self.which[sources] & (sources != targets)]] = True
        begin = np.nonzero(self.which & ~held)[0]
        seen = ~self.which
        self._links.mark(begin, seen)
        circles = list(self._circles(seen))
        return np.concatenate([begin, np.array(circles, np.int64)])

    def _circles(self, seen: Any) -> Iterator[int]:
        np = numpy()
        for index in np.nonzero(~seen)[0].tolist():
            if not seen[index]:
                self._links.mark(np.array([index]), seen)
                yield index

    def behind(self, groups: Sequence[Any]) -> Iterator[Any]:
        """Yield for each group of tops the blocks that hang from it and from no group before."""
        seen = ~self.which
        for tops in groups:
            yield self._links.mark(tops, seen)
