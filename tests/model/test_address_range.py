"""What lies at an address, held against looking at everything."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vmdiff.model import AddressIndex, AddressRange


@st.composite
def disjoint(draw: st.DrawFn) -> list[AddressRange]:
    borders = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    ranges = [AddressRange(low, high) for low, high in pairwise(borders)]
    return [one for one in ranges if draw(st.booleans())]


@given(disjoint(), st.integers(-1, 61), st.integers(0, 20))
def test_the_index_finds_what_a_search_through_all_finds(
    ranges: list[AddressRange], start: int, size: int
) -> None:
    index = AddressIndex(ranges)

    assert index.at(start) == next((one for one in ranges if one.holds(start)), None)
    if size:
        end = start + size
        assert list(index.within(start, end)) == [r for r in ranges if r.start < end and start < r.end]
