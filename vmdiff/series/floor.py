"""The floor of a series: what is left after each collection or release."""

from collections.abc import Hashable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from vmdiff.series.estimates import Swing, noise, swings, theil_sen

WINDOWS = 48  # that a long series is cut into; each has its low
TEETH = 4  # quick falls, from which on the lows after them are the floor
_FILLED = 0.5  # of the windows of equal time, or there are too many gaps
_FALL = 0.3  # of the whole range
_AT_ONCE = 0.7  # of a fall, within two points
_NOISE = 10  # times the noise between points, which a fall exceeds
_FEWEST_RISING = 3  # points from a low to the next high: fewer are a spike,
_FEWEST_HIGH = 4  # unless so many are above the middle


class Floor(NamedTuple):
    """The lows of a series in order of time."""

    times: list[float]
    values: list[float]

    def late(self) -> "Floor":
        """Return the second half."""
        half = len(self.times) // 2
        return Floor(self.times[half:], self.values[half:])

    def early(self) -> "Floor":
        """Return the first half."""
        half = len(self.times) // 2
        return Floor(self.times[:half], self.values[:half])

    @property
    def spread(self) -> float:
        """The range of its values."""
        return max(self.values) - min(self.values)


def quick_falls(values: Sequence[float]) -> list[Swing]:
    """Find the falls of a sawtooth: deep, at once, after a rise that took its time, or that stayed.

    A deep fall is none of noise, whose rises are as quick, nor the end of a spike.
    """
    between = noise(values)
    least = max(_FALL * (max(values) - min(values)), 6 * between)
    return [
        fall
        for rise, fall in pairwise(swings(values, least))
        if values[fall.end] < values[fall.start]
        and not _is_spike(values, rise, fall)
        and _at_once(values, fall) >= max(_AT_ONCE * _depth(values, fall), _NOISE * between)
    ]


def _is_spike(values: Sequence[float], rise: Swing, fall: Swing) -> bool:
    middle = (values[rise.start] + values[fall.start]) / 2
    gradual = rise.end - rise.start >= _FEWEST_RISING and values[fall.start - 2] > middle
    high = sum(value > middle for value in values[rise.start : fall.end])
    return not gradual and high < _FEWEST_HIGH


def _depth(values: Sequence[float], fall: Swing) -> float:
    return values[fall.start] - values[fall.end]


def _at_once(values: Sequence[float], fall: Swing) -> float:
    """Return the deepest fall within two points."""
    return max(values[at] - values[min(at + 2, fall.end)] for at in range(fall.start, fall.end))


def floor_of(times: Sequence[float], values: Sequence[float], falls: Sequence[Swing]) -> Floor:
    """Return the lows after *falls* where there are enough, else those of windows of equal time.

    A gap that is long beside all other time leaves most of such windows empty, and crowds the points into
    the others. These are then cut into windows of equally many points.
    """
    places = [fall.end for fall in falls] if len(falls) >= TEETH else range(len(values))
    count = min(WINDOWS, len(places))
    start, length = times[places[0]], times[places[-1]] - times[places[0]]
    shares = [(times[place] - start) / length if length > 0 else 0.0 for place in places]
    by_time = [min(int(share * count), count - 1) for share in shares]
    windows = _windows(places, by_time)
    if len(windows) < count * _FILLED:
        by_place = [at * count // len(places) for at in range(len(places))]
        windows = _windows(places, list(zip(by_time, by_place, strict=True)))
    lows = [min(window, key=values.__getitem__) for window in windows]
    return Floor([times[at] for at in lows], [values[at] for at in lows])


def _windows(places: Sequence[int], of: Sequence[Hashable]) -> list[list[int]]:
    """Cut places into windows, where the window that each is *of* changes."""
    windows: dict[Hashable, list[int]] = {}
    for place, window in zip(places, of, strict=True):
        windows.setdefault(window, []).append(place)
    return list(windows.values())


def slope_of(times: Sequence[float], values: Sequence[float], falls: Sequence[Swing], floor: Floor) -> float:
    """Return the slope of a steady series in the way that leaves the smallest errors.

    The lows of a sawtooth are few, and each has the noise of one point; the means of its teeth have less,
    unless the teeth are of different heights.
    """
    ways = [floor]
    if len(falls) >= TEETH:
        teeth = list(pairwise([fall.end for fall in falls]))
        middles = [(times[start] + times[end]) / 2 for start, end in teeth]
        ways.append(Floor(middles, [sum(values[a:b]) / (b - a) for a, b in teeth]))
    slopes = [(_left(way, slope), slope) for way in ways for slope in (theil_sen(*way),)]
    return min(slopes)[1]


def _left(way: Floor, slope: float) -> float:
    """Return the median error about a line of that slope."""
    levels = [value - slope * time for time, value in zip(*way, strict=True)]
    middle = median(levels)
    return median(abs(level - middle) for level in levels)
