"""Sets are recorded like processes: points in a folder, a trend of their sum, by role and by owner."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

import vmdiff
from tests.recording.programs import Pace, obedient
from vmdiff import sources
from vmdiff.errors import InputError, MatchError, ProcessError
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.series.series import Series

MIB = 1 << 20
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
OWN, ALONE = f"vs{os.getpid()}", f"vt{os.getpid()}"  # names that no other run of these tests has
NAMED = f"name:{OWN}?"


def recorded(target, to=None, pacer=None, **options):
    return list(vmdiff.record(target, to, pacer=pacer or Pace(), **options))


@pytest.fixture
def two():
    """Two processes of a name that nobody else has."""
    with obedient(f"{OWN}a") as first, obedient(f"{OWN}b") as second:
        yield first, second


def test_points_are_sets_that_open_by_themselves(two, tmp_path):
    found = recorded(NAMED, tmp_path, count=3)

    assert [len(point.snapshot.members) for point in found] == [2, 2, 2]
    assert [sources.load_set(point.file) for point in found] == [point.snapshot for point in found]
    assert sources.load_set(f"{tmp_path}#2") == found[2].snapshot
    assert [type(moment) for _, moment in sources.series([str(tmp_path)])] == [SnapshotSet] * 3


def test_owners_of_each_process_are_kept_while_its_layout_stays(two):
    first, second, third = recorded(NAMED, count=3, pacer=Pace(at_15=lambda: two[0].grow(8)))

    assert (first.looked, second.looked, third.looked) == ("in 2 of 2 processes", None, "in 1 of 2 processes")


def test_its_trend_is_of_the_sum_by_owner_and_by_role(two, tmp_path):
    pace = Pace(
        **{f"at_{10 * at + 5}": lambda: two[1].grow(16) for at in range(12)}
    )  # beyond what neighbours move
    recorded(NAMED, tmp_path, count=12, pacer=pace)

    # A point a minute: a busy machine takes them at any distance, and what is steady by the point is not by time.
    every_minute = (NOON + timedelta(minutes=at) for at in count())
    moments = (
        (name, found.model_copy(update={"taken_at": at}))
        for at, (name, found) in zip(every_minute, sources.series([str(tmp_path)]), strict=False)
    )
    trend = vmdiff.trend(Series(moments))

    assert trend.counter == "pss"
    assert trend.total.judgement.name == "leak"
    assert trend.total.change >= 160 * MIB  # neighbours that share libraries move PSS, too
    (role,) = trend.groups["role"]
    assert role.values == trend.total.values
    assert trend.groups["owner"][0].judgement.name == "leak"
    for by in ("owner", "kind", "object"):
        columns = zip(*(group.values for group in trend.groups[by]), strict=True)
        assert [sum(values) for values in columns] == list(trend.total.values)


TREE = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print("ready", flush=True)
input()
"""


def test_a_tree_ends_with_its_root():
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as root:
        root.stdout.readline()

        def end():
            root.communicate()

        found = recorded(f"tree:{root.pid}", pacer=Pace(at_15=end), notify=said.append)

    assert [len(point.snapshot.members) for point in found] == [2, 2]
    assert said == [f"tree:{root.pid} ended"]


def test_a_name_that_nobody_has_any_more_is_waited_for():
    said: list[str] = []
    with obedient(f"{ALONE}c") as program:
        found = recorded(f"name:{ALONE}*", pacer=Pace(at_5=program.end), duration=30, notify=said.append)

    assert len(found) == 1
    assert said == [f"name:{ALONE}*: no process that has memory; waiting for the next"]


def test_a_point_is_taken_when_the_sum_moved(two):
    pace = Pace(at_3=lambda: two[0].grow(16))

    points = vmdiff.record(NAMED, every=100, count=2, moved=8 * MIB, pacer=pace)

    assert [point.number for point in points] == [0, 1]
    assert pace.now() == 3


def test_what_means_no_set_is_refused():
    with pytest.raises(ProcessError):
        recorded("name:vmdiff-nobody-*")
    with pytest.raises(InputError, match="not with a set"):
        recorded("all", when="rss > +1MiB")


def test_one_process_and_a_set_are_no_series(two, tmp_path):
    (point,) = recorded(NAMED, tmp_path, count=1)

    with pytest.raises(MatchError, match="no series"):
        vmdiff.trend([point.snapshot, point.snapshot.members[0]])
