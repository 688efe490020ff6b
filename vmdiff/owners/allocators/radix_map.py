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

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.machine_words import WORD, unpacked, word, zeroed
from vmdiff.owners.scene import Scene, is_plain

_LEAF = 1 << 18  # entries
_MOST_LEAVES = 1024  # of one mapping: a leaf has the pages of 1 or 2 GiB
_MOST_TRIES = 1 << 14
_PROBES = 16
_EMPTY = re.compile(rb"\0{8,}")
# An entry with a size class or flags and no pointer: what jemalloc leaves inside extents that it merged.
_NO_POINTER = re.compile(rb"(?=[\x00-\x3f]\0{5}(?!\0\0)..)", re.DOTALL)
_FILLED = re.compile(rb"[^\0]")
_ZEROS = re.compile(rb"\0{64,}")
_WINDOW = 2048  # entries
_MOST_RECORDS = 8  # that are looked at from one place on
_RECORD = 32  # bytes that a check sees of a record


class PageMapFormat(NamedTuple):
    """How an allocator keeps its map.

    *shift* is the page size as a power of two, *mask* what of an entry is the pointer; *bounds* reads
    an extent's start and end in the first words of its record.
    """

    shift: int
    mask: int
    bounds: Callable[[Sequence[int]], tuple[int, int]]


class PageMap(NamedTuple):
    """A map whose root, an array of leaves, is at *root*."""

    scene: Scene
    form: PageMapFormat
    root: int

    def owned(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of whole pages in ``[start, end)`` that are in extents, in order and apart."""
        page = 1 << self.form.shift
        at = low = -(-start // page)
        for first, last in self._empty(low, end // page):
            if at < first:
                yield at * page, first * page
            at = last
        if at < end // page:
            yield at * page, end // page * page

    def entries(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the entries of the whole pages in ``[start, end)``, leaf by leaf."""
        page = 1 << self.form.shift
        low, high = -(-start // page), end // page
        for number in range(low // _LEAF, min(-(-high // _LEAF), low // _LEAF + _MOST_LEAVES)):
            first, last = max(low, number * _LEAF), min(high, (number + 1) * _LEAF)
            yield self._entries(number, first % _LEAF, last - first)

    def _empty(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of page numbers that are in no extent."""
        covered = 0  # where the last extent seen ends
        for number in range(low // _LEAF, min(-(-high // _LEAF), low // _LEAF + _MOST_LEAVES)):
            first, last = max(low, number * _LEAF), min(high, (number + 1) * _LEAF)
            entries = self._entries(number, first % _LEAF, last - first)
            for empty in _EMPTY.finditer(entries):
                start, end = -(-empty.start() // WORD), empty.end() // WORD
                before, after = self._pointer(entries, start - 1), self._pointer(entries, end)
                if before and before == after:
                    continue
                if before and first + end == last:
                    covered = self._end(before)
                if max(first + start, covered) < first + end:
                    yield max(first + start, covered), first + end
            if tail := self._pointer(entries, last - first - 1):
                covered = self._end(tail)

    def _entries(self, leaf: int, at: int, count: int) -> bytes:
        """Return entries of a leaf; one that is missing is empty."""
        place = word(self.scene, self.root + leaf * WORD)
        entries = self.scene.read(place + at * WORD, count * WORD) if place else None
        return self._without_strays(entries) if entries else bytes(count * WORD)

    def _without_strays(self, entries: bytes) -> bytes:
        """Clear the entries that have no pointer: they say as little as empty ones."""
        strays = [found.start() for found in _NO_POINTER.finditer(entries) if found.start() % WORD == 0]
        if not strays:
            return entries
        cleared = bytearray(entries)
        for at in strays:
            if not int.from_bytes(cleared[at : at + WORD], "little") & self.form.mask:
                cleared[at : at + WORD] = bytes(WORD)
        return bytes(cleared)

    def _pointer(self, entries: bytes, number: int) -> int:
        return int.from_bytes(entries[number * WORD : (number + 1) * WORD], "little") & self.form.mask

    def _end(self, record: int) -> int:
        """Return the number of the page after an extent."""
        words = unpacked(self.scene.read(record, _RECORD))
        return self.form.bounds(words)[1] >> self.form.shift if words else 0


def find_page_map(scene: Scene, image: Sequence[PlacedMapping], form: PageMapFormat) -> PageMap | None:
    """Find the map in an object's variables, by an extent that it leads to.

    A variable may be the root's entry for a place if, taken as a leaf, one of the first entries from that
    place on leads to the record of an extent that begins there.
    """
    leaves = [*islice(_leaves(scene, image), _MOST_TRIES)]
    for place in _places(scene, 1 << form.shift):
        first = -(-place >> form.shift)
        for at, leaf in leaves:
            entries = scene.read(leaf + first % _LEAF * WORD, min(_WINDOW, _LEAF - first % _LEAF) * WORD)
            radix = PageMap(scene, form, at - first // _LEAF * WORD)
            if entries is not None and _leads_to_extent(radix, first, entries):
                return radix
    return None


def _leads_to_extent(radix: PageMap, first: int, entries: bytes) -> bool:
    """Return whether one of the *entries* from page *first* on leads to the record of what begins there.

    The first one need not: it may be of an extent that began before.
    """
    filled = _FILLED.search(entries)
    skipped = filled.start() // WORD if filled else len(entries) // WORD
    seen: set[int] = set()
    for number, entry in enumerate(unpacked(entries[skipped * WORD :]), first + skipped):
        pointer = entry & radix.form.mask
        if not pointer or pointer in seen:
            continue
        if len(seen) == _MOST_RECORDS:
            break
        seen.add(pointer)
        record, start = unpacked(radix.scene.read(pointer, _RECORD)), number << radix.form.shift
        if record and radix.form.bounds(record)[0] == start < radix.form.bounds(record)[1]:
            return True
    return False


def _places(scene: Scene, page: int) -> list[int]:
    """Return where to look for extents: where the mappings with most in use begin, and leaves in them.

    What lies in front of a leaf's start may be nothing but the allocator's own records.
    """
    held = [*scene.touched, *(mapping for mapping in scene.mappings if mapping.kind is Kind.HEAP)]
    most = nlargest(_PROBES, held, key=lambda mapping: mapping.values.get("rss") or 0)
    covered = _LEAF * page
    return [
        place
        for mapping in most
        for place in (mapping.start, mapping.start // covered * covered + covered)
        if place < mapping.end
    ]


def _leaves(scene: Scene, image: Sequence[PlacedMapping]) -> Iterator[tuple[int, int]]:
    """Yield place and value of every variable that leads to memory where a leaf could be."""
    pointers = sorted((value, at) for at, value in _lone_pointers(scene, image))
    for mapping in scene.mappings:
        if is_plain(mapping) or mapping.kind is Kind.HEAP:
            low = bisect_left(pointers, (mapping.start, 0))
            high = bisect_left(pointers, (mapping.end - _LEAF * WORD + 1, 0))
            yield from ((at, value) for value, at in pointers[low:high])


def _lone_pointers(scene: Scene, image: Sequence[PlacedMapping]) -> Iterator[tuple[int, int]]:
    """Yield place and value of the variables that have nothing but zeros before or after them.

    A root has an entry for 1 or 2 GiB of address space: few are used, and those next to each other.
    """
    start, raw = zeroed(scene, image)
    lone = {at for zeros in _ZEROS.finditer(raw) for at in (zeros.start() - 1, zeros.end())}
    for at in sorted({at // WORD * WORD for at in lone if 0 <= at < len(raw)}):
        value = int.from_bytes(raw[at : at + WORD], "little")
        if value and not value % WORD:
            yield start + at, value
