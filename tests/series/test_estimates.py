"""The estimates against scipy, which has them, too."""

from itertools import pairwise
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.series import estimates

numbers = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=40)
spread = numbers.filter(lambda values: len(set(values)) > 1)


@pytest.fixture(scope="module")
def stats():
    return pytest.importorskip("scipy.stats")  # a second to import: not while the tests are collected


@given(numbers)
def test_kendall_agrees_with_scipy(stats, values: list[float]) -> None:
    times = [float(at) for at in range(len(values))]

    theirs = stats.kendalltau(times, values, method="asymptotic").pvalue

    assert estimates.kendall(times, values) == pytest.approx(1.0 if isnan(theirs) else theirs, abs=1e-9)


@given(numbers)
def test_the_slope_agrees_with_scipy(stats, values: list[float]) -> None:
    times = [at * 2.5 for at in range(len(values))]

    assert estimates.theil_sen(times, values) == pytest.approx(stats.theilslopes(values, times).slope)


@given(spread)
def test_the_line_agrees_with_scipy(stats, values: list[float]) -> None:
    times = [at * 2.5 for at in range(len(values))]
    theirs = stats.linregress(times, values)

    found = estimates.line(times, values)

    assert found.slope == pytest.approx(theirs.slope, abs=1e-9)
    assert found.error == pytest.approx(theirs.stderr, abs=1e-6)


@given(numbers, st.integers(1, 30))
def test_swings_alternate_and_are_deep_enough(values: list[float], least: int) -> None:
    found = estimates.swings(values, least)
    heights = [values[swing.end] - values[swing.start] for swing in found]

    assert all(before.end == after.start for before, after in pairwise(found))
    assert all(abs(height) >= least for height in heights[1:-1])
    assert all(one * other <= 0 for one, other in pairwise(heights))
