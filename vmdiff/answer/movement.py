"""What moved and by how much: the parts of a total, and those that account for most of its movement."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vmdiff.answer.sentence import Mover

ENOUGH = 0.8  # of the movement: what a reader takes for the cause
_MOST = 4  # movers in a sentence that can be read at a glance


class Movement(NamedTuple):
    """A movement of *delta* bytes cut into *parts*, and the *movers* that account for most of it.

    *explained* is the share of all movement, up and down, that the movers are; *enough* is false where
    it takes more of them than a sentence holds.
    """

    delta: int
    parts: tuple[Mover, ...]
    movers: tuple[Mover, ...]
    explained: float | None
    enough: bool

    @property
    def gross(self) -> int:
        """All movement in bytes, up and down added."""
        return sum(abs(part.delta) for part in self.parts)


def movement(delta: int, parts: Iterable[Mover]) -> Movement:
    """Choose the movers: the largest parts, until `ENOUGH` is explained and their sum is near *delta*.

    A part that is a tenth of the movement is named in any case.

    The second demand matters where parts move against each other: "+80: jemalloc +100" would leave
    the reader with a sum that is a quarter off.
    """
    moved = sorted((part for part in parts if part.delta), key=lambda part: (-abs(part.delta), part.name))
    gross = sum(abs(part.delta) for part in moved)
    large = [part for part in moved if abs(part.delta) * 10 >= gross]
    for count in range(max(1, len(large)), min(len(moved), _MOST) + 1):
        chosen = moved[:count]
        if _explain(chosen, delta, gross):
            return Movement(delta, tuple(moved), tuple(chosen), _share(chosen, gross), enough=True)
    chosen = _largest(moved, delta)
    return Movement(delta, tuple(moved), tuple(chosen), _share(chosen, gross), enough=not moved)


def _explain(chosen: Sequence[Mover], delta: int, gross: int) -> bool:
    told, net = sum(abs(part.delta) for part in chosen), sum(part.delta for part in chosen)
    offset = gross > 4 * abs(delta)  # the parts cancel each other: each of them matters, not their sum
    near = offset or abs(delta - net) <= round((1 - ENOUGH) * abs(delta))
    return near and told >= round(ENOUGH * gross)


def _largest(moved: Sequence[Mover], delta: int) -> list[Mover]:
    """Return the examples to name where the movement is spread: those that moved as the whole did."""
    along = [part for part in moved if (part.delta > 0) == (delta > 0)]
    return (along or list(moved))[: _MOST - 1]


def _share(chosen: Sequence[Mover], gross: int) -> float | None:
    return round(sum(abs(part.delta) for part in chosen) / gross, 3) if gross else None
