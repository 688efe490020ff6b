"""Maps from pages to records, as allocators keep them: a root of leaves of 2^18 pointers.

A page's pointer leads to the record of the extent (span) that holds it. Extents have it at their
first and last page at least, so a run of empty entries lies inside an extent only if the entries on both
sides lead to the same record; any other is memory that the allocator does not own.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from heapq import nlargest
from itertools import islice
from typing import NamedTuple

from vmdiff.model import Kind as Backing
from vmdiff.model import Mapping
from vmdiff.owners.claims import Scene, is_plain
from vmdiff.owners.words import WORD, unpacked, variables, word_each

_LEAF = 1 << 18  # entries
_MOST_LEAF_BYTES = 32 << 20  # of entries that are read: those of 16 GiB
_MOST_TRIES = 1 << 14
_PROBES = 16
_EMPTY = re.compile(rb"\0{8,}")
_FILLED = re.compile(rb"[^\0]")
_ZEROS = re.compile(rb"\0{64,}")
_WINDOW = 2048  # entries
_RECORD = 32  # bytes that a check sees of a record


class Kind(NamedTuple):
    """How an allocator keeps its map.

    *shift* is the page size as a power of two, *mask* what of an entry is the pointer, and *starts*
    tells whether a record (its first words) is that of an extent that begins at an address.
    """

    shift: int
    mask: int
    starts: Callable[[Sequence[int], int], bool]


class Radix(NamedTuple):
    """A map whose root, an array of leaves, is at *root*."""

    scene: Scene
    kind: Kind
    root: int

    def owned(self, start: int, end: int, budget: int = _MOST_LEAF_BYTES) -> Iterator[tuple[int, int]]:
        """Yield the ranges of whole pages in ``[start, end)`` that are in extents, in order."""
        page = 1 << self.kind.shift
        low = -(-start // page)
        entries = self._entries(low, end // page, budget)
        reach = 0
        for first, last in _runs(entries, self.kind.mask):
            if reach < first:
                yield (low + reach) * page, (low + first) * page
            reach = last
        if reach < len(entries) // WORD:
            yield (low + reach) * page, (low + len(entries) // WORD) * page

    def _entries(self, first: int, last: int, budget: int) -> bytes:
        """Give the entries of the pages from *first* on; a leaf that is missing is empty."""
        found = b""
        while first < last and len(found) < budget:
            leaf, at = divmod(first, _LEAF)
            count = min(_LEAF - at, last - first)
            place = word_each(self.scene, [self.root + leaf * WORD])[0] or 0
            found += (place and self.scene.read(place + at * WORD, count * WORD)) or bytes(count * WORD)
            first += count
        return found


def _runs(entries: bytes, mask: int) -> Iterator[tuple[int, int]]:
    """Yield the half-open ranges of indices whose pages are in no extent."""
    for empty in _EMPTY.finditer(entries):
        low, high = -(-empty.start() // WORD) * WORD, empty.end() // WORD * WORD
        before, after = entries[low - WORD : low] if low else b"", entries[high : high + WORD]
        inside = before and after and _pointer(before, mask) == _pointer(after, mask)
        if low < high and not inside:
            yield low // WORD, high // WORD


def _pointer(entry: bytes, mask: int) -> int:
    return int.from_bytes(entry, "little") & mask


def find(scene: Scene, image: Sequence[Mapping], kind: Kind) -> Radix | None:
    """Find the map in an object's variables, by an extent that it leads to.

    A variable may be the root's entry for a place if, taken as a leaf, the first entry from that place
    on leads to the record of an extent that begins there.
    """
    leaves = [*islice(_leaves(scene, image), _MOST_TRIES)]
    for place in _places(scene):
        first = -(-place >> kind.shift)
        for at, leaf in leaves:
            entries = scene.read(leaf + first % _LEAF * WORD, min(_WINDOW, _LEAF - first % _LEAF) * WORD)
            filled = _FILLED.search(entries or b"")
            if entries is None or filled is None:
                continue
            number = filled.start() // WORD
            record = scene.read(_pointer(entries[number * WORD : number * WORD + WORD], kind.mask), _RECORD)
            if record and kind.starts(unpacked(record), first + number << kind.shift):
                return Radix(scene, kind, at - first // _LEAF * WORD)
    return None


def _places(scene: Scene) -> list[int]:
    """Give where to look for extents: at the starts of the mappings with most in use."""
    held = [*scene.touched, *(mapping for mapping in scene.mappings if mapping.kind is Backing.HEAP)]
    most = nlargest(_PROBES, held, key=lambda mapping: mapping.values.get("rss") or 0)
    return [mapping.start or 0 for mapping in most]


def _leaves(scene: Scene, image: Sequence[Mapping]) -> Iterator[tuple[int, int]]:
    """Yield place and value of every variable that leads to memory where a leaf could be."""
    pointers = sorted((value, at) for at, value in _lone_pointers(scene, image))
    for mapping in scene.mappings:
        if is_plain(mapping) or mapping.kind is Backing.HEAP:
            low = bisect_left(pointers, (mapping.start or 0, 0))
            high = bisect_left(pointers, ((mapping.end or 0) - _LEAF * WORD + 1, 0))
            yield from ((at, value) for value, at in pointers[low:high])


def _lone_pointers(scene: Scene, image: Sequence[Mapping]) -> Iterator[tuple[int, int]]:
    """Yield place and value of the variables that have nothing but zeros before or after them.

    A root has an entry for 1 or 2 GiB of address space: few are used, and those next to each other.
    """
    for start, raw in variables(scene, image):
        lone = {at for zeros in _ZEROS.finditer(raw) for at in (zeros.start() - 1, zeros.end())}
        for at in sorted({at // WORD * WORD for at in lone if 0 <= at < len(raw)}):
            value = int.from_bytes(raw[at : at + WORD], "little")
            if value and not value % WORD:
                yield start + at, value
