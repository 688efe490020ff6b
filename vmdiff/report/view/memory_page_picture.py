"""Where in each mapping pages are: data, zeros, repeats, in swap; or what became of them between two moments.

One invariant: the figures of the rows and of the rest add up to the total, which is what the snapshots count.
A picture of a million pages is one of a few hundred cells, each with its share of every state.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from itertools import pairwise
from typing import NamedTuple

from vmdiff.comparison.compare import Comparison
from vmdiff.model import AddressIndex, Snapshot
from vmdiff.model.page_map import FINGERPRINT
from vmdiff.report import wording

CELLS = 192  # of one mapping
_MOST = 16  # mappings; the rest is one row without a picture
_WORDS = {"s": "swapped", "f": "file", "u": "unread", "z": "zeros", "d": "data"}
HELD = {
    "data": "data",
    "repeated": "repeated",
    "zeros": "zeros",
    "swapped": "in swap",
    "file": "file, unread",
    "unread": "unreadable",
}
MOVED = {
    "kept": "kept",
    "came": "came",
    "filled": "were zeros",
    "written": "written",
    "cleared": "became zeros",
    "freed": "freed",
    "swapped": "to swap",
}
HUGE = "huge"  # beside the states: pages of these that lie in huge pages
_BESIDE = {HUGE: "in huge pages"}
_SECOND = frozenset({"kept", "file", HUGE})  # what is drawn, and makes no mapping worth a look

Amounts = dict[str, int]  # bytes by state


class PageStretch(NamedTuple):
    """Neighbouring pages of one state in ``[start, end)``."""

    start: int
    end: int
    state: str
    huge: bool = False


class PageCell(NamedTuple):
    """A part of a mapping: its bytes, and how many are in each state; what is absent is in none."""

    size: int
    amounts: Amounts


class PageRow(NamedTuple):
    """A mapping with its cells, lowest address first."""

    title: str
    where: str
    cells: tuple[PageCell, ...]
    amounts: Amounts


class PagePicture(NamedTuple):
    """The states that there are, with their words; the rows; what is in further mappings, and the total."""

    states: dict[str, str]
    rows: tuple[PageRow, ...]
    further: int
    rest: Amounts
    total: Amounts


def of_snapshot(taken: Snapshot) -> PagePicture | None:
    """Return where pages are, None where nobody looked; mappings with most pages first."""
    return _picture(taken, None, list(held(taken)), HELD) if taken.pages is not None else None


def of_comparison(found: Comparison) -> PagePicture | None:
    """Return what became of pages, None where that cannot be told; mappings with most changes first."""
    if found.moved_pages is None:
        return None
    return _picture(found.after, found.before, list(moved(found)), MOVED)


def held(taken: Snapshot) -> Iterator[PageStretch]:
    """Yield what is not absent of a snapshot's pages, lowest address first."""
    if taken.pages is None:
        return
    page, seen = taken.pages.page_size, set[bytes]()
    for run in taken.pages.runs():
        state, huge = _WORDS[run.state.lower()], run.state.isupper()
        if state == "data" and run.prints:
            yield from _told_apart(run.prints, run.start, page, seen, huge=huge)
        else:
            yield PageStretch(run.start, run.end, state, huge)


def moved(found: Comparison) -> Iterator[PageStretch]:
    """Yield what became of pages, lowest address first."""
    for run in found.moved_pages or ():
        yield PageStretch(run.start, run.end, run.move)


def _told_apart(
    prints: bytes, start: int, page: int, seen: set[bytes], *, huge: bool
) -> Iterator[PageStretch]:
    """Yield pages with data by whether a page before them in the process has the same."""
    begun, last = start, None
    for number in range(len(prints) // FINGERPRINT):
        own = prints[number * FINGERPRINT : (number + 1) * FINGERPRINT]
        state = "repeated" if own in seen else "data"
        seen.add(own)
        if last is not None and state != last:
            yield PageStretch(begun, begun := start + number * page, last, huge)
        last = state
    if last is not None:
        yield PageStretch(begun, start + len(prints) // FINGERPRINT * page, last, huge)


# ---- from addresses to cells


def cells(stretches: Sequence[PageStretch], borders: Sequence[int]) -> Iterator[PageCell]:
    """Yield what lies between each two of *borders*; both ascend."""
    at = 0
    for low, high in pairwise(borders):
        while at < len(stretches) and stretches[at].end <= low:
            at += 1
        amounts: Amounts = {}
        inside = at
        while inside < len(stretches) and stretches[inside].start < high:
            one = stretches[inside]
            length = min(high, one.end) - max(low, one.start)
            amounts[one.state] = amounts.get(one.state, 0) + length
            if one.huge:
                amounts[HUGE] = amounts.get(HUGE, 0) + length
            inside += 1
        yield PageCell(high - low, amounts)


def _picture(
    after: Snapshot, before: Snapshot | None, every: Iterable[PageStretch], words: dict[str, str]
) -> PagePicture:
    found = _by_mapping(_regions(after, before), every)
    sums = {region: _sum(stretches) for region, stretches in found.items()}
    chosen = _chosen(sums, words)
    page = after.pages.page_size if after.pages else 1
    total = _added(sums.values())
    return PagePicture(
        {state: word for state, word in (words | _BESIDE).items() if total.get(state)},
        tuple(_row(region, found[region], sums[region], page) for region in chosen),
        len(sums) - len(chosen),
        _added(amounts for region, amounts in sums.items() if region not in set(chosen)),
        total,
    )


def _by_mapping(
    regions: "list[_DrawnMapping]", every: Iterable[PageStretch]
) -> "dict[_DrawnMapping, list[PageStretch]]":
    """Return what lies in each region; stretches are cut where regions end."""
    index = AddressIndex(regions)
    found: dict[_DrawnMapping, list[PageStretch]] = {}
    region, inside = _DrawnMapping(0, 0, "", gone=False), list[PageStretch]()
    for one in every:
        if region.start <= one.start and one.end <= region.end:  # as nearly all
            inside.append(one)
            continue
        for region in index.within(one.start, one.end):
            low, high = max(one.start, region.start), min(one.end, region.end)
            inside = found.setdefault(region, [])
            inside.append(one._replace(start=low, end=high))
    return found


class _DrawnMapping(NamedTuple):
    """A mapping, or what of one that is gone nothing else took the place of."""

    start: int
    end: int
    title: str
    gone: bool


def _regions(after: Snapshot, before: Snapshot | None) -> list[_DrawnMapping]:
    """Return what is mapped now, and what was where nothing is now; lowest address first."""
    found = [_DrawnMapping(one.start, one.end, wording.title(one), gone=False) for one in after.placed]
    for one in before.placed if before else ():
        at = one.start
        for taken in after.by_address.within(one.start, one.end):
            if at < taken.start:
                found.append(_DrawnMapping(at, taken.start, wording.title(one), gone=True))
            at = taken.end
        if at < one.end:
            found.append(_DrawnMapping(at, one.end, wording.title(one), gone=True))
    return sorted(found)


def _chosen(sums: dict[_DrawnMapping, Amounts], words: dict[str, str]) -> list[_DrawnMapping]:
    """Choose the mappings that are drawn: those with most, and of each state the one with most of it."""

    def weight(region: _DrawnMapping) -> tuple[int, int]:
        amounts = sums[region]
        changed = sum(amount for state, amount in amounts.items() if state not in _SECOND)
        return changed, sum(amounts.values())

    first = [max(sums, key=lambda region: sums[region].get(state, 0)) for state in words if sums]
    first = [region for region, state in zip(first, words, strict=False) if sums[region].get(state)]
    most = dict.fromkeys((*dict.fromkeys(first), *nlargest(_MOST, sums, key=weight)))
    return sorted(list(most)[:_MOST], key=weight, reverse=True)


def _row(region: _DrawnMapping, stretches: Sequence[PageStretch], amounts: Amounts, page: int) -> PageRow:
    pages = (region.end - region.start) // page
    count = min(CELLS, pages)
    borders = [region.start + number * pages // count * page for number in range(count)]
    title = f"{region.title} (gone)" if region.gone else region.title
    drawn = tuple(cells(stretches, [*borders, region.end]))
    return PageRow(title, f"{region.start:x}-{region.end:x}", drawn, amounts)


def _sum(stretches: Iterable[PageStretch]) -> Amounts:
    amounts: Amounts = {}
    for one in stretches:
        for state in (one.state, HUGE) if one.huge else (one.state,):
            amounts[state] = amounts.get(state, 0) + one.end - one.start
    return amounts


def _added(every: Iterable[Amounts]) -> Amounts:
    """Add up amounts by state."""
    sums: Amounts = {}
    for amounts in every:
        for state, amount in amounts.items():
            sums[state] = sums.get(state, 0) + amount
    return sums
