"""tcmalloc's memory, from its own map of pages (gperftools: src/{pagemap,page_heap,span}.h, 2.x).

The map's root is in the library's .bss. With tcmalloc in malloc's place brk is its own too.
"""

from collections.abc import Iterator, Sequence

from vmdiff.model import Kind
from vmdiff.owners.allocators.radix_map import PageMapFormat, find_page_map
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

_SHIFT = 13


def _bounds(record: Sequence[int]) -> tuple[int, int]:
    """Read the bounds of pages in their record (Span): the first page's number, how many."""
    return record[0] << _SHIFT, record[0] + record[1] << _SHIFT


_MAP = PageMapFormat(_SHIFT, (1 << 48) - 8, _bounds)


def tcmalloc(scene: Scene) -> Iterator[Claim]:
    """Claim the spans of tcmalloc, and the heap that it has from brk."""
    library = scene.find_object("libtcmalloc")
    if library is None:
        return
    heaps = [mapping for mapping in scene.mappings if mapping.kind is Kind.HEAP]
    pages = find_page_map(scene, library.mappings, _MAP)
    if pages is None:
        return
    evidence = "tcmalloc's map of pages has spans there"
    for mapping in scene.plain:
        for start, end in pages.owned(mapping.start, mapping.end):
            yield Claim(start, end, "tcmalloc", "record", evidence)
    for mapping in heaps:
        if any(pages.owned(mapping.start, mapping.end)):
            yield Claim(mapping.start, mapping.end, "tcmalloc", "record", evidence)
