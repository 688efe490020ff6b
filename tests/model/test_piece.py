"""A mapping of several owners is cut into pieces, whose counters add up to its own."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff.model import AddressRange, Kind, Mapping, Origin, Owner, Part, Snapshot, Unclaimed
from vmdiff.model.memory_figures import FIGURE_NAMES, figure, figure_of_two
from vmdiff.model.piece import NOT_SPLIT, Piece, pieces

COUNTERS = ("rss", "pss", "private_clean", "private_dirty", "anonymous", "swap", "swap_pss", "next_years")
HUGETLB = ("private_hugetlb", "shared_hugetlb")
SIZE = 8 * PAGE


def cut(
    values: dict[str, int], *parts: Part, rest: tuple[Unclaimed, ...] = (), more: tuple[str, ...] = ()
) -> list[Piece]:
    owner = Owner("mixed", parts=parts, rest=rest)
    mapping = Mapping(0, SIZE, "rw-p", Kind.ANONYMOUS, owner=owner, values=values)
    origin = Origin(source="test", counters=(*COUNTERS, *more), owners=True)
    return list(pieces(Snapshot(origin=origin, mappings=(mapping,))))


def part(low: int, high: int, name: str = "a", **counted: int) -> Part:
    return Part(low * PAGE, high * PAGE, name, "certain", "record", "", **counted)


def column(found: list[Piece], counter: str) -> list[int | None]:
    return [piece.counts[counter] for piece in found]


def test_what_no_part_claims_is_what_is_left() -> None:
    found = cut({"rss": 5 * PAGE}, part(1, 2, rss=PAGE, swap=0), part(4, 6, rss=0, swap=0))

    assert [piece.group for piece in found] == ["(anonymous)", "a", "a"]
    assert column(found, "rss") == [4 * PAGE, PAGE, 0]
    assert found[0].ranges == tuple(AddressRange(a * PAGE, b * PAGE) for a, b in ((0, 1), (2, 4), (6, 8)))


def test_stretches_that_were_counted_stand_alone() -> None:
    rest = (Unclaimed(0, PAGE, PAGE, 0, PAGE), Unclaimed(2 * PAGE, SIZE, 3 * PAGE, 0, 0))
    found = cut({"rss": 5 * PAGE}, part(1, 2, rss=PAGE, swap=0), rest=rest)

    assert column(found, "rss") == [PAGE, PAGE, 3 * PAGE]


@pytest.mark.parametrize(
    ("values", "parts", "expected"),
    [
        pytest.param({}, [part(0, 4), part(4, 8)], [0, 0], id="nothing is resident"),
        pytest.param({"rss": SIZE}, [part(0, 3), part(3, 8)], [3 * PAGE, 5 * PAGE], id="all is resident"),
        pytest.param({"rss": 2 * PAGE}, [part(0, 4), part(4, 8)], [None, None], id="nobody counted"),
        pytest.param({"rss": 2 * PAGE}, [part(0, 4, rss=PAGE), part(4, 8)], [PAGE, PAGE], id="one is left"),
        pytest.param(
            {"rss": 2 * PAGE}, [part(0, 4, rss=PAGE), part(4, 8, rss=0)], [None, None], id="too few"
        ),
        pytest.param({"rss": PAGE}, [part(0, 4, rss=2 * PAGE), part(4, 8)], [None, None], id="too many"),
    ],
)
def test_resident_bytes_are_exact_or_unknown(
    values: dict[str, int], parts: list[Part], expected: list[int | None]
) -> None:
    assert column(cut(values, *parts), "rss") == expected


def test_counters_of_resident_pages_follow_from_them_where_that_is_certain() -> None:
    parts = part(0, 4, rss=2 * PAGE, swap=PAGE, private=0), part(4, 8, rss=PAGE, swap=0, private=PAGE)
    values = {
        "rss": 3 * PAGE,
        "swap": PAGE,
        "pss": 2 * PAGE,
        "anonymous": 3 * PAGE,
        "private_dirty": PAGE,
        "swap_pss": PAGE // 2,
        "next_years": 7,
    }
    found = cut(values, *parts)

    assert column(found, "anonymous") == [2 * PAGE, PAGE]  # all that is resident
    assert column(found, "private") == column(found, "private_dirty") == [0, PAGE]
    assert column(found, "swap_pss") == [PAGE // 2, 0]  # only one has swapped pages
    assert column(found, "pss") == [PAGE, PAGE]  # what is private counts in full, so the first has the rest
    assert column(found, "next_years") == [None, None]  # nobody knows what it counts
    both = part(0, 4, rss=2 * PAGE, private=0), part(4, 8, rss=2 * PAGE, private=PAGE)
    unsure = {"rss": 4 * PAGE, "pss": 2 * PAGE, "private_dirty": PAGE}
    assert column(cut(unsure, *both), "pss") == [None, None]  # shared pages of both, some by more processes


def test_a_counter_that_contradicts_what_is_resident_is_split_among_nobody() -> None:
    """A document may say that 4 KiB are private and none are resident; no kernel does."""
    found = cut({"private_dirty": PAGE, "private_clean": PAGE}, part(0, 4))

    assert set(column(found, "private_dirty")) == {None}


def test_memory_whose_owners_have_no_bounds_is_not_split() -> None:
    assert [piece.group for piece in cut({"rss": PAGE})] == [NOT_SPLIT]


_pages = st.integers(min_value=0, max_value=8)


@given(
    st.sets(st.integers(min_value=1, max_value=7), min_size=1, max_size=4),
    st.fixed_dictionaries(dict.fromkeys(("private_dirty", *HUGETLB), _pages)),
    st.booleans(),
)
def test_figures_of_pieces_add_up_or_are_unknown(
    borders: set[int], pages: dict[str, int], known: bool
) -> None:
    """Pages of hugetlbfs that cannot be split are not nothing."""
    edges = [0, *sorted(borders), 8]
    values = {"rss": pages["private_dirty"] * PAGE} | {name: n * PAGE for name, n in pages.items()}
    counted = {"rss": 0, "swap": 0, "private": 0} if known and not pages["private_dirty"] else {}
    parts = [part(low, high, f"o{low}", **counted) for low, high in pairwise(edges)]
    found = cut(values, *parts, more=HUGETLB)
    whole = {name: values.get(name, 0) for name in (*COUNTERS, *HUGETLB)}

    for name in FIGURE_NAMES:
        figures = [figure(piece.counts, name) for piece in found]
        assert None in figures or sum(figures) == (SIZE if name == "virtual" else figure(whole, name))


def test_huge_pages_are_split_where_every_one_is_there() -> None:
    found = cut({"private_hugetlb": SIZE}, part(0, 2), part(2, 8, "b"), more=HUGETLB)

    assert [figure(piece.counts, "resident") for piece in found] == [2 * PAGE, 6 * PAGE]


def test_who_does_not_report_huge_pages_has_none_and_who_could_not_split_them_does_not_know() -> None:
    assert (
        figure({"rss": 5}, "resident") == figure_of_two({"rss": 5, "shared_hugetlb": None}, "resident") == 5
    )
    assert figure({"rss": 5, "shared_hugetlb": None}, "resident") is None
