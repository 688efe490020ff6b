"""One order-preserving map of addresses for all files of a run.

The address spaces are laid over each other and cut wherever none of them has anything. The pieces
keep their inside -- every distance and every adjacency -- and their order; where they stand is
drawn anew. So whatever a comparison sees stays as it was, and where the process really has its
libraries, heaps and stacks is not told.

A map that depends on a key alone, so that files redacted on different days fit together, cannot
look at what lies where. `keyed` moves a few wide stretches of the address space instead.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

# Draws a whole number from [0, n), each time another.
Draw = Callable[[int], int]

# What was below such a border stays below it: 32-bit processes, and the user halves of 47, 48,
# 52 and 56 bits (x86-64, arm64, arm64 with large addresses, x86-64 with five levels).
_BORDERS = (0, 1 << 32, 1 << 47, 1 << 48, 1 << 52, 1 << 56, 1 << 64)
_LOWEST = 0x10000  # vm.mmap_min_addr

# What allocators and the kernel align on purpose: transparent huge pages (2 MiB) to heaps of
# 64 MiB and cages of 4 GiB; V8 aligns its pages of 256 KiB.
_SMALLEST_ALIGNMENT, _LARGEST_ALIGNMENT = 1 << 21, 1 << 32
_BLOCK = 1 << 18
_LARGEST_PAGE = 1 << 16


class Span(NamedTuple):
    """A stretch of addresses ``[start, end)``; *fixed* ones stand where they do in every process."""

    start: int
    end: int
    fixed: bool = False


class Island(NamedTuple):
    """A stretch that moves as a whole, by a multiple of *alignment*; a *fixed* one stays."""

    start: int
    end: int
    alignment: int
    fixed: bool


class AddressMap:
    """Says where an address of the originals stands in the redacted files."""

    def __init__(self, moves: Iterable[tuple[int, int]]) -> None:
        """Build a map from ``(start, shift)``: from *start* on addresses move by *shift*."""
        self._moves = sorted(moves)
        self._starts = [start for start, _ in self._moves]

    def __call__(self, address: int) -> int:
        """Return the new address; the end of a stretch moves with the stretch below it."""
        index = bisect_right(self._starts, address) - 1
        return address + self._moves[index][1] if index >= 0 else address

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the new bounds of ``[start, end)``."""
        moved = self(start)
        return moved, moved + end - start


def drawn(spans: Iterable[Span], draw: Draw) -> AddressMap:
    """Lay out anew all that *spans* cover; each call of *draw* is one throw of the dice.

    Pieces keep their order, do not touch where they did not, and keep the alignment that their
    insides rely on.
    """
    cut = list(_pieces(sorted(spans)))
    page = _page(cut)
    pieces = [piece._replace(alignment=max(piece.alignment, page)) for piece in cut]
    highest = _highest(pieces, page)
    lowest = _lowest(pieces, page)
    shares = _shares(pieces, draw)
    moves, reach = [], 0
    for piece, low, high, share in zip(pieces, lowest, highest, shares, strict=True):
        wish = low + ((high - low) * share >> 64)
        wish -= (wish - piece.start) % piece.alignment
        start = min(max(wish, _aligned_up(reach, piece), low), high)
        moves.append((piece.start, start - piece.start))
        reach = start + piece.end - piece.start + page
    return AddressMap(moves)


def _shares(pieces: Sequence[Island], draw: Draw) -> list[int]:
    """Draw how far up between lowest and highest each piece stands, in parts of 2^64, ascending."""
    shares: list[int] = []
    for _, held in groupby(pieces, _ceiling):
        shares += sorted(draw(1 << 64) for _ in held)
    return shares


def _pieces(spans: Sequence[Span]) -> Iterator[Island]:
    """Cut where nothing is; touching stretches stay together."""
    held: list[Span] = []
    reach = -1
    for span in spans:
        if held and span.start > reach:
            yield _piece(held, reach)
            held = []
        held.append(span)
        reach = max(reach, span.end)
    if held:
        yield _piece(held, reach)


def _piece(spans: Sequence[Span], end: int) -> Island:
    alignment = max(_alignment(span, end) for span in spans)
    return Island(spans[0].start, end, alignment, any(span.fixed for span in spans))


def _alignment(span: Span, end: int) -> int:
    """Return the alignment of a stretch that is no accident: what starts there is as large as that."""
    start = span.start
    natural = min(start & -start or _LARGEST_ALIGNMENT, _LARGEST_ALIGNMENT)
    while natural > max(end - start, _LARGEST_PAGE):
        natural >>= 1
    if natural >= _SMALLEST_ALIGNMENT:
        return natural
    length = span.end - start
    if length and start % _BLOCK == length % _BLOCK == 0:
        return _BLOCK
    return min(start & -start or _LARGEST_PAGE, 0x1000)


def _page(pieces: Sequence[Island]) -> int:
    """Return the least gap between pieces: what all their bounds are multiples of, at most 64 KiB."""
    bits = _LARGEST_PAGE
    for piece in pieces:
        bits |= piece.start | piece.end
    return bits & -bits


def _highest(pieces: Sequence[Island], page: int) -> list[int]:
    """Return the highest start of each piece that leaves room for those above it."""
    starts: list[int] = []
    ceiling = _BORDERS[-1] + page
    for piece in reversed(pieces):
        length = piece.end - piece.start
        top = min(ceiling - page, _ceiling(piece)) - length
        start = top - (top - piece.start) % piece.alignment
        starts.append(piece.start if piece.fixed else start)
        ceiling = starts[-1]
    return starts[::-1]


def _lowest(pieces: Sequence[Island], page: int) -> list[int]:
    """Return the lowest start of each piece when all below it stand as low as they can."""

    def next_start(reach: int, piece: Island) -> int:
        return piece.start if piece.fixed else _aligned_up(max(reach, _floor(piece)), piece)

    ends = accumulate(
        pieces, lambda reach, piece: next_start(reach, piece) + piece.end - piece.start + page, initial=0
    )
    return [next_start(reach, piece) for reach, piece in zip(ends, pieces, strict=False)]


def _aligned_up(address: int, piece: Island) -> int:
    return address + (piece.start - address) % piece.alignment


def _ceiling(piece: Island) -> int:
    return min(border for border in _BORDERS if piece.end <= border)


def _floor(piece: Island) -> int:
    floor = max(border for border in _BORDERS if border <= piece.start)
    return floor or min(piece.start, _LOWEST)


class _Stretch(NamedTuple):
    """A part of the address space that a key moves as a whole by up to *down* and *up* (bytes)."""

    start: int
    end: int
    down: int = 0
    up: int = 0


_TIB = 1 << 40
_KEYED_ALIGNMENT = 1 << 26

# Where Linux and the runtimes put things, and how far that may move without meeting a neighbour.
# Between the stretches nothing is mapped unless a program asks for that very address; what is
# below 4 GiB is there because somebody wanted it there, and stays.
_STRETCHES = (
    _Stretch(0, 1 << 32),
    _Stretch(1 << 32, 0x4000_0000_0000, up=8 * _TIB),  # Go, V8, mimalloc; all of a 39-bit arm64
    _Stretch(0x5500_0000_0000, 0x6700_0000_0000, down=12 * _TIB, up=2 * _TIB),  # PIE and brk, x86-64
    _Stretch(0x6D00_0000_0000, 0x8000_0000_0000, down=4 * _TIB - _KEYED_ALIGNMENT),  # mmap and the stack
    _Stretch(0xAA00_0000_0000, 0xD000_0000_0000, down=32 * _TIB, up=8 * _TIB),  # PIE and brk, arm64
    _Stretch(0xDF00_0000_0000, 0x1_0000_0000_0000, down=7 * _TIB - _KEYED_ALIGNMENT),  # mmap and the stack
    _Stretch(1 << 63, 1 << 64),  # [vsyscall]
)


def keyed(spans: Iterable[Span], draw: Draw) -> AddressMap | None:
    """Return the map that follows from *draw* alone, or None where it does not suit *spans*.

    It suits when everything lies within the stretches that Linux fills by itself, and something
    lies where this map moves it.
    """
    moves = [(stretch.start, _shift(stretch, draw)) for stretch in _STRETCHES]
    pieces = list(_pieces(sorted(spans)))
    homes = [_stretch(piece) for piece in pieces]
    if None in homes or not any(home and (home.up or home.down) for home in homes):
        return None
    return AddressMap(moves)


def _stretch(piece: Island) -> _Stretch | None:
    for stretch in _STRETCHES:
        if stretch.start <= piece.start and piece.end <= stretch.end:
            return stretch
    return None


def _shift(stretch: _Stretch, draw: Draw) -> int:
    steps = (stretch.up + stretch.down) // _KEYED_ALIGNMENT
    return draw(steps + 1) * _KEYED_ALIGNMENT - stretch.down
