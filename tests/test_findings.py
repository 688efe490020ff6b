"""A finding is there where the figures show it, and nowhere else."""

import pytest

from tests.render.worlds import KIB, MIB, compare, mapping, snapshot
from vmdiff.findings import COMPARISON_RULES, find, find_in
from vmdiff.model import Origin

BASE = mapping(1, 4, "r-xp", "/bin/x", rss=4 * KIB)


def ids(before, after):
    return [finding.id for finding in find(compare(snapshot(BASE, *before), snapshot(BASE, *after)))]


def heap(size, rss):
    return mapping(0x100, size // 4096, "rw-p", "[heap]", rss=rss, private_dirty=rss)


def file(size, rss, **values):
    return mapping(0x100000, size // 4096, "r--s", "/data/big", rss=rss, private_clean=rss, **values)


def reserved(size):
    return mapping(0x8000000, size // 4096, "---p")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([heap(MIB, MIB)], [heap(64 * MIB, 64 * MIB)], ["heap-growth"], id="the-heap-grew"),
        pytest.param([heap(MIB, MIB)], [heap(64 * MIB, MIB)], [], id="the-heap-grew-untouched"),
        pytest.param([heap(64 * MIB, 64 * MIB)], [heap(MIB, MIB)], [], id="the-heap-shrank"),
        pytest.param([], [file(64 * MIB, 4 * KIB)], ["lazily-read-file"], id="a-file-mapped"),
        pytest.param(
            [file(64 * MIB, 0)], [file(64 * MIB, 64 * MIB)], ["file-backed-growth"], id="a-file-read"
        ),
        pytest.param(
            [file(64 * MIB, 0)],
            [file(64 * MIB, 0)._replace(values={"rss": 64 * MIB, "private_dirty": 64 * MIB})],
            [],
            id="a-file-written",
        ),
        pytest.param([], [file(64 * MIB, 64 * MIB)], ["file-backed-growth"], id="a-file-mapped-and-read"),
        pytest.param([], [reserved(1 << 30)], ["reservation"], id="a-reservation"),
        pytest.param([], [mapping(0x8000000, 1 << 18)], [], id="usable-and-untouched"),
        pytest.param([reserved(1 << 30)], [], [], id="a-reservation-gone"),
    ],
)
def test_a_finding_appears_where_it_holds(before, after, expected):
    assert ids(before, after) == expected


def test_what_was_not_measured_on_one_side_is_said_first():
    blind = snapshot(BASE).model_copy(update={"origin": Origin(source="maps")})
    findings = find(compare(blind, snapshot(BASE)))

    assert [(finding.id, finding.severity) for finding in findings] == [("different-counters", "warning")]
    assert (
        findings[0].message
        == "only “after” measured private_clean, private_dirty, pss and 2 more: what changed in them is unknown"
    )


def test_a_layout_that_moved_is_a_warning_and_a_doubt_is_not():
    def taken(**origin):
        return snapshot(BASE).model_copy(update={"origin": Origin(source="x", **origin)})

    moved, doubtful = taken(consistent=False, doubts=("it moved",)), taken(doubts=("one", "two"))
    assert [(f.id, f.severity, f.evidence) for f in find_in(moved)] == [
        ("inconsistent-snapshot", "warning", ("it moved",))
    ]
    assert [(f.id, f.message) for f in find_in(doubtful)] == [("doubts", "one (and 1 more)")]
    assert [f.message.split(":")[0] for f in find(compare(moved, doubtful))] == ["before", "after"]


def test_the_registry_names_every_rule_once():
    assert len(set(COMPARISON_RULES)) == len(COMPARISON_RULES)
