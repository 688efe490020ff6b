"""Knowing more is not a change: owners that only one side knows are the other side's, too."""

from tests.draw import PAGE
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Process, Snapshot, Thread, Unclaimed

ARENA = Owner("malloc arena", "certain", "record", "heap_info", "arena 1")
STACK = Owner("thread stack", "certain", "register", "its stack pointer", tid=7)


def taken(*mappings: Mapping, owners: bool = True, threads: tuple[int, ...] = (1, 7)) -> Snapshot:
    return Snapshot(
        origin=Origin(source="test", counters=("rss", "swap"), owners=owners),
        process=Process(threads=tuple(Thread(tid=tid) for tid in threads)),
        mappings=mappings,
    )


def memory(low: int, high: int, owner: Owner | None = None, rss: int = 0) -> Mapping:
    values = {"rss": rss * PAGE} if rss else {}
    return Mapping(low * PAGE, high * PAGE, "rw-p", Kind.ANONYMOUS, owner=owner, values=values)


def part(low: int, high: int, owner: Owner, rss: int | None) -> Part:
    counted = None if rss is None else rss * PAGE
    told = (owner.name, owner.certainty or "likely", owner.basis or "shape", owner.evidence)
    return Part(low * PAGE, high * PAGE, *told, owner.label, owner.tid, counted, 0)


def mixed(*parts: Part, rest: tuple[tuple[int, int, int], ...] = ()) -> Owner:
    unclaimed = tuple(Unclaimed(low * PAGE, high * PAGE, rss * PAGE, 0) for low, high, rss in rest)
    return Owner("mixed", parts=parts, rest=unclaimed)


def between(before: Snapshot, after: Snapshot) -> Comparison:
    there, back = compare(before, after, match="address"), compare(after, before, match="address")
    assert moved(there) == {name: delta and -delta for name, delta in moved(back).items()}
    return there


def moved(found: Comparison) -> dict[str, int | None]:
    groups = ((group.name, group.totals["rss"].delta) for group in found.grouped("owner"))
    return {name: delta and delta // PAGE for name, delta in groups if delta != 0}


def test_an_owner_that_one_side_knows_is_no_change() -> None:
    found = between(taken(memory(0, 8, STACK, rss=3)), taken(memory(0, 8, rss=3)))

    assert not found.differs
    assert moved(found) == {}
    assert found.after.mappings[0].owner == Owner(
        "thread stack", "certain", "register", "as before: its stack pointer", tid=7
    )


def test_to_be_surer_is_no_change() -> None:
    likely = Owner("thread stack", "likely", "shape", "above a guard page")

    assert not between(taken(memory(0, 8, likely)), taken(memory(0, 8, STACK))).differs
    assert between(taken(memory(0, 8, ARENA)), taken(memory(0, 8, STACK))).differs


def test_the_stack_of_a_thread_that_ended_is_its_stack_no_more() -> None:
    found = between(taken(memory(0, 8, STACK, rss=3)), taken(memory(0, 8, rss=3), threads=(1,)))

    assert moved(found) == {"thread stack": -3, "(anonymous)": 3}


def test_neighbours_that_the_kernel_merged_keep_their_owners() -> None:
    apart = taken(memory(0, 4, ARENA, rss=4), memory(4, 8, STACK, rss=1), memory(8, 16, rss=5))
    parts = part(0, 4, ARENA, rss=4), part(4, 8, STACK, rss=1)
    together = taken(memory(0, 16, mixed(*parts, rest=((8, 16, 5),)), rss=10))

    assert moved(between(apart, together)) == {}


def test_a_stretch_that_nobody_claims_is_the_owners_that_the_other_side_knows() -> None:
    one = mixed(part(0, 4, ARENA, rss=4), part(6, 8, STACK, rss=1), rest=((4, 6, 0), (8, 16, 5)))
    other = mixed(part(0, 4, ARENA, rss=4), part(8, 16, ARENA, rss=5), rest=((4, 6, 0), (6, 8, 1)))
    found = between(taken(memory(0, 16, one, rss=10)), taken(memory(0, 16, other, rss=10)))

    assert moved(found) == {}
    assert not found.differs


def test_owners_of_a_mapping_that_nobody_counted_are_unknown_and_add_up() -> None:
    known = mixed(part(0, 4, ARENA, rss=4), part(4, 8, STACK, rss=1), rest=((8, 16, 5),))
    found = between(taken(memory(0, 16, known, rss=10)), taken(memory(0, 16, rss=10)))
    groups = {group.name: group.totals["rss"] for group in found.grouped("owner")}

    assert groups["malloc arena"].delta is groups["thread stack"].delta is None
    assert groups["(not split)"] == (10 * PAGE, 10 * PAGE)


def test_owners_that_were_looked_for_on_one_side_only_are_unknown_on_the_other() -> None:
    found = between(taken(memory(0, 8, STACK, rss=3)), taken(memory(0, 8, rss=3), owners=False))
    groups = {group.name: group.totals["rss"] for group in found.grouped("owner")}

    assert groups == {"(not split)": (None, 3 * PAGE), "thread stack": (3 * PAGE, None)}


def test_what_both_sides_have_keeps_its_owner_where_its_neighbour_has_none() -> None:
    apart, merged = taken(memory(0, 4, rss=4), memory(4, 8, ARENA, rss=4)), taken(memory(0, 8, rss=8))

    found = between(apart, merged)

    assert moved(found) == {}
    owner = found.after.mappings[0].owner
    assert owner
    assert [(one.range, one.evidence) for one in owner.parts] == [
        ((4 * PAGE, 8 * PAGE), "as before: heap_info")
    ]


def test_memory_that_is_new_in_part_may_be_new_throughout() -> None:
    freed, reused = taken(memory(4, 8, ARENA, rss=4)), taken(memory(0, 8, rss=8))

    assert moved(between(freed, reused)) == {"malloc arena": -4, "(anonymous)": 8}


def test_a_part_of_where_a_stack_lay_is_something_else() -> None:
    before = taken(memory(0, 4, rss=4), memory(4, 8, STACK, rss=4))

    assert between(before, taken(memory(0, 6, rss=6))).after.mappings[0].owner is None
