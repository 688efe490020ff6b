"""Mappings of several owners are paired piece by piece: what the kernel merged differently is no change."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff import compare
from vmdiff.comparison.pieces import cut_where_owners_end
from vmdiff.model import MIXED, Kind, Mapping, Origin, Owner, Part, Snapshot, Unclaimed

COUNTERS = ("rss", "private_dirty", "swap")
BLOCK, ARENA, NOBODY = "malloc large block", "python arena", None
Owned = tuple[str | None, int]  # whose memory, and how many pages of 64 KiB


def mapping(start: int, *owned: Owned, counted: bool = True) -> Mapping:
    """Draw one mapping in which these owners' memory lies side by side, half of each resident."""
    parts: list[Part] = []
    rest: list[Unclaimed] = []
    at = start
    for name, pages in owned:
        figures: dict[str, Any] = {"rss": pages * PAGE, "swap": 0, "private": pages * PAGE} if counted else {}
        end = at + pages * 16 * PAGE
        if name is None:
            rest.append(Unclaimed(at, end, **figures))
        else:
            parts.append(Part(at, end, name, "certain", "record", "seen", **figures))
        at = end
    held = sum(pages for _, pages in owned) * PAGE
    owner: Owner | None = None
    if len(owned) == 1 and parts:
        owner = parts[0].owner
    elif parts:
        owner = Owner(MIXED, parts=tuple(parts), rest=tuple(rest) if counted else ())
    values = {"rss": held, "private_dirty": held}
    return Mapping(start, at, "rw-p", Kind.ANONYMOUS, owner=owner, values=values)


def run(*drawn: list[Owned], place: int = 1 << 30, counted: bool = True) -> Snapshot:
    """Lay mappings out, none touching the next, at addresses of this run's own."""
    mappings = []
    for owned in drawn:
        mappings.append(mapping(place, *owned, counted=counted))
        place = (mappings[-1].end or 0) + PAGE
    origin = Origin(source="linux-proc", counters=COUNTERS, owners=True)
    return Snapshot(origin=origin, mappings=tuple(mappings))


def resized(before: Snapshot, after: Snapshot) -> list[tuple[str, str | None, int]]:
    return [
        (str(change.change), change.owner.name if change.owner else None, (change.delta["size"] or 0) >> 16)
        for change in compare(before, after, match="structure").changes
        if change.delta["size"]
    ]


def test_only_the_block_that_is_new_is_a_row_wherever_the_kernel_merged_the_others() -> None:
    before = run([(BLOCK, 5), (ARENA, 16)], [(ARENA, 32), (NOBODY, 3)])
    after = run([(NOBODY, 3), (BLOCK, 5)], [(BLOCK, 40), (ARENA, 32)], [(ARENA, 16)], place=1 << 40)

    assert resized(before, after) == [("new", BLOCK, 40)]
    assert resized(after, before) == [("removed", BLOCK, -40)]


def test_memory_without_owner_that_is_new_is_a_row_of_its_own() -> None:
    before = run([(ARENA, 32)], [(BLOCK, 5)])
    after = run([(ARENA, 32), (NOBODY, 40)], [(BLOCK, 5)], place=1 << 40)

    assert resized(before, after) == [("new", None, 40)]


def test_a_mapping_whose_pages_nobody_counted_stays_whole() -> None:
    taken = run([(BLOCK, 5), (ARENA, 16)], counted=False)

    assert cut_where_owners_end(taken, taken)[0] is taken


def test_nothing_is_cut_where_one_side_does_not_know_owners() -> None:
    taken = run([(BLOCK, 5), (ARENA, 16)])
    unknown = taken.model_copy(
        update={"origin": Origin(source="linux-proc", counters=COUNTERS, owners=False)}
    )

    assert cut_where_owners_end(taken, unknown) == (taken, unknown)


def test_what_lies_in_an_arena_of_malloc_stays_the_arenas() -> None:
    taken = run([("malloc arena", 1), ("loader", 1), ("malloc arena", 3)])

    assert cut_where_owners_end(taken, taken)[0] is taken


owned = st.tuples(st.sampled_from([BLOCK, ARENA, NOBODY]), st.integers(1, 20))


def alternating(drawn: list[Owned]) -> list[Owned]:
    """Leave out what has the same owner as its neighbour, with which it would be one."""
    return [one for at, one in enumerate(drawn) if at == 0 or one[0] != drawn[at - 1][0]]


runs = st.lists(st.lists(owned, min_size=1, max_size=5).map(alternating), max_size=5)


@pytest.mark.parametrize("counted", [True, False])
@given(before=runs, after=runs)
def test_rows_of_pieces_add_up_to_the_totals(
    before: list[list[Owned]], after: list[list[Owned]], *, counted: bool
) -> None:
    found = compare(
        run(*before, counted=counted), run(*after, place=1 << 40, counted=counted), match="structure"
    )

    for name, total in found.totals.items():
        assert sum(change.delta[name] or 0 for change in found.changes) == total.delta


@given(before=runs, after=runs)
def test_what_was_joined_by_size_has_as_much_of_each_owner_on_both_sides(
    before: list[list[Owned]], after: list[list[Owned]]
) -> None:
    for change in compare(run(*before), run(*after, place=1 << 40), match="structure").changes:
        sides = [Counter[str | None](), Counter[str | None]()]
        for side, mappings in zip(sides, (change.before, change.after), strict=True):
            for one in mappings:
                side[one.owner.name if one.owner else None] += one.size or 0
        assert sides[0] == sides[1] or len({*sides[0], *sides[1]}) == 1
