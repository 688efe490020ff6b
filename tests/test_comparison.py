"""What changed has a name, and everything that changed adds up."""

import re
from typing import Any

import pytest
from hypothesis import given

from tests.draw import COUNTERS, PAGE, mappings, snapshot, space
from tests.spaces import snapshots
from vmdiff.comparison.change import MIRRORS, Change, ChangeName
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.model import Kind, Mapping, Owner, Part, Snapshot


def by_address(before: Snapshot, after: Snapshot) -> Comparison:
    return compare(before, after, match="address")


def names(before: Snapshot, after: Snapshot) -> list[str]:
    return [str(change.change) for change in by_address(before, after).changes]


def anonymous(start: int, pages: int, **fields: Any) -> Mapping:
    return Mapping(start * PAGE, (start + pages) * PAGE, fields.pop("perms", "rw-p"), **fields)


def file(start: int, pages: int, *, offset: int = 0, inode: str = "7", **fields: Any) -> Mapping:
    return Mapping(
        start * PAGE,
        (start + pages) * PAGE,
        "r--s",
        Kind.FILE,
        offset * PAGE,
        "08:01",
        inode,
        **({"path": "/data"} | fields),
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("aa", "aa", [], id="nothing"),
        pytest.param("....", ".aa.", ["new"], id="new"),
        pytest.param(".aa.", "....", ["removed"], id="removed"),
        pytest.param("aa..", "AA..", ["reprotected"], id="mprotect-of-all"),
        pytest.param("aa..", "aaa.", ["grown"], id="grown-upwards"),
        pytest.param(".aa.", "aaa.", ["grown"], id="grown-downwards"),
        pytest.param("aaaa", "aa..", ["shrunk"], id="shrunk"),
        pytest.param("aaa.", ".aaa", ["shifted"], id="shifted"),
        pytest.param("aaaa", "aAAa", ["split"], id="mprotect-in-the-middle"),
        pytest.param("aAAa", "aaaa", ["merged"], id="mprotect-undone"),
        pytest.param("aa.bb", "aaaaa", ["merged"], id="neighbours-joined"),
        pytest.param("aaAAAA", "aaaaAA", ["grown"], id="arena-commits-more"),
        pytest.param("aaaaAA", "aaAAAA", ["shrunk"], id="arena-gives-back"),
        pytest.param("aaAAAA", "abbbAA", ["grown"], id="arena-commits-more-with-another-flag"),
        pytest.param("aabb", "abbb", ["redrawn"], id="border-between-flags-moved"),
        pytest.param("11..", "22..", ["replaced"], id="other-file"),
        pytest.param("11..", "aa..", ["replaced"], id="address-reused"),
        pytest.param("aa....", "....aa", ["removed", "new"], id="mremap-cannot-be-proven"),
    ],
)
def test_changes_have_the_first_name_that_applies(before: str, after: str, expected: list[str]) -> None:
    assert names(space(before), space(after)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"rss": 1}, {"rss": 2}, "resident", id="rss"),
        pytest.param({"rss": 1}, {"rss": 1, "swap": 4}, "resident", id="swap"),
        pytest.param({"pss": 1}, {"pss": 2}, "recounted", id="a-neighbour-process-started"),
        pytest.param({}, {"pss": 0}, None, id="absent-is-zero"),
    ],
)
def test_counters_that_moved_name_the_change(
    old: dict[str, int], new: dict[str, int], expected: str | None
) -> None:
    found = names(snapshot(anonymous(1, 1, values=old)), snapshot(anonymous(1, 1, values=new)))

    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"flags": ("rd",)}, {"flags": ("rd", "wr")}, "relabelled", id="flags"),
        pytest.param({"flags": None}, {"flags": ("rd",)}, None, id="flags-not-read-before"),
        pytest.param({"path": "[anon:a]"}, {"path": "[anon:b]"}, "relabelled", id="prctl-name"),
        pytest.param({}, {"path": "[anon:mimalloc]"}, "relabelled", id="a-name-is-no-other-backing"),
    ],
)
def test_labels_that_changed_are_no_growth(
    old: dict[str, Any], new: dict[str, Any], expected: str | None
) -> None:
    found = names(snapshot(anonymous(1, 1, **old)), snapshot(anonymous(1, 1, **new)))

    assert found == ([expected] if expected else [])


def test_a_renamed_file_is_the_same_object() -> None:
    assert names(snapshot(file(1, 2)), snapshot(file(1, 2, path="/other"))) == ["relabelled"]


def test_another_offset_of_the_same_file_is_another_backing() -> None:
    assert names(snapshot(file(1, 2)), snapshot(file(1, 2, offset=5))) == ["replaced"]


def test_an_unlinked_file_is_relabelled() -> None:
    assert names(snapshot(file(1, 2)), snapshot(file(1, 2, deleted=True))) == ["relabelled"]


def test_the_same_stretch_of_a_file_elsewhere_has_moved() -> None:
    [change] = by_address(snapshot(file(1, 2)), snapshot(file(8, 2))).changes

    assert (change.change, change.delta["size"]) == (ChangeName.MOVED, 0)


def test_what_is_mapped_twice_cannot_have_moved() -> None:
    assert sorted(names(snapshot(file(1, 2)), snapshot(file(8, 2), file(12, 2)))) == ["new", "new", "removed"]


@pytest.mark.parametrize(
    ("before", "after", "end"), [("aa..", "aaa.", "end"), (".aa.", "aaa.", "start"), (".aa.", "aaaa", "both")]
)
def test_growth_says_which_end_moved(before: str, after: str, end: str) -> None:
    [change] = by_address(space(before), space(after)).changes

    assert change.moved_end == end


def test_a_stack_whose_thread_one_side_does_not_tell_may_be_the_same() -> None:
    likely = Owner("thread stack", "likely", "shape", "size")
    certain = Owner("thread stack", "certain", "record", "pthread", tid=9)
    before, after = snapshot(anonymous(1, 4, owner=likely)), snapshot(anonymous(1, 4, owner=certain))

    assert names(_with_owners(before), _with_owners(after)) == []  # to know more is no change


def test_a_stack_in_the_place_of_a_freed_block_is_replaced() -> None:
    block = Owner("malloc large block", "certain", "record", "chunk")
    stack = Owner("thread stack", "certain", "register", "sp", tid=9)
    before = snapshot(anonymous(1, 4, owner=block)).model_copy()
    after = snapshot(anonymous(2, 3, owner=stack))

    assert names(_with_owners(before), _with_owners(after)) == ["replaced"]


def _with_owners(taken: Snapshot) -> Snapshot:
    return taken.model_copy(update={"origin": taken.origin.model_copy(update={"owners": True})})


def test_a_heap_that_commits_more_grows_by_its_accessible_bytes() -> None:
    [change] = by_address(space("aaAAAA"), space("aaaaAA")).changes

    assert (change.delta["accessible"], change.delta["size"]) == (2 * PAGE, 0)


def test_what_one_side_does_not_know_is_unknown_and_not_zero() -> None:
    comparison = by_address(snapshot(*mappings("aa"), counters=("rss", "pss")), snapshot(counters=()))

    assert comparison.totals["rss"].after is None
    assert comparison.totals["rss"].delta is None
    assert comparison.changes[0].delta["rss"] is None
    assert comparison.changes[0].delta["size"] == -2 * PAGE


def test_a_cheap_snapshot_compares_by_what_both_know() -> None:
    cheap = [m._replace(values={}, flags=None) for m in mappings("aabb11")]

    assert names(space("aabb11"), snapshot(*cheap, counters=())) == []


def test_a_mapping_of_several_owners_is_cut_where_they_end() -> None:
    parts = (
        Part(0, PAGE, "malloc large block", "certain", "record", "", rss=PAGE, swap=0, private=PAGE),
        Part(PAGE, 3 * PAGE, "thread stack", "certain", "register", "", rss=0, swap=0, private=0),
    )
    values = {"rss": 2 * PAGE, "pss": 5, "private_dirty": 2 * PAGE}
    mixed = anonymous(0, 4, owner=Owner("mixed", parts=parts), values=values)
    counters = (*COUNTERS, "private_clean")
    found = by_address(snapshot(counters=counters), snapshot(mixed, counters=counters))
    groups = {group.name: group.totals for group in found.groups["owner"]}

    def after(counter: str) -> dict[str, int | None]:
        return {name: total[counter].after for name, total in groups.items()}

    owners = ("malloc large block", "thread stack", "(anonymous)", "(not split)")
    assert after("size") == dict(zip(owners, (PAGE, 2 * PAGE, PAGE, 0), strict=True))
    assert after("rss") == dict(zip(owners, (PAGE, 0, PAGE, 0), strict=True))
    assert after("private") == dict(zip(owners, (PAGE, 0, PAGE, 0), strict=True))
    assert after("private_dirty") == dict(zip(owners, (PAGE, 0, PAGE, 0), strict=True))
    assert after("pss") == dict(zip(owners, (None, 0, None, 5), strict=True))


@given(snapshots(unknowns=True))
def test_a_snapshot_does_not_differ_from_itself(taken: Snapshot) -> None:
    assert by_address(taken, taken).changes == ()


@given(snapshots(unknowns=True), snapshots(unknowns=True))
def test_the_comparison_the_other_way_round_is_the_mirror(before: Snapshot, after: Snapshot) -> None:
    there = by_address(before, after).changes
    back = by_address(after, before).changes

    assert sorted(map(_told, there)) == sorted(map(_told_backwards, back))


def _told(change: Change) -> tuple[Any, ...]:
    return (str(change.change), repr(change.before), repr(change.after), repr(dict(change.delta)))


def _told_backwards(change: Change) -> tuple[Any, ...]:
    delta = {name: None if value is None else -value for name, value in change.delta.items()}
    ordered = {name: delta[name] for name in change.delta}
    sides = _sides_swapped(repr(change.after)), _sides_swapped(repr(change.before))
    return (str(MIRRORS[change.change]), *sides, repr(ordered))


def _sides_swapped(text: str) -> str:
    """Say ``as before`` for ``as after``, which an owner's evidence does where the other side knows it."""
    swapped = {"as after": "as before", "as before": "as after"}
    return re.sub("as (?:after|before)", lambda found: swapped[found[0]], text)


@given(snapshots(unknowns=True), snapshots(unknowns=True))
def test_the_changes_add_up_to_the_totals(before: Snapshot, after: Snapshot) -> None:
    comparison = by_address(before, after)

    for name, total in comparison.totals.items():
        deltas = [change.delta[name] for change in comparison.changes]
        if total.delta is None:
            assert set(deltas) <= {None}
        else:
            assert sum(d for d in deltas if d is not None) == total.delta
            assert None not in deltas
            assert total.delta == _sum(after, name) - _sum(before, name)


def _sum(taken: Snapshot, name: str) -> int:
    return sum(taken.value(mapping, name) or 0 for mapping in taken.mappings)


@given(snapshots(unknowns=True), snapshots(unknowns=True))
def test_every_column_of_groups_adds_up_to_the_totals(before: Snapshot, after: Snapshot) -> None:
    comparison = by_address(before, after)

    for by, groups in comparison.groups.items():
        for name, total in comparison.totals.items():
            for side in ("before", "after", "delta"):
                column = [getattr(group.totals[name], side) for group in groups]
                expected = getattr(total, side)
                if expected is None:
                    assert set(column) <= {None}
                else:  # what is unknown of single owners is known of all of them
                    assert sum(v or 0 for v in column) == expected
                    assert by == "owner" or None not in column


@given(snapshots(), snapshots())
def test_every_mapping_lies_in_exactly_one_region(before: Snapshot, after: Snapshot) -> None:
    comparison = by_address(before, after)
    regions = [*comparison.changes, *comparison.same]

    assert sorted(m.start or 0 for r in regions for m in r.before) == [m.start for m in before.mappings]
    assert sorted(m.start or 0 for r in regions for m in r.after) == [m.start for m in after.mappings]


def test_every_name_has_a_mirror_that_leads_back() -> None:
    assert {name: MIRRORS[MIRRORS[name]] for name in ChangeName} == {name: name for name in ChangeName}
