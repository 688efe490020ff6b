"""What became of pages between two moments: written, filled, cleared, freed, swapped out; by owner.

Only for two snapshots of one address space whose fingerprints were made with one key.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Part, PlacedMapping, Snapshot
from vmdiff.model.page_map import FINGERPRINT, MappingPages
from vmdiff.model.piece import group_of

_HELD = frozenset("zdZD")
_DATA = frozenset("dD")
_NOT_LOOKED_AT = frozenset("fu")


class PageMoves(NamedTuple):
    """The pages of one owner, in bytes.

    *written* had data on both sides, and other data; *filled* were zeros before, *cleared* are zeros now;
    *freed* are gone from memory, *swapped* are in swap now; *came* are in memory that were not; *kept* did
    not change. Pages of files, and those that could not be read, are in none.
    """

    owner: str
    written: int = 0
    filled: int = 0
    cleared: int = 0
    freed: int = 0
    swapped: int = 0
    came: int = 0
    kept: int = 0

    @property
    def changed(self) -> int:
        """The bytes whose contents changed."""
        return self.written + self.filled + self.cleared


def page_moves(before: Snapshot, after: Snapshot) -> tuple[PageMoves, ...] | None:
    """Return what became of the pages of each owner, most changed first; None where it cannot be told."""
    was, now = before.pages, after.pages
    if was is None or now is None or was.key is None or (was.key, was.page_size) != (now.key, now.page_size):
        return None
    page = now.page_size
    sums: dict[str, dict[str, int]] = {}
    sides = [_Strips(was.mappings, page), _Strips(now.mappings, page)]
    for start, end in pairwise(
        sorted({*_borders(before), *_borders(after), *sides[0].borders, *sides[1].borders})
    ):
        strips = [side.at(start) for side in sides]
        if strips == [None, None]:
            continue
        found = sums.setdefault(_owner(after, start) or _owner(before, start) or "(anonymous)", {})
        for name in _moves(strips, start, (end - start) // page):
            found[name] = found.get(name, 0) + page
    moves = [PageMoves(owner, **counts) for owner, counts in sums.items() if counts]
    return tuple(sorted(moves, key=lambda one: (-one.changed, -one.came, -one.freed, one.owner)))


class _Strip:
    """The pages of one mapping, a letter each, and where each page's fingerprint is."""

    def __init__(self, pages: MappingPages, page: int) -> None:
        self.start = pages.start
        self.states = "".join(state * count for count, state in pages.states())
        self.end = pages.start + len(self.states) * page
        self._page = page
        self._prints = pages.fingerprint_bytes()
        self._before = 0  # pages with data that were passed
        self._passed = 0

    def pages(self, start: int, count: int) -> Iterator[tuple[str, bytes | None]]:
        """Yield state and fingerprint of pages from *start* on; addresses only rise from call to call."""
        first = (start - self.start) // self._page
        self._before += sum(state in _DATA for state in self.states[self._passed : first])
        for state in self.states[first : first + count]:
            at = self._before * FINGERPRINT
            yield state, self._prints[at : at + FINGERPRINT] if state in _DATA else None
            self._before += state in _DATA
        self._passed = first + count


class _Strips:
    """The pages of one snapshot."""

    def __init__(self, mappings: Sequence[MappingPages], page: int) -> None:
        self._strips = sorted((_Strip(one, page) for one in mappings), key=lambda one: one.start)
        self._starts = [one.start for one in self._strips]
        self.borders = [border for one in self._strips for border in (one.start, one.end)]

    def at(self, address: int) -> _Strip | None:
        """Return the pages of the mapping at an address."""
        index = bisect_right(self._starts, address) - 1
        return self._strips[index] if index >= 0 and address < self._strips[index].end else None


def _borders(snapshot: Snapshot) -> Iterator[int]:
    """Yield where owners begin and end inside mappings."""
    for mapping in snapshot.placed:
        for part in mapping.owner.parts if mapping.owner else ():
            yield from (part.start, part.end)


def _owner(snapshot: Snapshot, address: int) -> str | None:
    mapping: PlacedMapping | None = snapshot.by_address.at(address)
    if mapping is None:
        return None
    held = mapping.owner and mapping.owner.at(address)
    return held.name if isinstance(held, Part) else group_of(mapping.kind, held)


def _moves(strips: Sequence[_Strip | None], start: int, count: int) -> Iterator[str]:
    absent = [("a", None)] * count
    sides = [absent if strip is None else strip.pages(start, count) for strip in strips]
    for (was, was_print), (now, now_print) in zip(*sides, strict=True):
        if name := _move(was, now, same=was_print == now_print):
            yield name


def _move(was: str, now: str, *, same: bool) -> str | None:
    """Name what became of a page; None where nothing is known, or nothing was and is there."""
    if _NOT_LOOKED_AT & {was, now}:
        return None
    if was not in _HELD or now not in _HELD:
        if now in _HELD:
            return "came"
        return {"a": "freed", "s": "swapped"}[now] if was in _HELD else None
    if was in _DATA and now in _DATA:
        return "kept" if same else "written"
    return "filled" if now in _DATA else "cleared" if was in _DATA else "kept"
