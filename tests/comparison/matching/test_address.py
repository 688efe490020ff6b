"""Two address spaces are cut into regions, and nothing is lost on the way."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draw import mappings
from vmdiff.comparison.matching import Region
from vmdiff.comparison.matching.by_address import regions
from vmdiff.model import Mapping

drawings = st.text(alphabet="abA1.", max_size=16)


def shapes(before: str, after: str) -> list[tuple[int, int]]:
    return [(len(r.before), len(r.after)) for r in regions(mappings(before), mappings(after))]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("aa..", "aa..", [(1, 1)], id="untouched"),
        pytest.param("aa..", "aaa.", [(1, 1)], id="grown-upwards"),
        pytest.param(".aa.", "aaa.", [(1, 1)], id="grown-downwards"),
        pytest.param("....", "..b.", [(0, 1)], id="new"),
        pytest.param("..b.", "....", [(1, 0)], id="gone"),
        pytest.param("aaaa", "abaa", [(1, 3)], id="mprotect-in-the-middle"),
        pytest.param("aabb", "aaaa", [(2, 1)], id="joined-by-the-kernel"),
        pytest.param("aab.", "abb.", [(2, 2)], id="border-moved"),
        pytest.param("aa..", "..bb", [(1, 0), (0, 1)], id="touching-is-not-sharing"),
    ],
)
def test_a_region_is_what_became_of_what(before: str, after: str, expected: list[tuple[int, int]]) -> None:
    assert shapes(before, after) == expected


@given(drawings, drawings)
def test_every_mapping_lands_in_exactly_one_region(before: str, after: str) -> None:
    found = regions(mappings(before), mappings(after))

    assert tuple(m for r in found for m in r.before) == mappings(before)
    assert tuple(m for r in found for m in r.after) == mappings(after)


@given(drawings, drawings)
def test_regions_are_ordered_and_share_no_address(before: str, after: str) -> None:
    found = [(*r.before, *r.after) for r in regions(mappings(before), mappings(after))]

    for below, above in pairwise(found):
        assert max(m.end for m in below) <= min(m.start for m in above)


@given(drawings, drawings)
def test_swapping_the_snapshots_swaps_the_sides(before: str, after: str) -> None:
    mirrored = [Region(r.after, r.before) for r in regions(mappings(after), mappings(before))]

    assert regions(mappings(before), mappings(after)) == mirrored


@given(drawings, drawings)
def test_the_sweep_finds_what_brute_force_finds(before: str, after: str) -> None:
    found = regions(mappings(before), mappings(after))

    assert {bounds(r.before + r.after) for r in found} == by_brute_force(before, after)


def bounds(group: tuple[Mapping, ...]) -> frozenset[tuple[int | None, int | None]]:
    return frozenset((mapping.start, mapping.end) for mapping in group)


def by_brute_force(before: str, after: str) -> set[frozenset[tuple[int | None, int | None]]]:
    """Let every range join the groups that it overlaps, one range after the other."""
    groups: list[set[tuple[int, int]]] = []
    for start, end in bounds(mappings(before) + mappings(after)):
        touched = [g for g in groups if any(start < high and low < end for low, high in g)]
        groups = [g for g in groups if g not in touched] + [{(start, end)}.union(*touched)]
    return {frozenset(group) for group in groups}
