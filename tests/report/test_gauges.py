"""The latest point as gauges: two parsers read them, they add up, and there are never too many."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from tests.series.moments import MIB, START, moment
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report.profiles.gauges import OTHERS, gauges

HOSTILE = 'a"b\\\n} 1\x1b[31m'
OWNERS = {f"owner {at:02}": at for at in range(30)}


def read(parser, text):
    return [sample for family in parser(text) for sample in family.samples]


def values(text, name, **labels):
    return [
        sample.value
        for sample in read(openmetrics, text)
        if sample.name == name and sample.labels.items() >= labels.items()
    ]


@pytest.mark.parametrize("parser", [openmetrics, prometheus])
def test_both_formats_read_the_same(parser):
    text = gauges(moment(START, pool=5), "name:server", top=3)

    found = {
        (sample.name, sample.labels.get("owner")): (sample.value, sample.timestamp)
        for sample in read(parser, text)
        if sample.labels.get("counter") in {"rss", None}
    }

    assert found == {
        ("vmdiff_process_bytes", None): (5 * MIB, None),
        ("vmdiff_owner_bytes", "pool"): (5 * MIB, None),
        ("vmdiff_processes", None): (1, None),
        ("vmdiff_snapshot_seconds", None): (START.timestamp(), None),
    }


@pytest.mark.parametrize("top", [1, 4, 40])
def test_owners_are_bounded_and_add_up(top):
    text = gauges(moment(START, **OWNERS), "7", top=top)

    found = values(text, "vmdiff_owner_bytes", counter="rss")

    assert len(found) == min(top + 1, len(OWNERS))
    assert [sum(found)] == values(text, "vmdiff_process_bytes", counter="rss")
    assert bool(values(text, "vmdiff_owner_bytes", owner=OTHERS)) is (top < len(OWNERS))


def test_a_set_has_its_roles_and_what_is_unknown_has_no_sample():
    members = (moment(START, pid=1, pool=5), moment(START, pid=2, pool=7, cache=1))
    text = gauges(SnapshotSet(taken_at=START, members=members), "tree:1", top=9)

    assert values(text, "vmdiff_role_bytes", role="server", counter="rss") == [13 * MIB]
    assert values(text, "vmdiff_owner_bytes", owner="pool", counter="rss", target="tree:1") == [12 * MIB]
    assert values(text, "vmdiff_processes") == [2]
    assert values(text, "vmdiff_process_bytes", counter="pss") == []


def test_hostile_names_are_labels_only():
    text = gauges(moment(START, **{HOSTILE: 5}), HOSTILE, top=3)

    assert len(values(text, "vmdiff_owner_bytes", counter="rss")) == 1
    assert len({sample.labels["target"] for sample in read(prometheus, text)}) == 1
    assert "\x1b" not in text
