"""Sums over a set: what is shared counts once, and every byte of PSS is in one process and one owner."""

from hypothesis import given
from hypothesis import strategies as st

from tests.sets.made import MIB, made, member, stated
from vmdiff.answer.of_set import answer_of_set, answer_of_sets
from vmdiff.sets.set_comparison import Became, compare_sets
from vmdiff.sets.set_totals import by_role, grouped, shared_objects, total

sizes = st.integers(0, 1 << 30).map(lambda pages: pages // 4096 * 4096)
pages = st.integers(0, 200).flatmap(lambda resident: st.tuples(st.just(resident), st.integers(0, resident)))
splits = st.lists(pages, max_size=4)
roles = st.sampled_from(["server", "worker", "logger"])


@st.composite
def sets(draw: st.DrawFn):
    sharers = draw(st.integers(1, 5))
    shared = draw(sizes)
    members = [
        member(pid, draw(roles), heap=draw(sizes), shared=shared, sharers=sharers, split=draw(splits))
        for pid in range(1, 1 + sharers)
    ]
    return made(*(stated(one) if draw(st.booleans()) else one for one in members))


@given(sets())
def test_roles_and_groups_add_up_to_the_total(snapshots) -> None:
    whole = total(snapshots)
    assert sum(row.held.pss for row in by_role(snapshots)) == whole.pss
    assert sum(row.held.private for row in by_role(snapshots)) == whole.private
    for by in ("owner", "kind", "object"):
        rows = grouped(snapshots, by)
        assert sum(row.known for row in rows) == whole.pss
        assert sum(row.held.rss for row in rows) == whole.rss


@given(sets())
def test_what_is_known_of_an_owner_is_at_least_what_is_private_and_never_more_than_all(snapshots) -> None:
    rows = {row.name: row for row in grouped(snapshots, "owner")}
    for row in rows.values():
        if row.name == "(not split)":
            assert row.known <= row.held.pss  # the owners' private part of it is known
        elif row.held.pss is not None:
            assert row.known == row.held.pss
        else:
            assert row.held.private <= row.known <= row.held.rss
    assert sum(row.held.pss or 0 for row in rows.values()) == total(snapshots).pss


def test_an_owner_that_alone_shares_in_a_mapping_has_all_that_is_shared() -> None:
    rows = {row.name: row for row in grouped(made(member(1, split=[(10, 4), (3, 3)])), "owner")}
    assert (rows["owner 0"].held.pss, rows["owner 1"].held.pss) == (7 * 4096, 3 * 4096)
    assert "(not split)" not in rows
    rows = {row.name: row for row in grouped(made(member(1, split=[(10, 4), (3, 1)])), "owner")}
    assert [rows[name].known for name in ("owner 0", "owner 1", "(not split)")] == [4 * 4096, 4096, 4 * 4096]
    assert rows["owner 0"].held.pss is None


@given(sets(), sets())
def test_every_byte_of_a_change_is_in_one_process_and_one_owner(before, after) -> None:
    found = compare_sets(before, after)
    assert found.delta == total(after).pss - total(before).pss
    assert sum(pair.delta for pair in found.pairs) == found.delta
    for by in ("owner", "kind", "object"):
        assert sum(row.delta for row in found.moved(by)) == found.delta


@given(sets())
def test_a_set_does_not_differ_from_itself(snapshots) -> None:
    found = compare_sets(snapshots, snapshots)
    assert not found.differs
    assert {pair.became for pair in found.pairs} == {Became.SAME}


@given(sets(), sets())
def test_every_member_is_in_one_pair(before, after) -> None:
    pairs = compare_sets(before, after).pairs
    assert sorted(pair.before.process.pid for pair in pairs if pair.before) == [
        one.process.pid for one in before.members
    ]
    assert sorted(pair.after.process.pid for pair in pairs if pair.after) == [
        one.process.pid for one in after.members
    ]


def test_memory_behind_one_object_is_one_row_however_many_map_it() -> None:
    snapshots = made(*(member(pid, heap=MIB, shared=40 * MIB, sharers=4) for pid in range(1, 5)))
    (row,) = shared_objects(snapshots)
    assert (row.name, row.processes, row.size, row.held.pss) == ("/dev/zero", 4, 40 * MIB, 40 * MIB)
    assert total(snapshots).pss == 44 * MIB
    assert total(snapshots).rss == 164 * MIB
    sentence = answer_of_set(snapshots).sentence
    assert sentence == (
        "44.0 MiB in 4 processes (RSS adds up to 164 MiB): server (4) 44.0 MiB;"
        " /dev/zero 40.0 MiB shared by 4, counted once"
    )


def test_totals_are_compared_with_the_totals_of_the_other_side() -> None:
    """Smaps rounds the PSS of each mapping down, the kernel's total does not: that is no change."""
    one = member(1, shared=12288, sharers=3)
    by_totals = stated(one, above=1000)
    whole = one.model_copy(update={"rollup": by_totals.rollup})
    for before, after in ((by_totals, whole), (whole, by_totals), (by_totals, by_totals)):
        assert not compare_sets(made(before), made(after)).differs
    grown = compare_sets(
        made(whole), made(stated(member(1, heap=5 * MIB, shared=12288, sharers=3), above=1000))
    )
    assert [(row.name, row.delta) for row in grown.moved("owner")] == [("(not split)", 4 * MIB)]
    assert answer_of_sets(grown).sentence == "+4,096 KiB in all processes: server +4,096 KiB"


def test_one_process_that_does_not_know_its_pss_makes_the_sum_unknown() -> None:
    known = member(1)
    origin = known.origin.model_copy(update={"counters": ()})
    plain = tuple(mapping._replace(values={}) for mapping in known.mappings)
    blind = member(2).model_copy(update={"origin": origin, "mappings": plain})
    snapshots = made(known, blind)
    assert total(snapshots).pss is None
    assert "unknown" in answer_of_set(snapshots).sentence
    assert compare_sets(snapshots, snapshots).delta is None


def test_members_are_paired_by_identity_then_by_role_and_rank() -> None:
    before = made(
        member(1), member(2, "worker", heap=8 * MIB), member(3, "worker", heap=2 * MIB), member(9, "old")
    )
    after = made(
        member(1, heap=3 * MIB),
        member(12, "worker", heap=9 * MIB, start=5),
        member(13, "worker", heap=2 * MIB, start=6),
        member(14, "fresh", start=7),
    )
    found = compare_sets(before, after)
    became = {
        (pair.before and pair.before.process.pid, pair.after and pair.after.process.pid): pair.became
        for pair in found.pairs
    }
    assert became == {
        (1, 1): Became.SAME,
        (2, 12): Became.RESTARTED,
        (3, 13): Became.RESTARTED,
        (9, None): Became.ENDED,
        (None, 14): Became.NEW,
    }
    assert answer_of_sets(found).sentence == (
        "+3,072 KiB in all processes: malloc heap of server +2,048 KiB, malloc heap of fresh +1,024 KiB;"
        " processes: 1 new, 1 ended, 2 restarted"
    )


def test_a_number_that_is_given_anew_is_another_process() -> None:
    found = compare_sets(made(member(1, start=1)), made(member(1, start=2)))
    assert [pair.became for pair in found.pairs] == [Became.RESTARTED]
