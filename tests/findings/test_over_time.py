"""What is said of a series, and what is not said of one that looks like it."""

from datetime import timedelta
from random import Random

from tests.series.moments import MIB, moments
from vmdiff.findings import find_over_time
from vmdiff.model import Usage
from vmdiff.series.trends import trend


def found(snapshots):
    return {finding.id: finding for finding in find_over_time(trend(snapshots))}


def limited(snapshots, **limits):
    for taken in snapshots:
        yield taken.model_copy(update={"process": taken.process.model_copy(update={"limits": limits})})


def test_who_grows_steadily_is_named_with_rate_and_the_nearest_limit():
    growing = limited(moments(pool=range(100, 160), cache=[9] * 60), cgroup_memory=268 * MIB, stack=8)

    message = found(growing)["steady-growth"].message

    assert message.startswith(
        "pool grows steadily by 60.0 MiB/h; at this rate the memory limit of its control"
    )
    assert "268 MiB is reached in 1.7 h, on 2026-01-01 02:39 UTC" in message


def test_a_limit_that_is_farther_than_anybody_looks_is_not_named():
    slow = moments(every=timedelta(hours=9), pool=range(30))

    assert "at this rate" not in found(slow)["steady-growth"].message


def test_what_only_wanders_is_no_growth():
    dice = Random(3)

    assert not found(moments(pool=[50 + dice.randrange(9) for _ in range(60)]))


def using(snapshots, used):
    for taken, mib in zip(snapshots, used, strict=True):
        usage = Usage(owner="pool", source="drawn", certainty="certain", in_use=mib * MIB, free=0)
        yield taken.model_copy(update={"usage": (usage,)})


def test_a_leak_into_memory_that_is_resident_already_is_found_where_the_allocator_tells():
    told = found(using(moments(pool=[100] * 60), range(60)))["growing-inside"].message

    assert told.startswith("what is in use of pool grows steadily by 60.0 MiB/h, inside")


def test_memory_in_use_that_only_fluctuates_is_no_growth_inside():
    dice = Random(5)

    assert not found(using(moments(pool=[100] * 60), [dice.randrange(90) for _ in range(60)]))


def test_use_that_is_known_at_few_points_is_no_evidence():
    snapshots = list(using(moments(pool=[100] * 60), range(60)))
    blind = [
        taken if at % 3 == 0 else taken.model_copy(update={"usage": None})
        for at, taken in enumerate(snapshots)
    ]

    assert not found(blind)


def test_a_restart_is_told_with_the_pieces():
    told = found(moments(pids=[1] * 20 + [2] * 10, pool=[5] * 30))["restarted"]

    assert "restarted 1 time" in told.message
    assert told.evidence[1].startswith("pid 2 from 2026-01-01 00:20:00: 10 points")
