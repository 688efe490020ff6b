"""What differs between the facts of two processes: deepdiff says the same of every nested value."""

from typing import Any

from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.comparison.differing_facts import differences
from vmdiff.model import Origin, Process, Snapshot, Thread

names = st.sampled_from(["a", "b.c", "d", "8"])
limits = st.none() | st.dictionaries(names, st.sampled_from([0, 1, 4096, "unlimited"]))
threads = st.none() | st.dictionaries(st.integers(1, 4), st.none() | names)
arguments = st.none() | st.lists(names, max_size=4)
tags = st.dictionaries(names, names)
facts = st.fixed_dictionaries(
    {
        "limits": limits,
        "threads": threads,
        "arguments": arguments,
        "tags": tags,
        "minor_faults": st.integers(0, 3),
    }
)


def snapshot_of(facts: dict[str, Any]) -> Snapshot:
    listed = facts["threads"] and tuple(Thread(tid=tid, name=name) for tid, name in facts["threads"].items())
    process = Process(
        limits=facts["limits"],
        threads=() if facts["threads"] == {} else listed,
        arguments=None if facts["arguments"] is None else tuple(facts["arguments"]),
        minor_faults=facts["minor_faults"],
    )
    return Snapshot(origin=Origin(source="test"), process=process, tags=facts["tags"])


@given(facts, facts)
def test_every_fact_that_differs_is_named_as_deepdiff_names_it(
    was: dict[str, Any], is_: dict[str, Any]
) -> None:
    expected = []
    tree = DeepDiff(was, is_, view="tree", verbose_level=2, threshold_to_diff_deeper=0)
    for level in (level for levels in tree.values() for level in levels):
        path = ".".join(map(str, level.path(output_format="list")))
        sides = [None if type(side).__name__ == "NotPresent" else side for side in (level.t1, level.t2)]
        expected.append((path, *sides))

    assert sorted(differences(snapshot_of(was), snapshot_of(is_)), key=repr) == sorted(expected, key=repr)


def test_a_thread_without_a_name_is_news() -> None:
    was, is_ = Process(threads=()), Process(threads=(Thread(tid=7),))
    before, after = (Snapshot(origin=Origin(source="test"), process=process) for process in (was, is_))

    assert differences(before, after) == (("threads.7", None, None),)
