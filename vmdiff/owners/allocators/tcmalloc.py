"""tcmalloc's memory, from its own map of pages (gperftools: src/{pagemap,page_heap,span}.h, 2.x).

The map's root is in the library's .bss. With tcmalloc in malloc's place brk is its own too.
"""

from collections.abc import Iterator, Sequence

from vmdiff.model import Kind as MappingKind
from vmdiff.owners.allocators.radix_map import Kind, find
from vmdiff.owners.engine import Claim, Scene
from vmdiff.owners.mapped_objects import find_object

_SHIFT = 13


def _bounds(record: Sequence[int]) -> tuple[int, int]:
    """Read the bounds of pages in their record (Span): the first page's number, how many."""
    return record[0] << _SHIFT, record[0] + record[1] << _SHIFT


_MAP = Kind(_SHIFT, (1 << 48) - 8, _bounds)


def tcmalloc(scene: Scene) -> Iterator[Claim]:
    """Claim the spans of tcmalloc, and the heap that it has from brk."""
    library = find_object(scene, "libtcmalloc")
    if library is None:
        return
    heaps = [mapping for mapping in scene.mappings if mapping.kind is MappingKind.HEAP]
    radix = find(scene, library.mappings, _MAP)
    if radix is None:
        return
    evidence = "tcmalloc's map of pages has spans there"
    for mapping in scene.plain:
        for start, end in radix.owned(mapping.start, mapping.end):
            yield Claim(start, end, "tcmalloc", "record", evidence)
    for mapping in heaps:
        if any(radix.owned(mapping.start, mapping.end)):
            yield Claim(mapping.start, mapping.end, "tcmalloc", "record", evidence)
