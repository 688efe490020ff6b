"""When owners are kept, and when they are looked for again."""

import pytest

from tests.series.moments import START, moment
from vmdiff.model import Thread, Usage
from vmdiff.owners import Scene
from vmdiff.recording import kept_owners
from vmdiff.recording.kept_owners import Rest


def bare(snapshot):
    return snapshot.model_copy(update={"mappings": tuple(m._replace(owner=None) for m in snapshot.mappings)})


def with_threads(snapshot, *tids):
    threads = tuple(Thread(tid=tid) for tid in tids)
    return snapshot.model_copy(update={"process": snapshot.process.model_copy(update={"threads": threads})})


def test_nothing_that_changed_is_no_reason():
    before = moment(START, pool=5)

    assert list(kept_owners.reasons(before, bare(moment(START, pool=9)))) == []


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (moment(START, pool=5, other=5), "another layout"),
        (with_threads(moment(START, pool=5), 1, 2), "other threads"),
    ],
)
def test_what_changed_is_named(after, reason):
    assert list(kept_owners.reasons(with_threads(moment(START, pool=5), 1), bare(after)))[:1] == [reason]


def test_memory_without_owner_that_is_touched_is_looked_at():
    before = bare(moment(START, pool=0))

    assert list(kept_owners.reasons(before, bare(moment(START, pool=1)))) == [
        "memory touched for the first time"
    ]


class StillMemory:
    """Memory of which nothing can be read; its process was last seen doing *activity*."""

    denied = frozenset()

    def __init__(self, activity):
        self._activity = activity

    def activity(self):
        return self._activity

    def read(self, _address, _length):
        return None

    def read_many(self, addresses, _length):
        return [None] * len(addresses)

    def open_object(self, _mapping):
        return None

    def residency(self, _borders, *, exclusive=False):  # noqa: ARG002
        return None


USAGE = (Usage(owner="pool", source="drawn", certainty="certain", in_use=1, free=2),)


def looked_at(snapshot, activity=None):
    return Rest(Scene(snapshot.model_copy(update={"usage": USAGE})), activity)


def test_kept_owners_stand_beside_new_figures():
    after = bare(moment(START, pool=9))

    kept = kept_owners.kept(looked_at(moment(START, pool=5)), after, StillMemory(None))

    assert kept.scene.snapshot == moment(START, pool=9).model_copy(update={"usage": ()})


@pytest.mark.parametrize(
    ("before", "after", "pool", "usage", "remembered"),
    [
        pytest.param(1, 1, 5, USAGE, 1, id="nothing ran, nothing moved"),
        pytest.param(1, 1, 9, (), 1, id="pages came though nothing ran"),
        pytest.param(1, 2, 5, (), 2, id="it ran and is at rest again"),
        pytest.param(1, None, 5, (), None, id="it runs"),
        pytest.param(None, 1, 5, (), 1, id="it ran during the last look"),
        pytest.param(None, None, 5, (), None, id="whether it ran is unknown"),
    ],
)
def test_usage_is_kept_only_if_nothing_can_have_changed_it(before, after, pool, usage, remembered):
    last = looked_at(moment(START, pool=5), before)

    kept = kept_owners.kept(last, bare(moment(START, pool=pool)), StillMemory(after))

    assert (kept.scene.snapshot.usage, kept.activity) == (usage, remembered)


def test_memory_that_stays_and_loses_its_owner_is_noticed():
    before = moment(START, pool=5)

    assert kept_owners.loses_owners(before, bare(before))
    assert not kept_owners.loses_owners(before, moment(START, pool=9))
    assert not kept_owners.loses_owners(bare(before), bare(before))
    assert not kept_owners.loses_owners(before, moment(START))


def test_what_a_look_found_no_owner_for_is_not_looked_at_whenever_it_is_touched():
    before, after = bare(moment(START, pool=0)), bare(moment(START, pool=1))
    seen = kept_owners.touched_without_owner(after, after)

    assert list(kept_owners.reasons(before, after, seen)) == []


def test_memory_that_lost_its_owner_twice_has_the_one_before_as_likely():
    (mapping,) = kept_owners.carried(moment(START, pool=5), bare(moment(START, pool=9))).mappings

    assert (mapping.owner.name, mapping.owner.certainty, mapping.values["rss"]) == ("pool", "likely", 9 << 20)
    assert kept_owners.carried(moment(START, pool=5), moment(START, pool=9)) == moment(START, pool=9)
