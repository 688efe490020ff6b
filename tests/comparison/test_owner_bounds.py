"""Where pages were not counted, an owner still has no more than its pieces hold, and no less than is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff.comparison.owner_bounds import OwnerBounds, owner_bounds, proven_moves
from vmdiff.comparison.tally import Grouping, tallied
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Snapshot
from vmdiff.model.piece import NOT_SPLIT


def holding(rss: int, *pieces: tuple[str, int, int | None]) -> Snapshot:
    """Return a snapshot of one mapping with *rss* pages, cut into pieces: name, pages, what was counted."""
    parts, at = [], 0
    for name, pages, counted in pieces:
        low, at = at, at + pages
        held = None if counted is None else counted * PAGE
        parts.append(Part(low * PAGE, at * PAGE, name, "certain", "record", "", rss=held))
    owner = Owner("mixed", parts=tuple(parts))
    mapping = Mapping(0, at * PAGE, "rw-p", Kind.ANONYMOUS, owner=owner, values={"rss": rss * PAGE})
    return Snapshot(origin=Origin(source="test", counters=("rss",), owners=True), mappings=(mapping,))


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        pytest.param(holding(50, ("a", 99, None), ("b", 1, None)), {"a": (49, 50), "b": (0, 1)}, id="bounded"),
        pytest.param(holding(50, ("a", 99, 49), ("b", 1, None)), {"a": (49, 49), "b": (1, 1)}, id="one-is-left"),
        pytest.param(holding(9, ("a", 5, None), ("b", 5, None)), {"a": (4, 5), "b": (4, 5)}, id="nearly-full"),
        pytest.param(holding(5, ("a", 9, None), ("a", 9, None)), {"a": (5, 5)}, id="of-one-owner"),
    ],
)  # fmt: skip
def test_bounds_follow_from_the_room_of_the_others(taken: Snapshot, expected: dict) -> None:
    found = owner_bounds(taken, "rss")

    assert found == {name: OwnerBounds(low * PAGE, high * PAGE) for name, (low, high) in expected.items()}


PIECES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.booleans()), min_size=1, max_size=6)


@st.composite
def truths(draw: st.DrawFn) -> tuple[Snapshot, dict[str, int]]:
    """Draw a mapping of which some pieces were counted, and what each owner really has."""
    pieces = draw(PIECES)
    held = [draw(st.integers(0, pages)) for _, pages, _ in pieces]
    cut = [
        (name, pages, pages_held if counted else None)
        for (name, pages, counted), pages_held in zip(pieces, held, strict=True)
    ]
    truth: dict[str, int] = {}
    for (name, _, _), pages in zip(pieces, held, strict=True):
        truth[name] = truth.get(name, 0) + pages * PAGE
    return holding(sum(held), *cut), truth


@given(truths())
def test_the_truth_lies_within_the_bounds(drawn: tuple[Snapshot, dict[str, int]]) -> None:
    taken, truth = drawn

    for name, (least, most) in owner_bounds(taken, "rss").items():
        assert least <= truth[name] <= most


@given(truths())
def test_what_groups_say_lies_within_the_bounds_too(drawn: tuple[Snapshot, dict[str, int]]) -> None:
    taken, truth = drawn
    groups = tallied(taken).by(Grouping.OWNER)

    for name, held in truth.items():
        assert groups[name]["rss"] in {None, held}
    assert sum(sums["rss"] or 0 for sums in groups.values()) == taken.total("rss")


def test_what_cannot_be_split_between_pieces_of_one_owner_is_its_own() -> None:
    groups = tallied(holding(5, ("a", 9, None), ("a", 9, None), ("b", 9, 0))).by(Grouping.OWNER)

    assert groups["a"]["rss"] == 5 * PAGE
    assert NOT_SPLIT not in groups


@given(truths(), truths())
def test_a_move_is_proven_only_if_it_happened(
    before: tuple[Snapshot, dict[str, int]], after: tuple[Snapshot, dict[str, int]]
) -> None:
    for name, least in proven_moves(before[0], after[0], "rss").items():
        moved = after[1].get(name, 0) - before[1].get(name, 0)
        assert moved >= least > 0 or moved <= least < 0
