"""jemalloc's memory, from its own map of pages (include/jemalloc/internal/{rtree,edata,base}.h, 5.x).

The map's root is in the library's .bss, or in that of a program that has jemalloc built in. Memory for
jemalloc's own records is not in the map; its blocks begin with their size.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import words
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene

if TYPE_CHECKING:
    from vmdiff.owners.allocators.radix_map import PageMap

_PAGE = 4096
_ROOT = 2 << 20  # bytes: 2^18 entries
_LARGEST_BSS = 16 << 20
_MOST_BLOCKS = 4096


def _bounds(record: Sequence[int]) -> tuple[int, int]:
    """Read the bounds of an extent in its record (edata): bits, address, size."""
    start = record[1] // _PAGE * _PAGE
    return start, start + record[2] // _PAGE * _PAGE


def jemalloc(scene: Scene) -> Iterator[Claim]:
    """Claim jemalloc's extents, and the blocks of its own records."""
    pages = jemalloc_map(scene)
    if pages is not None:
        yield from _claims(scene, pages)


def jemalloc_map(scene: Scene) -> "PageMap | None":
    """Find jemalloc's map of pages; None where the process has none."""
    suspects = tuple(_suspects(scene))
    if not suspects:
        return None
    from vmdiff.owners.allocators.radix_map import PageMapFormat, find_page_map  # 1 ms, for few processes

    # An entry has the size class in its upper 16 bits and flags in the lower ones.
    form = PageMapFormat(12, (1 << 48) - 64, _bounds)
    maps = (find_page_map(scene, thing.mappings, form) for thing in suspects)
    return next((found for found in maps if found is not None), None)


def _suspects(scene: Scene) -> Iterator[MappedObject]:
    """Yield the library, and the program if its .bss has room for a root and is no more than that."""
    program = scene.executable
    for thing in scene.objects:
        if "jemalloc" in thing.name:
            yield thing
        elif thing is program:
            end = thing.mappings[-1].end
            bss = scene.at(end)
            if bss and bss.path is None and _ROOT <= bss.end - end <= _LARGEST_BSS:
                yield thing


def _claims(scene: Scene, pages: "PageMap") -> Iterator[Claim]:
    for mapping in scene.plain:
        reach = mapping.start
        for start, end in pages.owned(reach, mapping.end):
            yield from _records(scene, reach, start)
            yield Claim(start, end, "jemalloc", "record", "jemalloc's map of pages has extents there")
            reach = end
        yield from _records(scene, reach, mapping.end)


def _records(scene: Scene, start: int, end: int) -> Iterator[Claim]:
    """Claim the blocks (base_block_t) for jemalloc's own records that begin at *start*."""
    for _ in range(_MOST_BLOCKS):
        head = words(scene, start, 5) if start < end else None
        if not head or not _is_block(head, start, end):
            return
        evidence = "the header of a block for jemalloc's own records: its size, and what of it is free"
        yield Claim(start, start + head[0], "jemalloc", "record", evidence, "records")
        start += head[0]


def _is_block(head: Sequence[int], start: int, end: int) -> bool:
    """Return whether this is a block: its size, the next block, and the record (edata) of its free part."""
    size, _, _, free, left = head
    return _PAGE <= size <= end - start and start < free and free + left == start + size
