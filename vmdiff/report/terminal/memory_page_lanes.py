"""Pages below the strip of addresses: a line for each state that there is, as high as its share of a column.

The least share is drawn: one page of a million is one of eight steps high.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vmdiff.report.view.memory_page_picture import HUGE, PageStretch

HELD = {"zeros": "zeros", "repeated": "repeats", "swapped": "swapped", HUGE: "huge"}
MOVED = {
    "written": "written",
    "filled": "filled",
    "cleared": "zeroed",
    "freed": "freed",
    "swapped": "swapped",
    "came": "came",
}
IN_MEMORY = ("data", "repeated", "zeros", "file", "unread")
_STEPS = "▁▂▃▄▅▆▇█"


class DrawnRange(NamedTuple):
    """Addresses in ``[start, end)`` and the columns, not always whole ones, that they are drawn in."""

    start: int
    end: int
    left: float
    right: float

    def columns(self, start: int, end: int) -> Iterator[tuple[int, float]]:
        """Yield the columns of a part of it, and how many bytes of the part each stands for."""
        scale = (self.right - self.left) / (self.end - self.start)
        low, high = (self.left + (at - self.start) * scale for at in (start, end))
        for column in range(int(low), int(high) + 1):
            if (share := min(high, column + 1) - max(low, column)) > 0:
                yield column, share / scale


class Shares:
    """The bytes of each column, and what of them is in each state."""

    def __init__(self, ranges: Sequence[DrawnRange], stretches: Iterable[PageStretch], width: int) -> None:
        self._sizes = [0.0] * width
        self._amounts: dict[str, list[float]] = {}
        for drawn in ranges:
            for column, size in drawn.columns(drawn.start, drawn.end):
                if column < width:
                    self._sizes[column] += size
        for drawn, one in _met(ranges, stretches):
            low, high = max(one.start, drawn.start), min(one.end, drawn.end)
            for column, size in drawn.columns(low, high):
                for state in (one.state, HUGE) if one.huge else (one.state,):
                    line = self._amounts.setdefault(state, [0.0] * width)
                    line[min(column, width - 1)] += size

    def of(self, column: int, *states: str) -> float:
        """Return the share of a column that is in some states."""
        size = self._sizes[column]
        amount = sum(self._amounts[state][column] for state in states if state in self._amounts)
        return min(1.0, amount / size) if size else 0.0

    def lanes(self, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the name and the line of each state that there is."""
        for state, name in names.items():
            if state in self._amounts:
                columns = range(len(self._sizes))
                yield name, "".join(_step(self.of(column, state)) for column in columns)


def _met(
    ranges: Sequence[DrawnRange], stretches: Iterable[PageStretch]
) -> Iterator[tuple[DrawnRange, PageStretch]]:
    """Yield what overlaps; both ascend."""
    at = 0
    for one in stretches:
        while at < len(ranges) and ranges[at].end <= one.start:
            at += 1
        inside = at
        while inside < len(ranges) and ranges[inside].start < one.end:
            yield ranges[inside], one
            inside += 1


def _step(share: float) -> str:
    return _STEPS[min(len(_STEPS) - 1, int(share * len(_STEPS)))] if share else " "
