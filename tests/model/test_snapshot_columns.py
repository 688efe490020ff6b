"""A snapshot as columns is the same snapshot."""

from hypothesis import given

from tests.spaces import snapshots
from vmdiff.model import Mapping, Origin, Snapshot
from vmdiff.model.snapshot_columns import SnapshotColumns


@given(snapshots(unknowns=True))
def test_a_snapshot_taken_apart_is_put_together_again(taken: Snapshot) -> None:
    together = SnapshotColumns.of(taken).whole()

    assert together == taken
    assert list(map(type, together.mappings)) == list(map(type, taken.mappings))


def test_mappings_that_are_alike_have_one_content() -> None:
    stack = Mapping(0x1000, 0x2000, "rw-p")
    others = [
        stack._replace(start=0x3000, end=0x5000),
        stack._replace(start=0x6000, end=0x7000, perms="r--p"),
    ]
    columns = SnapshotColumns.of(Snapshot(origin=Origin(source="maps"), mappings=(stack, *others)))

    assert len(set(map(id, columns.contents))) == 2
    assert columns.contents[0] is columns.contents[1]
