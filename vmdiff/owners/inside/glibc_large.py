"""The large blocks of glibc's malloc, which have mappings of their own."""

from collections import Counter
from collections.abc import Iterator

from vmdiff.model import Usage
from vmdiff.owners.allocators.glibc import LARGE_BLOCK
from vmdiff.owners.allocators.glibc_state import LargeBlocks, words
from vmdiff.owners.inside.chunk_walk import FLAGS, ChunkRange
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.scene import Scene

_MOST = 65_536
_TOO_MUCH = "glibc 2.43 counts some bytes too many whenever realloc changes the pages of a large block"
_MMAPPED = 2  # the flag of a chunk with a mapping of its own


def large_usage(scene: Scene, large: LargeBlocks, name: str) -> Usage:
    """Return the use of large blocks as ``mp_`` counts them, their sizes where all of them are found."""
    sizes = Counter(end - start for start, end in large_chunks(scene))
    whole = (sizes.total(), sum(size * count for size, count in sizes.items())) == (large.blocks, large.size)
    return Usage(
        owner=LARGE_BLOCK,
        source=f"{name} mp_" + (" and chunk headers" if whole else ""),
        certainty="certain",
        in_use=large.size,
        free=0,
        cached=0,
        overhead=0,
        releasable=0,
        reserved=0,
        blocks=large.blocks,
        sizes=tuple((size, sizes[size], 0) for size in sorted(sizes)) if whole else (),
        partial=None if whole or large.is_exact or not large.blocks else _TOO_MUCH,
    )


def large_chunks(scene: Scene) -> Iterator[ChunkRange]:
    """Yield the pages of each large block, as the headers of those that follow each other bound them."""
    word, page, number = scene.word_size, scene.page_size, 0
    lead = large_lead(scene)
    for at, end, _ in owned_ranges(scene, LARGE_BLOCK):
        start = at
        while start < end and number < _MOST:
            head = words(scene, start + lead - word, 1)
            size = (head[0] & ~FLAGS) + lead - 2 * word if head and head[0] & FLAGS == _MMAPPED else 0
            reach = start + -(-size // page) * page
            if not start + lead < reach <= end:
                break
            yield ChunkRange(start, reach)
            start = reach
            number += 1


def large_lead(scene: Scene) -> int:
    """Return the bytes in front of a large block: its header, on 32 bits with eight that align it."""
    return max(2 * scene.word_size, 16)
