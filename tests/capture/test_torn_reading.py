"""A mapping that the kernel lists twice, because it was replaced while it was listed, is taken once."""

from vmdiff.capture.snapshot_builder import _whole
from vmdiff.model import Kind, Mapping, Origin, Snapshot


def spans(*bounds: tuple[int, int]) -> tuple[Mapping, ...]:
    return tuple(Mapping(start, end, "rw-p", Kind.ANONYMOUS) for start, end in bounds)


def taken(mappings: tuple[Mapping, ...]) -> Snapshot:
    return _whole(mappings, origin=Origin(source="x", consistent=True))


def test_what_overlaps_one_before_it_is_left_out_and_doubted() -> None:
    torn = taken(spans((0x1000, 0x5000), (0x1000, 0x7000), (0x7000, 0x8000)))

    assert torn.mappings == spans((0x1000, 0x5000), (0x7000, 0x8000))
    assert torn.origin.consistent is False
    assert torn.origin.doubts == (
        "left out, since they overlap a mapping before them: 1; the layout moved meanwhile",
    )


def test_a_whole_listing_stays_as_it_is() -> None:
    whole = spans((0x1000, 0x5000), (0x5000, 0x7000))

    assert taken(whole).mappings == whole
    assert taken(whole).origin == Origin(source="x", consistent=True)
