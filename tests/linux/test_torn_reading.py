"""A mapping that the kernel lists twice, because it was replaced while it was listed, is taken once."""

from vmdiff.linux.reading import _disjoint
from vmdiff.model import Kind, Mapping


def spans(*bounds: tuple[int, int]) -> tuple[Mapping, ...]:
    return tuple(Mapping(start, end, "rw-p", Kind.ANONYMOUS) for start, end in bounds)


def test_what_overlaps_one_before_it_is_left_out() -> None:
    torn = spans((0x1000, 0x5000), (0x1000, 0x7000), (0x7000, 0x8000))

    assert _disjoint(torn) == spans((0x1000, 0x5000), (0x7000, 0x8000))


def test_a_whole_listing_stays_as_it_is() -> None:
    whole = spans((0x1000, 0x5000), (0x5000, 0x7000))

    assert _disjoint(whole) is whole
