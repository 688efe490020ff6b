"""Which blocks can be reached from words that are outside of every block: a conservative search.

A word that leads anywhere into a block reaches it, so low bits that a program uses as tags do no harm. Words
are looked at every four bytes, as packed structures have them, and once more as glibc mangles the pointers
that it saves (PTR_MANGLE: mixed with a number of the process, then rotated by 17 bits).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vmdiff.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy as np

    from vmdiff.owners.inside.glibc_blocks import UsedBlocks

_ROTATED = 17
_HIGH_TAG = (1 << 48) - 1  # what boxed values and tagged pointers leave of an address
_NARROW = 64  # blocks: from so many on a whole step at once is faster


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
    """The blocks in use of one process, and which of them lead to which."""

    def __init__(self, blocks: "UsedBlocks", word: int, guard: int | None) -> None:
        np = self._np = numpy()
        starts = np.frombuffer(blocks.starts, dtype=np.uint64) if blocks.starts else np.zeros(0, np.uint64)
        sizes = np.frombuffer(blocks.sizes, dtype=np.uint64) if blocks.sizes else np.zeros(0, np.uint64)
        order = np.argsort(starts)
        self.starts, self.sizes = starts[order], sizes[order]
        self.first = np.zeros(len(starts), np.uint64)
        self._ends = self.starts + self.sizes
        self._word = word
        self._guard = guard
        segments = sorted(blocks.segments)
        self._low = np.array([one.start for one in segments], np.uint64)
        self._high = np.array([one.end for one in segments], np.uint64)
        self._roots: list[Any] = []
        self._edges: list[Any] = []

    def add_memory(self, address: int, data: bytes) -> None:
        """Look at every word of a piece of memory: in blocks, or outside of them."""
        word = self._word
        for shift in (0, 4) if word == 8 else (0,):
            usable = (len(data) - shift) // word * word
            if usable > 0:
                self._add_words(address + shift, data[shift : shift + usable], aligned=not shift)

    def add_roots(self, data: bytes) -> None:
        """Look at words that are in no memory, such as registers."""
        np = self._np
        held = np.frombuffer(data[: len(data) // self._word * self._word], self._form())
        self._roots.append(self._led_to(held.astype(np.uint64))[1])

    def _form(self) -> str:
        return "<u8" if self._word == 8 else "<u4"

    def _add_words(self, address: int, data: bytes, *, aligned: bool) -> None:
        np = self._np
        held = np.frombuffer(data, self._form()).astype(np.uint64)
        if aligned:
            self._note_first(address, held)
        places, targets = self._led_to(held)
        at = np.uint64(address) + places.astype(np.uint64) * np.uint64(self._word)
        source, inside = self._block_at(at)
        self._edges.append(np.stack([source[inside], targets[inside]]))
        loose, at = targets[~inside], at[~inside]
        self._roots.append(loose[~self._in_segments(at)])

    def _note_first(self, address: int, held: "np.ndarray[Any, Any]") -> None:
        np, end = self._np, address + len(held) * self._word
        low, high = np.searchsorted(self.starts, np.array([address, end], np.uint64))
        offsets = (self.starts[low:high] - np.uint64(address)) // np.uint64(self._word)
        self.first[low:high] = held[offsets.astype(np.int64)]

    def _led_to(self, held: "np.ndarray[Any, Any]") -> tuple[Any, Any]:
        """Return the places of words that lead into a block, and into which."""
        np = self._np
        if not len(self.starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        found = [self._targets(held)]
        if self._word == 8:
            found.append(self._targets(held & np.uint64(_HIGH_TAG), held))
        if self._guard is not None:
            turned = (held >> np.uint64(_ROTATED)) | (held << np.uint64(64 - _ROTATED))
            found.append(self._targets(turned ^ np.uint64(self._guard)))
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def _targets(self, values: "np.ndarray[Any, Any]", plain: Any = None) -> tuple[Any, Any]:
        np = self._np
        near = (values >= self.starts[0]) & (values < self._ends[-1])
        if plain is not None:
            near &= values != plain
        places = np.nonzero(near)[0]
        index, inside = self._block_at(values[places])
        return places[inside], index[inside]

    def _block_at(self, addresses: "np.ndarray[Any, Any]") -> tuple[Any, Any]:
        np = self._np
        index = np.searchsorted(self.starts, addresses, side="right") - 1
        safe = np.maximum(index, 0)
        return safe, (index >= 0) & (addresses < self._ends[safe])

    def _in_segments(self, addresses: "np.ndarray[Any, Any]") -> Any:
        np = self._np
        if not len(self._low):
            return np.zeros(len(addresses), bool)
        index = np.searchsorted(self._low, addresses, side="right") - 1
        return (index >= 0) & (addresses < self._high[np.maximum(index, 0)])

    def lost(self) -> "LostBlocks":
        """Return the blocks that no root leads to."""
        np = self._np
        edges = np.concatenate(self._edges, axis=1) if self._edges else np.zeros((2, 0), np.int64)
        reach = Reach(edges, len(self.starts))
        seen = np.zeros(len(self.starts), bool)
        roots = np.unique(np.concatenate(self._roots)) if self._roots else np.zeros(0, np.int64)
        reach.mark(roots, seen)
        return LostBlocks(~seen, edges, reach)


class Reach:
    """What can be reached from where, along *edges* (a row of sources, a row of targets)."""

    def __init__(self, edges: Any, count: int) -> None:
        np = self._np = numpy()
        order = np.argsort(edges[0], kind="stable")
        self._targets = edges[1][order]
        self._borders = np.searchsorted(edges[0][order], np.arange(count + 1))

    def mark(self, begin: Any, seen: Any) -> Any:
        """Mark in *seen* what can be reached from *begin*; return what was not marked before."""
        np = self._np
        step = begin[~seen[begin]]
        seen[step] = True
        found = [step]
        while len(step):
            step = self._next(step)
            step = np.unique(step[~seen[step]])
            seen[step] = True
            found.append(step)
        return np.concatenate(found)

    def _next(self, step: Any) -> Any:
        np = self._np
        low, high = self._borders[step], self._borders[step + 1]
        if len(step) < _NARROW:
            return np.concatenate([self._targets[a:b] for a, b in zip(low, high, strict=True)])
        counts = high - low
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self._targets[np.repeat(low, counts) + within]


class LostBlocks:
    """The blocks that are lost (*which*, a flag for each block), and how they hang together."""

    def __init__(self, which: Any, edges: Any, reach: Reach) -> None:
        self.which = which
        self._edges = edges
        self._reach = reach

    def tops(self) -> Any:
        """Return the blocks that no other lost block leads to, and one of each circle."""
        np, source, target = numpy(), self._edges[0], self._edges[1]
        held = np.zeros(len(self.which), bool)
        held[target[self.which[source] & (source != target)]] = True
        begin = np.nonzero(self.which & ~held)[0]
        seen = ~self.which
        self._reach.mark(begin, seen)
        circles = list(self._circles(seen))
        return np.concatenate([begin, np.array(circles, np.int64)])

    def _circles(self, seen: Any) -> Iterator[int]:
        np = numpy()
        for index in np.nonzero(~seen)[0].tolist():
            if not seen[index]:
                self._reach.mark(np.array([index]), seen)
                yield index

    def behind(self, groups: Sequence[Any]) -> Iterator[Any]:
        """Yield for each group of tops the blocks that hang from it and from no group before."""
        seen = ~self.which
        for tops in groups:
            yield self._reach.mark(tops, seen)
