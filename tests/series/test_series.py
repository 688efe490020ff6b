"""Snapshots in order of time, cut where the process changed, and judged group by group."""

from random import Random

import pytest

import vmdiff
from tests.series.moments import EVERY, MIB, START, moment, moments
from vmdiff.errors import ConditionError
from vmdiff.model import Usage
from vmdiff.series.trends import Steps


def named(trend, name, by="owner"):
    (found,) = (group for group in trend.groups[by] if group.name == name)
    return found


def test_each_owner_has_its_own_verdict_and_what_leaks_comes_first():
    trend = vmdiff.trend(moments(pool=range(20), cache=[50] * 20, spare=[9] * 20))

    assert (trend.groups["owner"][0].name, trend.groups["owner"][0].judgement.name) == ("pool", "leak")
    assert named(trend, "cache").judgement.name == "flat"
    assert named(trend, "pool").rate == pytest.approx(MIB / EVERY.total_seconds())
    assert (named(trend, "pool").first, named(trend, "pool").change) == (0, 19 * MIB)


def test_the_order_is_that_of_time_whatever_the_order_of_the_files():
    snapshots = list(moments(pool=range(20)))
    shuffled = Random(1).sample(snapshots, len(snapshots))

    assert named(vmdiff.trend(shuffled), "pool") == named(vmdiff.trend(snapshots), "pool")


def test_a_group_that_is_not_there_is_zero_and_one_nobody_looked_for_is_unknown():
    snapshots = list(moments(pool=[None, 1, 2, None], cache=[5] * 4))
    blind = snapshots[2].noting(owners=False)

    found = named(vmdiff.trend([*snapshots[:2], blind, snapshots[3]]), "pool")

    assert found.values == (0, MIB, None, 0)
    assert found.steps == Steps(1, 1, 0)


def test_a_restart_cuts_the_series_and_the_last_piece_is_judged():
    pids = [1] * 20 + [2] * 10

    trend = vmdiff.trend(moments(pids=pids, pool=[*range(20), *[3] * 10]))

    assert [len(run) for run in trend.series.runs] == [20, 10]
    assert trend.series.judged == range(20, 30)
    assert named(trend, "pool").judgement.name == "flat"


def test_a_piece_too_short_to_judge_leaves_the_judgement_to_the_one_before():
    trend = vmdiff.trend(moments(pids=[1] * 20 + [2] * 3, pool=range(23)))

    assert trend.series.judged == range(20)


def test_listings_without_times_have_verdicts_and_no_rates():
    trend = vmdiff.trend([moment(None, pool=at) for at in range(20)])

    assert (named(trend, "pool").judgement.name, named(trend, "pool").rate) == ("leak", None)


def test_what_is_free_inside_the_allocator_is_no_leak():
    def using(at, taken):
        used = Usage(owner="pool", source="drawn", certainty="certain", in_use=5 * MIB, free=at * MIB)
        return taken.model_copy(update={"usage": (used,)})

    kept = vmdiff.trend(using(at, taken) for at, taken in enumerate(moments(pool=range(5, 25))))

    assert named(kept, "pool").judgement.name == "flat"
    assert "what is in use does not" in named(kept, "pool").judgement.evidence


def test_a_counter_that_nobody_measured_is_undecided():
    assert vmdiff.trend(moments(pool=range(20)), counter="pss").total.judgement.name == "undecided"


def test_no_counter_of_a_series_is_refused():
    with pytest.raises(ConditionError, match="it has size, rss"):
        vmdiff.trend([], counter="dirty")


def test_no_snapshot_at_all_is_undecided():
    assert vmdiff.trend([moment(START)]).groups == {}


def test_columns_add_up_to_the_total():
    trend = vmdiff.trend(moments(pool=range(20), cache=[5] * 20))

    for by in ("kind", "owner", "object"):
        sums = [sum(values) for values in zip(*(group.values for group in trend.groups[by]), strict=True)]
        assert tuple(sums) == trend.total.values
