"""The address space as a strip: what is where, before above after, for a terminal that is wide enough.

A column stands for the mappings that take most of it; large mappings are wider than small ones, but
not in proportion, and wide gaps are one column. Colours tell the kind, shades how much is resident.
"""

from collections import abc
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.model import Kind, Mapping, PlacedMapping, Snapshot

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

    size: int
    before: Mapping | None
    after: Mapping | None

    @property
    def is_gap(self) -> bool:
        return self.before is None and self.after is None


_NOTHING = _Tile(0, None, None)


def of_comparison(found: Comparison, width: int, *, colour: bool) -> Iterator[Line]:
    """Draw both sides and mark what differs; nothing where the two have no addresses in common."""
    if width < LEAST_WIDTH or found.match != "address" or not _placed(found.before, found.after):
        return
    differing = (change for change in found.changes if change.change is not ChangeName.RECOUNTED)
    changed = {id(mapping) for change in differing for mapping in change.mappings}
    columns = _columns(found.before.placed, found.after.placed, width - _NAMES, changed)
    for side, snapshot in (("before", found.before), ("after", found.after)):
        known = "rss" in snapshot.counters
        drawn = (_drawn(getattr(piece, side), measured=known) for piece in columns)
        yield [(side.ljust(_NAMES), "dim"), *drawn]
    yield [(" " * _NAMES, ""), *(_mark(piece, changed) for piece in columns)]
    measured = any("rss" in snapshot.counters for snapshot in (found.before, found.after))
    yield _legend([piece.after or piece.before for piece in columns], colour=colour, measured=measured)


def of_snapshot(taken: Snapshot, width: int, *, colour: bool) -> Iterator[Line]:
    """Draw one address space."""
    if width < LEAST_WIDTH or not _placed(taken):
        return
    columns = _columns((), taken.placed, width, set())
    measured = "rss" in taken.counters
    yield [_drawn(piece.after, measured=measured) for piece in columns]
    yield _legend([piece.after for piece in columns], colour=colour, measured=measured)


def _placed(*snapshots: Snapshot) -> bool:
    return all(
        snapshot.mappings and all(None not in (m.start, m.end) for m in snapshot.mappings)
        for snapshot in snapshots
    )


# ---- from addresses to columns


def _columns(
    before: Sequence[PlacedMapping], after: Sequence[PlacedMapping], width: int, changed: abc.Set[int]
) -> list[_Tile]:
    """Return what each column stands for: the piece that takes most of it."""
    pieces = list(_pieces(before, after, width // _COLUMNS_PER_GAP))
    gaps = sum(piece.is_gap for piece in pieces)
    weights = [0.0 if piece.is_gap else _weight(piece, changed) for piece in pieces]
    scale = (width - gaps) / (sum(weights) or 1.0)
    best: list[tuple[float, _Tile]] = [(0.0, _NOTHING)] * width
    at = 0.0
    for piece, weight in zip(pieces, weights, strict=True):
        reach = min(float(width), at + (weight * scale if weight else 1.0))
        for column in range(int(at), min(width, int(reach) + 1)):
            share = min(reach, column + 1) - max(at, column)
            if share > best[column][0]:
                best[column] = (share, piece)
        at = reach
    return [piece for _, piece in best]


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
        yield _Tile(end - start, old, new)


def _at(mappings: Sequence[PlacedMapping], index: int, address: int) -> tuple[int, PlacedMapping | None]:
    """Return the mapping at an address, looking on from *index*; addresses only rise."""
    while index < len(mappings) and mappings[index].end <= address:
        index += 1
    there = index < len(mappings) and mappings[index].start <= address
    return index, mappings[index] if there else None


# ---- from columns to signs


def _drawn(mapping: Mapping | None, *, measured: bool) -> Span:
    if mapping is None:
        return " ", ""
    if not mapping.accessible:
        return "·", "dim"
    return _shade(mapping) if measured else _UNKNOWN, str(mapping.kind)


def _shade(mapping: Mapping) -> str:
    held, size = mapping.values.get("rss", 0), mapping.size
    if not isinstance(held, int) or not size:
        return _UNKNOWN
    return next(sign for least, sign in _SHADES if held >= least * size)


def _mark(piece: _Tile, changed: abc.Set[int]) -> Span:
    if not {id(piece.before), id(piece.after)} & changed:
        return " ", ""
    return _MARKS.get((piece.before is not None, piece.after is not None), ("~", "word"))


def _legend(drawn: Sequence[Mapping | None], *, colour: bool, measured: bool) -> Line:
    kinds = {mapping.kind for mapping in drawn if mapping is not None and mapping.accessible}
    line: Line = []
    if colour:
        for kind in (kind for kind in Kind if kind in kinds):
            line += [("█ ", str(kind)), (f"{kind}  ", "dim")]
    return [
        *line,
        (
            f"{'░▒▓█ the more resident the fuller' if measured else '? resident is unknown'}   · reserved",
            "dim",
        ),
    ]
