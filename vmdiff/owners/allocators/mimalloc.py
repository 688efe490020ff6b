"""mimalloc's segments, by the cookie in each header (include/mimalloc/types.h, 2.x).

A cookie is the address of its segment, xor a random number that the library keeps in its variables:
finding that number there leaves no doubt. The number of 64 KiB slices of the segment comes next.
"""

from collections import abc
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vmdiff.model import PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import WORD, data, is_block, unpacked
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.scene import Scene

_ALIGNED = 32 << 20
_SLICE = 64 << 10
_HEADER = 48 * WORD
_MOST_SLICES = 1 << 24
_RANDOM = 1 << 48  # a random number is hardly ever smaller, an address never larger


def mimalloc(scene: Scene) -> Iterator[Claim]:
    """Claim the segments of mimalloc."""
    library = scene.find_object("libmimalloc")
    if library is None:
        return
    secrets = set(_secrets(scene, library))
    evidence = "a segment header with mimalloc's cookie at its start"
    for mapping in scene.touched:
        for start, end in _segments(scene, mapping, secrets):
            yield Claim(start, end, "mimalloc", "record", evidence)


def _segments(scene: Scene, mapping: PlacedMapping, secrets: abc.Set[int]) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the segments that follow each other in a mapping, the last perhaps beyond it."""
    place = -(-mapping.start // _ALIGNED) * _ALIGNED
    while place < mapping.end:
        head = unpacked(scene.read(place, _HEADER))
        slices = next((count for key, count in _keys(head, place) if key in secrets), 0)
        if not slices:
            return
        end = place + slices * _SLICE
        yield place, end if is_block(scene, place, end) else min(end, mapping.end)
        place = -(-end // _ALIGNED) * _ALIGNED


def _keys(head: Sequence[int], place: int) -> Iterator[tuple[int, int]]:
    """Yield what could be the random number in a header, and the number of slices after it."""
    for cookie, slices in pairwise(head):
        if cookie ^ place >= _RANDOM and 0 < slices <= _MOST_SLICES:
            yield cookie ^ place, slices


def _secrets(scene: Scene, thing: MappedObject) -> Iterator[int]:
    for _, raw in data(scene, thing.mappings):
        yield from (value for value in set(unpacked(raw)) if value >= _RANDOM)
