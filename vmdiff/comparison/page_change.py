"""What became of pages between two moments: written, filled, cleared, freed, swapped out; by owner and place.

Only for two snapshots of one address space whose fingerprints were made with one key. Pages are compared run
by run: nobody keeps a letter for each page of a reservation of terabytes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from vmdiff.model import Part, PlacedMapping, Snapshot
from vmdiff.model.page_map import FINGERPRINT, StateRun
from vmdiff.model.piece import NOT_SPLIT, group_of

_HELD = frozenset("zdZD")
_DATA = frozenset("dD")
_NOT_LOOKED_AT = frozenset("fu")
_AT_ONCE = 64  # pages whose fingerprints are compared in one step


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


class MovedPages(NamedTuple):
    """Neighbouring pages in ``[start, end)`` of which the same became; *move* is a field of `PageMoves`."""

    start: int
    end: int
    move: str


def moved_pages(before: Snapshot, after: Snapshot) -> tuple[MovedPages, ...] | None:
    """Return what became of the pages, lowest address first; None where it cannot be told."""
    was, now = before.pages, after.pages
    if was is None or now is None or was.key is None or (was.key, was.page_size) != (now.key, now.page_size):
        return None
    found: list[MovedPages] = []
    for one in _moves(list(was.runs()), list(now.runs()), now.page_size):
        if found and found[-1][1:] == (one.start, one.move):
            one = MovedPages(found.pop().start, one.end, one.move)  # noqa: PLW2901  # the two are one
        found.append(one)
    return tuple(found)


def moves_by_owner(
    before: Snapshot, after: Snapshot, moved: Sequence[MovedPages], page: int
) -> tuple[PageMoves, ...]:
    """Add up what became of the pages of each owner, most changed first.

    A page on which two owners meet is no owner's: it counts under `NOT_SPLIT`.
    """
    places = _places(before, after)
    shared = {at - at % page for at in places if at % page}
    borders = sorted({border for at in places for border in (at - at % page, at + -at % page)})
    owners: dict[int, str] = {}
    sums: dict[str, dict[str, int]] = {}
    for run in moved:
        inner = borders[bisect_right(borders, run.start) : bisect_left(borders, run.end)]
        for start, end in pairwise((run.start, *inner, run.end)):
            stretch = bisect_right(borders, start)
            if stretch not in owners:
                owners[stretch] = NOT_SPLIT if start in shared else _owner(before, after, start)
            found = sums.setdefault(owners[stretch], {})
            found[run.move] = found.get(run.move, 0) + end - start
    moves = [PageMoves(owner, **counts) for owner, counts in sums.items()]
    return tuple(sorted(moves, key=lambda one: (-one.changed, -one.came, -one.freed, one.owner)))


def _moves(before: Sequence[StateRun], after: Sequence[StateRun], page: int) -> Iterator[MovedPages]:
    """Yield what became of each stretch that either side has."""
    borders = sorted({border for run in (*before, *after) for border in run[:2]})
    i = j = 0
    for start, end in pairwise(borders):
        while i < len(before) and before[i].end <= start:
            i += 1
        while j < len(after) and after[j].end <= start:
            j += 1
        one = before[i] if i < len(before) and before[i].start <= start else None
        other = after[j] if j < len(after) and after[j].start <= start else None
        if one and other and one.state in _DATA and other.state in _DATA:
            if one.prints and other.prints:
                yield from _rewritten(one, other, start, end, page)
        elif move := _move(one.state if one else "a", other.state if other else "a"):
            yield MovedPages(start, end, move)


def _rewritten(one: StateRun, other: StateRun, start: int, end: int, page: int) -> Iterator[MovedPages]:
    """Yield which pages with data on both sides have other data; most have not."""
    for low in range(start, end, _AT_ONCE * page):
        high = min(end, low + _AT_ONCE * page)
        was, now = _part(one, low, high, page), _part(other, low, high, page)
        if was == now:
            yield MovedPages(low, high, "kept")
            continue
        at = low
        places = range(0, len(now), FINGERPRINT)
        same = (was[place : place + FINGERPRINT] == now[place : place + FINGERPRINT] for place in places)
        for kept, run in groupby(same):
            until = at + sum(1 for _ in run) * page
            yield MovedPages(at, until, "kept" if kept else "written")
            at = until


def _part(run: StateRun, start: int, end: int, page: int) -> bytes:
    """Return the fingerprints of the pages in ``[start, end)``."""
    first, last = ((at - run.start) // page * FINGERPRINT for at in (start, end))
    return run.prints[first:last]


def _move(was: str, now: str) -> str | None:
    """Name what became of a page without data on one side; None where nothing is known, or nothing was."""
    if _NOT_LOOKED_AT & {was, now}:
        return None
    if was not in _HELD or now not in _HELD:
        if now in _HELD:
            return "came"
        return {"a": "freed", "s": "swapped"}[now] if was in _HELD else None
    return "filled" if now in _DATA else "cleared" if was in _DATA else "kept"


def _places(before: Snapshot, after: Snapshot) -> set[int]:
    """Return the addresses at which owners change."""
    places: set[int] = set()
    for mapping in (*before.placed, *after.placed):
        places.update(mapping.range)
        for part in mapping.owner.parts if mapping.owner else ():
            places.update(part.range)
    return places


def _owner(before: Snapshot, after: Snapshot, address: int) -> str:
    """Name the owner of an address: as it is now, else as it was."""
    for snapshot in (after, before):
        mapping: PlacedMapping | None = snapshot.by_address.at(address)
        if mapping is not None:
            held = mapping.owner and mapping.owner.at(address)
            return held.name if isinstance(held, Part) else group_of(mapping.kind, held)
    return "(anonymous)"
