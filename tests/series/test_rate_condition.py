"""Conditions on rates: held, not held, or refused; never a pass by not knowing."""

import pytest

from tests.series.moments import moment, moments
from vmdiff.errors import ConditionError
from vmdiff.series.rate_condition import parse
from vmdiff.series.trends import trend


def growing():
    return trend(moments(pool=range(60), cache=[9] * 60))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("owner:pool rss > 1MiB/h", True),
        ("owner:pool rss > 59MiB/h", True),
        ("owner:pool rss > 61MiB/h", False),
        ("owner:pool resident < 2GiB/day", True),
        ("owner:cache rss > 0B/h", False),
        ("owner:* rss > 59MiB/h", True),
        ("kind:anonymous rss > 59MiB/h", True),
        ("rss > 59MiB/h", True),
        ("rss < -1MiB/h", False),
        ("virtual > 1B/s", False),
    ],
)
def test_a_condition_holds_or_does_not(text: str, holds: bool) -> None:
    assert parse(text).holds(growing()) is holds


@pytest.mark.parametrize(
    "text",
    [
        "rss",
        "rss > 5MiB",
        "rss > 5MiB/fortnight",
        "dirty > 1MiB/h",
        "kind:heap owner:x rss > 1MiB/h",
        "rss > x/h",
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("owner:pol rss > 1MiB/h", "the nearest is 'pool'"),
        ("kind:heap rss > 1MiB/h", "no kind 'heap' in this series"),
        ("swap > 1MiB/h", "no value is known"),
    ],
)
def test_what_is_unknown_is_an_error(text: str, why: str) -> None:
    with pytest.raises(ConditionError, match=why):
        parse(text).holds(growing())


def test_without_times_nothing_is_decided() -> None:
    untimed = trend([moment(None, pool=at) for at in range(20)])

    with pytest.raises(ConditionError, match="times of the points are not known"):
        parse("rss > 1MiB/h").holds(untimed)
