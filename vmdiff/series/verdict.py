"""What a series of one value does: grow steadily, in steps, up and down, to a plateau, or not at all.

A leak does not show in the values but in their floor (`vmdiff.series.floor`). The floor leaks if it drifts
upwards by more than errors that last explain, if Kendall's test finds it in order, and if its late half still
climbs. No limit here depends on the unit of the values or of the time, or on where either has its zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal

from vmdiff import units
from vmdiff.series import estimates, floor
from vmdiff.series.floor import Floor

JudgementName = Literal["leak", "steps", "sawtooth", "plateau", "flat", "declines", "undecided"]

FEWEST = 8  # known points, below which no more is said than that all are equal
_JUMP = 0.2  # of the whole range: a step of this height is one of few
_LASTS = 5  # points
_STRONG, _WEAK = 3.2, 2.0  # standard errors of a drift
_ORDERED, _PERHAPS = 0.01, 0.05  # Kendall's p-value
_SETTLED = 0.25  # of the floor's range, within which a late half has come to rest


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a series does, and the figures that show it, in a sentence.

    *rate* is the growth of the floor in bytes a second; None where there is no steady one, or no time.
    """

    name: JudgementName
    rate: float | None
    evidence: str


def judge(times: Sequence[float], values: Sequence[int | None]) -> Judgement:
    """Return what a series of *values* in bytes does; None is unknown. *times*, in seconds, ascend."""
    known = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
    if not known:
        return Judgement("undecided", None, "no value is known")
    lowest = min(value for _, value in known)
    whens, whats = [time - known[0][0] for time, _ in known], [value - lowest for _, value in known]
    if max(whats) == 0 and len(known) > 1:
        return Judgement("flat", 0.0, f"{units.size(lowest)} at all {len(known):,} points")
    if len(known) < FEWEST or whens[-1] == 0:
        return Judgement("undecided", None, f"{len(known)} known points; {FEWEST} are needed")
    jumps = _jumps(whats)
    if not jumps:
        return _of_floor(whens, whats)
    start, end = _longest(jumps, len(whats))
    between = _of_floor(whens[start:end], whats[start:end]) if end - start >= FEWEST else None
    if between is not None and between.name == "leak":
        return between
    return Judgement("steps", None, _steps_told(whats, jumps))


def _jumps(values: Sequence[float]) -> list[int]:
    """Find the few steps upwards that last and make up the growth, by the place before each."""
    least = max(_JUMP * (max(values) - min(values)), 6 * estimates.noise(values))
    found = [
        at
        for at, (before, after) in enumerate(pairwise(values))
        if after - before >= least and min(values[at + 1 : at + 1 + _LASTS]) >= before + (after - before) / 2
    ]
    tenth = max(1, len(values) // 10)
    growth = median(values[-tenth:]) - median(values[:tenth])
    made = sum(_height(values, at) for at in found)
    return found if found and 0.6 * made <= growth <= made / 0.6 else []


def _height(values: Sequence[float], at: int) -> float:
    """Return the height of a step between the levels on its two sides."""
    below, above = values[max(0, at + 1 - _LASTS) : at + 1], values[at + 1 : at + 1 + _LASTS]
    levels, step = median(above) - median(below), values[at + 1] - values[at]
    return levels if levels >= step / 2 else step  # another step stands beside it


def _longest(jumps: Sequence[int], count: int) -> tuple[int, int]:
    """Return the longest piece between jumps, as a half-open range of places."""
    borders = [0, *(at + 1 for at in jumps), count]
    return max(pairwise(borders), key=lambda piece: piece[1] - piece[0])


def _steps_told(values: Sequence[float], jumps: Sequence[int]) -> str:
    heights = [units.signed(round(_height(values, at))) for at in jumps]
    if len(heights) == 1:
        return f"one step of {heights[0]} that stayed"
    return f"{len(heights)} steps that stayed: {', '.join(heights)}"


def _of_floor(times: Sequence[float], values: Sequence[float]) -> Judgement:
    if min(values) == max(values):
        return Judgement("flat", 0.0, f"the same at {len(values):,} points")
    falls = floor.quick_falls(values)
    if 0 < len(falls) < floor.TEETH:
        return _sawtooth(values, Floor([times[f.end] for f in falls], [values[f.end] for f in falls]))
    lows = floor.floor_of(times, values, falls)
    drift = estimates.drift(*lows)
    order = estimates.kendall(*lows)
    if drift.strength >= _STRONG and order < _ORDERED:
        slope = floor.slope_of(times, values, falls, lows)
        verdict = _drifting(Floor([*times], [*values]), lows, drift, slope)
        return replace(verdict, evidence=f"{verdict.evidence}; {_figures(drift, order)}")
    if falls:
        return _sawtooth(values, lows)
    rise = median(lows.late().values) - values[0]
    if rise and lows.late().spread <= _SETTLED * lows.spread:
        every = Floor([*times], [*values])
        return _settled(every) if rise > 0 else Judgement("declines", None, _halves(every, "it fell"))
    if drift.strength >= _WEAK and order < _PERHAPS:
        return Judgement("undecided", None, f"{_halves(lows, 'its floor moved')}; {_figures(drift, order)}")
    reach = units.size(round(max(values) - min(values)))
    if _climbs_by_place(values, falls):
        return Judgement("undecided", None, f"rose within {reach}, at times too uneven for a rate")
    return Judgement("flat", 0.0, f"stays within {reach}, without direction")


def _climbs_by_place(values: Sequence[float], falls: Sequence[estimates.Swing]) -> bool:
    """Return whether the floor may climb when points count by their place: a long gap hides growth after it.

    Evenly spaced points have been judged so already, and this cannot change what is said of them.
    """
    lows = floor.floor_of(range(len(values)), values, falls)
    drift = estimates.drift(*lows)
    return drift.slope > 0 and drift.strength >= _WEAK and estimates.kendall(*lows) < _PERHAPS


def _sawtooth(values: Sequence[float], lows: Floor) -> Judgement:
    """Judge a series that rises and falls, and whose lows are not certain to drift."""
    reach, times = max(values) - min(values), len(lows.times)
    within = units.size(round(reach))
    if times == 1:
        return Judgement("undecided", None, f"rose and fell once within {within}: too short to see a floor")
    told = f"rose and fell {times} times within {within}"
    climbed = estimates.theil_sen(*lows) * (lows.times[-1] - lows.times[0])
    if climbed > _SETTLED * reach:
        lows_told = f"its lows rose by {units.size(round(climbed))}, in too little order to be sure"
        return Judgement("undecided", None, f"{told}, and {lows_told}")
    return Judgement("sawtooth", 0.0, f"{told}; its lows moved by {units.signed(round(climbed))}")


def _drifting(every: Floor, lows: Floor, drift: estimates.FittedLine, whole: float) -> Judgement:
    """Judge a floor that is certain to drift: a leak unless its late half has slowed down."""
    if drift.slope < 0:
        return Judgement("declines", whole, _halves(every, "it fell"))
    early, late = estimates.line(*lows.early()).slope, estimates.line(*lows.late()).slope
    ratio = late / max(whole, early, drift.slope)
    slowed = _slowed(early, estimates.drift(*lows.late()))
    if ratio >= 0.38 or (ratio >= 0.2 and slowed < 4) or (ratio > 0 and slowed < _WEAK):
        rate = late if ratio < 0.75 and slowed > _WEAK else whole
        return Judgement("leak", rate, _halves(lows, "its floor grew"))
    return _settled(every)


def _slowed(early: float, late: estimates.FittedLine) -> float:
    """Return by how many standard errors of the late slope it is below the early one."""
    return (early - late.slope) / late.error if late.error > 0 else float("inf")


def _settled(every: Floor) -> Judgement:
    return Judgement("plateau", None, _halves(every, "it grew"))


def _halves(lows: Floor, verb: str) -> str:
    """Return how far something moved in its first half and in its second."""
    half = len(lows.values) // 2
    first = units.signed(round(lows.values[half] - lows.values[0]))
    second = units.signed(round(lows.values[-1] - lows.values[half]))
    return f"{verb}: {first} in the first half, {second} in the second"


def _figures(drift: estimates.FittedLine, order: float) -> str:
    strength = "exactly" if drift.strength == float("inf") else f"at {drift.strength:.1f} standard errors"
    return f"drift {strength}, Kendall p {order:.2g}"
