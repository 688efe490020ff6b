"""The address space as a strip: what is where, before above after, for a terminal that is wide enough.

A column stands for the mappings that take most of it; large mappings are wider than small ones, but
not in proportion, and wide gaps are one column. Colours tell the kind, shades how much is resident: of the
mapping, or of just these addresses where a snapshot looked at pages. Then lines below tell what they hold.
"""

from collections import abc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.model import Kind, Mapping, PlacedMapping, Snapshot
from vmdiff.report.terminal import memory_page_lanes
from vmdiff.report.terminal.memory_page_lanes import IN_MEMORY, DrawnRange, Shares
from vmdiff.report.view import memory_page_picture
from vmdiff.report.view.memory_page_picture import PageStretch

Span = tuple[str, str]
Line = list[Span]

LEAST_WIDTH = 100  # columns below which a strip says too little
_GAP = 1 << 30  # bytes of nothing that are worth a column
_COLUMNS_PER_GAP = 12
_LARGEST_RESERVED = 64 << 20  # bytes: a reservation of terabytes would leave room for nothing else
_NAMES = 8  # columns for `before` and `after`
_SHADES = ((0.95, "█"), (0.5, "▓"), (0.02, "▒"), (0.0, "░"))
_UNKNOWN = "?"
_MARKS = {(False, True): ("+", "plus"), (True, False): ("-", "minus")}


class _Tile(NamedTuple):
    """A stretch between two borders of either side, and what each side has there; neither: a gap."""

    start: int
    size: int
    before: Mapping | None
    after: Mapping | None

    @property
    def is_gap(self) -> bool:
        return self.before is None and self.after is None


_NOTHING = _Tile(0, 0, None, None)


def of_comparison(found: Comparison, width: int, *, colour: bool) -> Iterator[Line]:
    """Draw both sides and mark what differs; nothing where the two have no addresses in common."""
    if width < LEAST_WIDTH or found.match != "address" or not _placed(found.before, found.after):
        return
    differing = (change for change in found.changes if change.change is not ChangeName.RECOUNTED)
    changed = {id(mapping) for change in differing for mapping in change.mappings}
    width -= _NAMES
    drawing = _Drawing(found.before.placed, found.after.placed, width, changed)
    for side, snapshot in (("before", found.before), ("after", found.after)):
        yield [(side.ljust(_NAMES), "dim"), *drawing.side(side, snapshot)]
    yield [(" " * _NAMES, ""), *(_mark(piece, changed) for piece in drawing.columns)]
    lanes = drawing.lanes(list(memory_page_picture.moved(found)), memory_page_lanes.MOVED)
    yield from lanes
    measured = any("rss" in snapshot.counters for snapshot in (found.before, found.after))
    drawn = [piece.after or piece.before for piece in drawing.columns]
    yield _legend(drawn, colour=colour, measured=measured, lanes=bool(lanes))


def of_snapshot(taken: Snapshot, width: int, *, colour: bool) -> Iterator[Line]:
    """Draw one address space."""
    if width < LEAST_WIDTH or not _placed(taken):
        return
    looked = taken.pages is not None
    drawing = _Drawing((), taken.placed, width - _NAMES if looked else width, set())
    name = [("memory".ljust(_NAMES), "dim")] if looked else []
    yield [*name, *drawing.side("after", taken)]
    lanes = drawing.lanes(list(memory_page_picture.held(taken)), memory_page_lanes.HELD)
    yield from lanes
    drawn = [piece.after for piece in drawing.columns]
    yield _legend(drawn, colour=colour, measured="rss" in taken.counters, lanes=bool(lanes))


def _placed(*snapshots: Snapshot) -> bool:
    return all(
        snapshot.mappings and all(None not in (m.start, m.end) for m in snapshot.mappings)
        for snapshot in snapshots
    )


# ---- from addresses to columns


class _Drawing:
    """Where each stretch of addresses is drawn; a column stands for the piece that takes most of it."""

    def __init__(
        self,
        before: Sequence[PlacedMapping],
        after: Sequence[PlacedMapping],
        width: int,
        changed: abc.Set[int],
    ) -> None:
        self._width = width
        pieces = list(_pieces(before, after, width // _COLUMNS_PER_GAP))
        gaps = sum(piece.is_gap for piece in pieces)
        weights = [0.0 if piece.is_gap else _weight(piece, changed) for piece in pieces]
        scale = (width - gaps) / (sum(weights) or 1.0)
        best: list[tuple[float, _Tile]] = [(0.0, _NOTHING)] * width
        self._ranges: list[DrawnRange] = []
        at = 0.0
        for piece, weight in zip(pieces, weights, strict=True):
            reach = min(float(width), at + (weight * scale if weight else 1.0))
            if not piece.is_gap and at < reach:
                self._ranges.append(DrawnRange(piece.start, piece.start + piece.size, at, reach))
            for column in range(int(at), min(width, int(reach) + 1)):
                share = min(reach, column + 1) - max(at, column)
                if share > best[column][0]:
                    best[column] = (share, piece)
            at = reach
        self.columns = [piece for _, piece in best]

    def side(self, side: str, snapshot: Snapshot) -> Iterator[Span]:
        """Yield the columns of one side."""
        measured = "rss" in snapshot.counters
        if snapshot.pages is None:
            yield from (_drawn(getattr(tile, side), measured=measured) for tile in self.columns)
            return
        looked = {one.start for one in snapshot.pages.mappings}
        shares = Shares(self._ranges, memory_page_picture.held(snapshot), self._width)
        for at, tile in enumerate(self.columns):
            mapping = getattr(tile, side)
            exact = shares.of(at, *IN_MEMORY) if mapping and mapping.start in looked else None
            yield _drawn(mapping, measured=measured, share=exact)

    def lanes(self, stretches: Sequence[PageStretch], names: abc.Mapping[str, str]) -> list[Line]:
        """Return a line for each state of pages that there is."""
        if not stretches:
            return []
        shares = Shares(self._ranges, stretches, self._width)
        return [[(name.ljust(_NAMES), "dim"), (line, "")] for name, line in shares.lanes(names)]


def _weight(piece: _Tile, changed: abc.Set[int]) -> float:
    """Return how wide a piece should be: not in proportion, and wider where something changed."""
    usable = any(mapping.accessible for mapping in (piece.before, piece.after) if mapping)
    size = piece.size if usable else min(piece.size, _LARGEST_RESERVED)
    wide: float = size ** (1 / 3)
    return wide * (3 if {id(piece.before), id(piece.after)} & changed else 1)


def _pieces(before: Sequence[PlacedMapping], after: Sequence[PlacedMapping], most_gaps: int) -> list[_Tile]:
    """Return the stretches that have anything, lowest first, with the widest gaps between them."""
    every = list(_stretches(before, after))
    gaps = sorted((piece.size for piece in every if piece.is_gap), reverse=True)[:most_gaps]
    least = max(_GAP, gaps[-1] if gaps else 0)
    return [piece for piece in every if not piece.is_gap or piece.size >= least]


def _stretches(before: Sequence[PlacedMapping], after: Sequence[PlacedMapping]) -> Iterator[_Tile]:
    borders = {border for side in (before, after) for m in side for border in (m.start, m.end)}
    i = j = 0
    for start, end in pairwise(sorted(borders)):
        i, old = _at(before, i, start)
        j, new = _at(after, j, start)
        yield _Tile(start, end - start, old, new)


def _at(mappings: Sequence[PlacedMapping], index: int, address: int) -> tuple[int, PlacedMapping | None]:
    """Return the mapping at an address, looking on from *index*; addresses only rise."""
    while index < len(mappings) and mappings[index].end <= address:
        index += 1
    there = index < len(mappings) and mappings[index].start <= address
    return index, mappings[index] if there else None


# ---- from columns to signs


def _drawn(mapping: Mapping | None, *, measured: bool, share: float | None = None) -> Span:
    if mapping is None:
        return " ", ""
    if not mapping.accessible:
        return "·", "dim"
    if share is None:
        share = _resident(mapping) if measured else None
    return _UNKNOWN if share is None else _shade(share), str(mapping.kind)


def _resident(mapping: Mapping) -> float | None:
    """Return how much of a mapping is resident, as far as its counters tell."""
    held, size = mapping.values.get("rss", 0), mapping.size
    return held / size if isinstance(held, int) and size else None


def _shade(share: float) -> str:
    return next(sign for least, sign in _SHADES if share >= least)


def _mark(piece: _Tile, changed: abc.Set[int]) -> Span:
    if not {id(piece.before), id(piece.after)} & changed:
        return " ", ""
    return _MARKS.get((piece.before is not None, piece.after is not None), ("~", "word"))


def _legend(drawn: Sequence[Mapping | None], *, colour: bool, measured: bool, lanes: bool) -> Line:
    kinds = {mapping.kind for mapping in drawn if mapping is not None and mapping.accessible}
    line: Line = []
    if colour:
        for kind in (kind for kind in Kind if kind in kinds):
            line += [("█ ", str(kind)), (f"{kind}  ", "dim")]
    if lanes:
        return [*line, ("░▒▓█ resident  · reserved  ▁█ share of a column", "dim")]
    shades = "░▒▓█ the more resident the fuller" if measured else "? resident is unknown"
    return [*line, (f"{shades}   · reserved", "dim")]
