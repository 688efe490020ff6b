"""Estimates that a few strange values do not move, and how far to trust them.

Written out here since scipy, which has most of them, is heavier than all of vmdiff; the tests hold
`kendall` and `theil_sen` against it.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import erfc, sqrt
from operator import mul
from statistics import median
from typing import NamedTuple

_NORMAL = 1.4826  # median absolute deviation -> standard deviation of normal noise
_CORRECTED = 4  # points that the correction of an autoregression's coefficient takes
_LASTING = 0.98
_FEWEST = 3  # points of a line with an error


def slopes(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """Return the slope between each two points whose times differ."""
    points = zip(times, values, strict=True)
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] != a[0]]


def theil_sen(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of the slopes between each two points, 0 where there are no two.

    Theil 1950, Sen 1968. A quarter of the points may lie anywhere.
    """
    every = slopes(times, values)
    return median(every) if every else 0.0


def kendall(times: Sequence[float], values: Sequence[float]) -> float:
    """Return the two-sided p-value of Kendall's tau: how often values without order are ordered so well.

    The normal approximation with ties (Kendall, Rank Correlation Methods, 1970), 1 where all are equal.
    """
    count = len(times)
    points = list(zip(times, values, strict=True))
    score = sum(_sign(b[0] - a[0]) * _sign(b[1] - a[1]) for a, b in combinations(points, 2))
    ties, runs = _ties(times), _ties(values)
    pairs = count * (count - 1)
    variance = (pairs * (2 * count + 5) - ties[2] - runs[2]) / 18
    if count > 2:
        variance += ties[1] * runs[1] / (9 * pairs * (count - 2))
        variance += ties[0] * runs[0] / (2 * pairs)
    return erfc(abs(score) / sqrt(2 * variance)) if variance > 0 else 1.0


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _ties(values: Sequence[float]) -> tuple[int, int, int]:
    """Return the three sums over groups of equal values that the variance of Kendall's score needs."""
    ordered = sorted(values)
    sizes, size = [], 1
    for before, after in pairwise(ordered):
        if before == after:
            size += 1
        else:
            sizes.append(size)
            size = 1
    sizes.append(size)
    return (
        sum(n * (n - 1) for n in sizes),
        sum(n * (n - 1) * (n - 2) for n in sizes),
        sum(n * (n - 1) * (2 * n + 5) for n in sizes),
    )


def noise(values: Sequence[float]) -> float:
    """Return the standard deviation of what moves from point to point, which no slow change adds to."""
    steps = [after - before for before, after in pairwise(values)]
    if not steps:
        return 0.0
    middle = median(steps)
    return _NORMAL * median(abs(step - middle) for step in steps) / sqrt(2)


class FittedLine(NamedTuple):
    """A line of least squares: its value at time 0, its slope, and the slope's standard error."""

    level: float
    slope: float
    error: float

    @property
    def strength(self) -> float:
        """By how many of its standard errors the slope differs from 0."""
        return abs(self.slope) / self.error if self.error > 0 else float("inf") if self.slope else 0.0


def line(times: Sequence[float], values: Sequence[float]) -> FittedLine:
    """Fit a line by least squares."""
    return _fitted([1.0] * len(times), times, values)


def drift(times: Sequence[float], values: Sequence[float]) -> FittedLine:
    """Fit a line to values whose errors last, so that its strength can be trusted.

    Errors of memory last: what a cache took it has for a while. Plain least squares then calls any
    wandering a trend, so the errors are taken as an autoregression of order 1 (Prais and Winsten 1954).
    Short series underestimate its coefficient, with a trend by about (2 + 4 phi) / n (Kendall 1954).
    It is corrected for that and kept below 1, where what remains is a test of the increments.
    """
    count = len(times)
    plain = line(times, values)
    errors = [value - plain.level - plain.slope * time for time, value in zip(times, values, strict=True)]
    spread = sum(error * error for error in errors[:-1])
    if count <= _CORRECTED or spread <= 0:
        return plain
    phi = sum(before * after for before, after in pairwise(errors)) / spread
    phi = min(max((count * phi + 2) / (count - _CORRECTED), 0.0), _LASTING)

    def whitened(series: Sequence[float]) -> list[float]:
        first = series[0] * sqrt(1 - phi * phi)
        return [first, *(after - phi * before for before, after in pairwise(series))]

    return _fitted(whitened([1.0] * count), whitened(times), whitened(values))


def _fitted(ones: Sequence[float], times: Sequence[float], values: Sequence[float]) -> FittedLine:
    aa, at, tt = _dot(ones, ones), _dot(ones, times), _dot(times, times)
    av, tv = _dot(ones, values), _dot(times, values)
    whole = aa * tt - at * at
    if whole <= 0 or len(times) < _FEWEST:
        return FittedLine(av / aa if aa else 0.0, 0.0, 0.0)
    slope = (aa * tv - at * av) / whole
    level = (av - slope * at) / aa
    left = sum((v - level * a - slope * t) ** 2 for a, t, v in zip(ones, times, values, strict=True))
    return FittedLine(level, slope, sqrt(left / (len(times) - 2) * aa / whole))


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


class Swing(NamedTuple):
    """A rise or fall between two turning points, by their places in the series."""

    start: int
    end: int


def swings(values: Sequence[float], least: float) -> list[Swing]:
    """Cut a series at its turning points, leaving out what turns by less than *least*.

    Rises and falls alternate; the first starts at the first point and the last ends at the last.
    """
    if not values or least <= 0:
        return []
    turns = [0]
    low = high = 0
    rising: bool | None = None
    for at, value in enumerate(values):
        if value > values[high]:
            high = at
        if value < values[low]:
            low = at
        if rising is not False and values[high] - value >= least:
            turns.append(high)
            rising, low, high = False, at, at
        elif rising is not True and value - values[low] >= least:
            turns.append(low)
            rising, low, high = True, at, at
    turns.append(len(values) - 1)
    return [Swing(a, b) for a, b in pairwise(turns) if a < b]
