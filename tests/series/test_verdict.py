"""Verdicts on series that know their own truth, and laws that hold for any series."""

from collections.abc import Iterable
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.series.shapes import MIB, OTHERS, TUNED, Shape
from vmdiff.series.verdict import FEWEST, Judgement, judge

RUNS = 60


def verdicts(shape: Shape) -> Iterable[Judgement]:
    return [judge(*shape.series(Random(f"{shape.name} {run}"))) for run in range(RUNS)]


def wrong(shape: Shape) -> float:
    return sum((verdict.name == "leak") != shape.leak for verdict in verdicts(shape)) / RUNS


@pytest.mark.parametrize(("shapes", "most"), [(TUNED, 0.05), (OTHERS, 0.10)], ids=["tuned", "others"])
def test_a_leak_is_told_from_what_is_none(shapes: tuple[Shape, ...], most: float) -> None:
    assert sum(map(wrong, shapes)) / len(shapes) <= most


@pytest.mark.parametrize("shape", TUNED[4:10] + OTHERS[6:10], ids=lambda shape: shape.name)
def test_what_stays_or_settles_is_hardly_ever_called_a_leak(shape: Shape) -> None:
    assert wrong(shape) <= 1 / RUNS


@pytest.mark.parametrize("name", ["noise"])
def test_flat_is_never_called_a_leak(name: str) -> None:
    (shape,) = (shape for shape in TUNED if shape.name == name)

    assert {judge(*shape.series(Random(run))).name for run in range(300)} <= {"flat", "undecided", "declines"}


@pytest.mark.parametrize("shape", [s for s in TUNED + OTHERS if s.rate], ids=lambda shape: shape.name)
def test_the_rate_of_a_leak_is_right_within_a_tenth(shape: Shape) -> None:
    rates = [verdict.rate for verdict in verdicts(shape) if verdict.name == "leak"]

    assert median(abs(rate / MIB / shape.rate - 1) for rate in rates) < 0.1


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("line", "leak"),
        ("line under a sawtooth", "leak"),
        ("warm-up", "plateau"),
        ("logarithm", "plateau"),
        ("one step", "steps"),
        ("noise", "flat"),
    ],
)
def test_each_shape_has_its_own_name(name: str, verdict: str) -> None:
    (shape,) = (shape for shape in TUNED if shape.name == name)

    assert sum(found.name == verdict for found in verdicts(shape)) >= 0.9 * RUNS


def test_a_sawtooth_is_called_one_and_its_rise_no_rate() -> None:
    values = [at % 12 * MIB for at in range(100)]

    verdict = judge(range(100), values)

    assert (verdict.name, verdict.rate) == ("sawtooth", 0)


@pytest.mark.parametrize("jitter", [0, MIB // 4])
@pytest.mark.parametrize(("high", "verdict"), [(15, "sawtooth"), (4, "sawtooth"), (1, "flat")])
def test_what_is_held_for_a_while_and_returned_is_a_sawtooth(high: int, verdict: str, jitter: int) -> None:
    dice = Random(high)
    values = [40 * MIB * (at % 30 >= 30 - high) + dice.randint(0, jitter) for at in range(300)]

    assert judge(range(300), values).name == verdict


def test_what_only_falls_declines() -> None:
    assert judge(range(30), [(100 - at) * MIB for at in range(30)]).name == "declines"


def test_an_exact_line_has_its_exact_rate() -> None:
    verdict = judge([at * 10.0 for at in range(30)], [at * MIB for at in range(30)])

    assert (verdict.name, verdict.rate) == ("leak", MIB / 10)


@pytest.mark.parametrize("gap", [3600, 86400, 864000])
def test_long_gaps_before_a_steady_rise_do_not_make_it_flat(gap: int) -> None:
    times = [0, gap] + [2 * gap + 3600 * hour for hour in range(24)]
    values = [24 * MIB] * 2 + [(24 + hour) * MIB for hour in range(24)]

    assert judge(times, values).name in {"leak", "undecided"}


@pytest.mark.parametrize("count", [12, 30, 100, 240])
@pytest.mark.parametrize("gap", [2, 5, 20, 100])
def test_what_one_point_behind_a_long_gap_says_counts(count: int, gap: int) -> None:
    """A point behind a gap of *gap* times the recording: it grew all the time, half as fast, or no more."""
    dice = Random(count)
    times = [3600.0 * at for at in range(count)]
    values = [100 + at + dice.gauss(0, 0.3) for at in range(count)]

    def verdict(rise: float) -> Judgement:
        later = [*values, values[-1] + rise * gap * count]
        return judge([*times, times[-1] * (1 + gap)], [round(value * MIB) for value in later])

    assert verdict(1).name == "leak"
    assert verdict(0.5).name == "leak"
    assert verdict(0).name in {"undecided", "plateau"}


@pytest.mark.parametrize("values", [[], [None] * 20, [5], [1, 2, 3, 4, 5, 6, 7], [*range(7), None, None]])
def test_too_little_is_undecided(values: list[int | None]) -> None:
    assert judge(range(len(values)), values).name == "undecided"


def test_what_is_equal_at_few_points_is_flat() -> None:
    assert judge([0, 1], [5, 5]) == Judgement("flat", 0.0, "5 B at all 2 points")


# Values in pages, so that scaling is exact; times with gaps of any length.
values = st.lists(st.one_of(st.none(), st.integers(0, 200)), min_size=FEWEST, max_size=60)


@st.composite
def series(draw: st.DrawFn) -> tuple[list[float], list[int | None]]:
    drawn = draw(values)
    gaps = draw(st.lists(st.integers(1, 50), min_size=len(drawn), max_size=len(drawn)))
    return [float(sum(gaps[:at])) for at in range(len(drawn))], drawn


@given(series(), st.integers(0, 1 << 30))
def test_where_zero_is_does_not_matter(drawn: tuple[list[float], list[int | None]], shift: int) -> None:
    times, found = drawn

    shifted = judge(times, [None if value is None else value + shift for value in found])
    later = judge([time + shift for time in times], found)

    assert (shifted.name, shifted.rate) == (judge(*drawn).name, judge(*drawn).rate)
    assert later == judge(*drawn)


@given(series(), st.integers(0, 40))
def test_the_unit_of_the_values_does_not_matter(
    drawn: tuple[list[float], list[int | None]], power: int
) -> None:
    times, found = drawn
    plain = judge(times, found)

    scaled = judge(times, [None if value is None else value << power for value in found])

    assert scaled.name == plain.name
    assert scaled.rate == (None if plain.rate is None else plain.rate * (1 << power))


@given(series(), st.integers(-10, 10))
def test_the_unit_of_the_time_does_not_matter(
    drawn: tuple[list[float], list[int | None]], power: int
) -> None:
    times, found = drawn
    plain = judge(times, found)

    slower = judge([time * 2.0**power for time in times], found)

    assert slower.name == plain.name
    assert slower.rate == (None if plain.rate is None else plain.rate / 2.0**power)


@given(series())
def test_unknown_points_are_no_points(drawn: tuple[list[float], list[int | None]]) -> None:
    times, found = drawn
    known = [(time, value) for time, value in zip(times, found, strict=True) if value is not None]

    assert judge(*drawn) == judge([time for time, _ in known], [value for _, value in known])


@given(series())
def test_what_never_rises_is_no_leak(drawn: tuple[list[float], list[int | None]]) -> None:
    times, found = drawn
    falling = sorted((value for value in found if value is not None), reverse=True)

    assert judge(times[: len(falling)], falling).name not in {"leak", "plateau", "steps", "sawtooth"}
