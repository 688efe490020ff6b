"""PHP's own allocator (Zend/zend_alloc.c, PHP 7.0 to 8.4): chunks of 2 MiB, and blocks that are larger.

A chunk is aligned to its size and begins with the addresses of its heap and of the next and the previous
chunk, which form a circle. The heap lies in the first chunk, right behind that header. It has that chunk's
address, how many chunks there are, a list of the larger blocks, and how many bytes all of these have: they
are claimed only if that is what was found. Each thread of a PHP with threads has a heap of its own.
"""

from collections.abc import Iterator
from typing import NamedTuple

from vmdiff.owners.allocators.plain_runs import heads, joined
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, is_block, words
from vmdiff.owners.scene import Scene

HEAP = "php heap"

_SYMBOL = b"\0zend_mm_gc\0"
_CHUNK = 2 << 20
_HEADER = 64  # bytes of a chunk in front of the heap
_HEAP = 64  # words of a heap that hold what is needed
_BEFORE = 9  # words in front of the first chunk's address that hold limits and sums
_MOST_CHUNKS = 1 << 18
_MOST_BLOCKS = 1 << 16
_HOW = "a chunk of the Zend engine's allocator, in the circle of a heap whose bytes these are"
_LARGE = "in the list of large blocks of a heap of the Zend engine's allocator, whose bytes these are"


class ZendHeap(NamedTuple):
    """A heap as it was read: its chunks, the spare ones among them, and the bounds of its larger blocks."""

    chunks: tuple[int, ...]
    blocks: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """The bytes of all of it."""
        return len(self.chunks) * _CHUNK + sum(end - start for start, end in self.blocks)


def php(scene: Scene) -> Iterator[Claim]:
    """Claim the chunks and the large blocks of every heap that adds up."""
    engine = any("php" in thing.name and thing.exports_any((_SYMBOL,)) for thing in scene.objects)
    if not engine or not scene.can_read or scene.word_size != WORD:
        return
    firsts = [at for at, raw in heads(scene, _CHUNK, WORD, _MOST_CHUNKS) if _leads_to_itself(at, raw)]
    for first in firsts:
        heap = _heap(scene, first)
        if heap is not None:
            for start, end, count in joined(sorted((chunk, chunk + _CHUNK) for chunk in heap.chunks)):
                yield Claim(start, end, HEAP, "record", _HOW, f"{count} chunks" if count > 1 else None)
            for start, end in heap.blocks:
                yield Claim(start, end, HEAP, "record", _LARGE, "large block")


def _leads_to_itself(chunk: int, head: bytes) -> bool:
    """Return whether a chunk holds the heap that it belongs to."""
    return int.from_bytes(head, "little") == chunk + _HEADER


def _heap(scene: Scene, first: int) -> ZendHeap | None:
    """Read the heap in its first chunk; None where its parts do not fit.

    In front of the first chunk's address are the list of larger blocks and, among limits, the bytes; behind
    it the spare chunks and how many chunks are in use, at the peak, and spare.
    """
    fields = words(scene, first + _HEADER, _HEAP) or ()
    for at in range(_BEFORE, len(fields) - 4):
        if fields[at] != first:
            continue
        used, spare = fields[at + 2] & 0xFFFFFFFF, fields[at + 3] & 0xFFFFFFFF
        chunks = [*_circle(scene, first), *_spare(scene, fields[at + 1], spare)]
        heap = ZendHeap(tuple(chunks), tuple(_blocks(scene, fields[at - 1])))
        whole = len(chunks) == used + spare and heap.size in fields[at - _BEFORE : at - 1]
        if whole and all(is_block(scene, chunk, chunk + _CHUNK) for chunk in chunks):
            return heap
    return None


def _circle(scene: Scene, first: int) -> Iterator[int]:
    """Yield the chunks in use, as long as each has the heap and the one before it."""
    chunk = before = first
    for _ in range(_MOST_CHUNKS):
        head = words(scene, chunk, 3)
        if (
            head is None
            or head[0] != first + _HEADER
            or chunk % _CHUNK
            or (chunk != first and head[2] != before)
        ):
            return
        yield chunk
        before, chunk = chunk, head[1]
        if chunk == first:
            return


def _spare(scene: Scene, chunk: int, count: int) -> Iterator[int]:
    """Yield the chunks that are kept for later, one leading to the next."""
    for _ in range(min(count, _MOST_CHUNKS)):
        head = words(scene, chunk, 2) if chunk and not chunk % _CHUNK else None
        if head is None:
            return
        yield chunk
        chunk = head[1]


def _blocks(scene: Scene, entry: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the larger blocks in a list of addresses, sizes and what follows."""
    for _ in range(_MOST_BLOCKS):
        found = words(scene, entry, 3) if entry else None
        if found is None or not is_block(scene, found[0], found[0] + found[1]):
            return
        yield found[0], found[0] + found[1]
        entry = found[2]
