"""Series that know their own truth: each with whether it is a leak, and at what rate a point.

`TUNED` are the shapes that the limits of `vmdiff.series.verdict` were chosen on, `OTHERS` those that they
were not: what holds for them may hold for programs.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

POINTS = 240
MIB = 1 << 20
Values = list[float]


@dataclass(frozen=True)
class Shape:
    name: str
    leak: bool
    draw: Callable[[Random], tuple[Values, Values] | Values]
    rate: float | None = None

    def series(self, dice: Random) -> tuple[list[float], list[int | None]]:
        """Draw times in seconds and values in bytes."""
        drawn = self.draw(dice)
        times, values = drawn if isinstance(drawn, tuple) else (list(map(float, range(len(drawn)))), drawn)
        return times, [None if math.isnan(value) else round(value * MIB) for value in values]


def places() -> range:
    return range(POINTS)


def noise(dice: Random, deviation: float) -> Iterator[float]:
    while True:
        yield dice.gauss(0, deviation)


def plus(*parts: Iterator[float] | Values) -> Values:
    """Add parts up on a level of 500 MiB; the shortest ends the series."""
    return [500 + sum(values) for values in zip(*parts, strict=False)]


def line(slope: float) -> Values:
    return [slope * at for at in places()]


def saw(dice: Random, period: int, height: float) -> Values:
    phase = dice.randrange(period)
    return [(at + phase) % period / period * height for at in places()]


def wild_saw(dice: Random, periods: tuple[int, int], heights: tuple[float, float]) -> Values:
    drawn: Values = []
    while len(drawn) < POINTS:
        period, height = dice.randrange(*periods), dice.uniform(*heights)
        drawn += [at / period * height for at in range(period)]
    return drawn[:POINTS]


def lasting(dice: Random, deviation: float, phi: float = 0.95) -> Values:
    drawn = [0.0]
    while len(drawn) < POINTS:
        drawn.append(phi * drawn[-1] + dice.gauss(0, deviation))
    return drawn


def walk(dice: Random) -> Values:
    place, drawn = 0.0, []
    for _ in places():
        place += dice.gauss(0, 1)
        drawn.append(max(-15, min(15, place)))
    return drawn


def staircase(dice: Random, chance: float, height: Callable[[], float]) -> Values:
    level, drawn = 0.0, []
    for _ in places():
        level += height() if dice.random() < chance else 0
        drawn.append(level)
    return drawn


def warm_up(height: float, tau: float) -> Values:
    return [height * (1 - math.exp(-at / tau)) for at in places()]


def step(at: int, height: float) -> Values:
    return [height * (place > at) for place in places()]


def spikes(dice: Random, chance: float, height: float) -> Values:
    return [height * (dice.random() < chance) for _ in places()]


def few(dice: Random) -> tuple[Values, Values]:
    return [at * 6.0 for at in range(40)], [500 + 1.8 * at + dice.gauss(0, 3) for at in range(40)]


def triggered(dice: Random) -> tuple[Values, Values]:
    """Points only where the value moved by 4 or a minute passed."""
    values = plus(line(0.25), saw(dice, 20, 40), noise(dice, 1))
    kept = [0]
    for at in places():
        if abs(values[at] - values[kept[-1]]) >= 4 or at - kept[-1] >= 60:
            kept.append(at)
    return [float(at) for at in kept], [values[at] for at in kept]


def emptied(dice: Random) -> Values:
    end = dice.randrange(120, 200)
    return [80 * (1 - math.exp(-at / 25)) if at < end else 10 for at in places()]


TUNED = (
    Shape("line", True, lambda d: plus(line(0.2), noise(d, 3)), 0.2),
    Shape("line under a sawtooth", True, lambda d: plus(line(0.3), saw(d, 30, 100), noise(d, 3)), 0.3),
    Shape("a request leaks now and then", True, lambda d: plus(staircase(d, 0.06, lambda: 5), noise(d, 2))),
    Shape("slow, under lasting errors", True, lambda d: plus(line(0.05), lasting(d, 0.6))),
    Shape("noise", False, lambda d: plus(line(0), noise(d, 3))),
    Shape("a cache that breathes", False, lambda d: plus(lasting(d, 2))),
    Shape("sawtooth", False, lambda d: plus(saw(d, d.randrange(25, 200), 100), noise(d, 3))),
    Shape("warm-up", False, lambda d: plus(warm_up(80, 40), noise(d, 2))),
    Shape("logarithm", False, lambda d: plus([15 * math.log1p(at) for at in places()], noise(d, 2))),
    Shape("one step", False, lambda d: plus(step(d.randrange(20, 220), 60), noise(d, 2))),
    Shape("bounded walk", False, lambda d: plus(walk(d), noise(d, 1))),
)
OTHERS = (
    Shape("few points", True, few, 0.3),
    Shape("blocks of all sizes", True, lambda d: plus(staircase(d, 0.2, lambda: d.expovariate(0.5)), noise(d, 1))),
    Shape("line under two sawteeth", True, lambda d: plus(line(0.4), saw(d, 12, 30), saw(d, 50, 80), noise(d, 2))),
    Shape("points where it moved", True, triggered, 0.25),
    Shape("leaks by night", True, lambda d: plus([0.6 * (at // 60 * 30 + min(at % 60, 30)) for at in places()], noise(d, 2))),
    Shape("line beside spikes", True, lambda d: plus(line(0.15), spikes(d, 0.05, 60), noise(d, 2)), 0.15),
    Shape("two levels", False, lambda d: plus(spikes(d, 0.3, 50), noise(d, 1))),
    Shape("spikes", False, lambda d: plus(spikes(d, 0.03, 80), noise(d, 2))),
    Shape("fills, then is emptied", False, lambda d: plus(emptied(d), noise(d, 2))),
    Shape("root", False, lambda d: plus([60 * (at / POINTS) ** 0.2 for at in places()], noise(d, 1))),
    Shape("short memory", False, lambda d: plus(lasting(d, 3, 0.8))),
)  # fmt: skip
