"""Readers run in order over the owned snapshot, within their budget."""

from collections.abc import Iterator

import pytest

from vmdiff.model import Kind, Mapping, Origin, Owner, Snapshot, Usage
from vmdiff.owners import Scene
from vmdiff.owners.inside import QUICK, WHOLE, Budget, look_inside


def usage(label: str) -> Usage:
    return Usage(owner="malloc arena", label=label, source="test", certainty="certain")


def first(scene: Scene, budget: Budget) -> Iterator[Usage]:
    yield usage("1")
    yield usage("2")


def second(scene: Scene, budget: Budget) -> Iterator[Usage]:
    yield usage("3")


SCENE = Scene(Snapshot(origin=Origin(source="test")))


def test_readers_run_in_order() -> None:
    found = look_inside(SCENE, WHOLE, (first, second))

    assert [one.label for one in found] == ["1", "2", "3"]


def test_no_reader_runs_after_the_time_is_over() -> None:
    found = look_inside(SCENE, Budget(walk=None, steps=None, seconds=-1.0), (first, second))

    assert [one.label for one in found] == ["1"]
    assert "--inside" in found[0].partial  # its reader had more to tell


def test_a_budget_limits_what_is_walked_and_followed() -> None:
    assert QUICK.allows(walk=1 << 20, steps=1000)
    assert not QUICK.allows(walk=1 << 30)
    assert not QUICK.allows(steps=1 << 30)
    assert WHOLE.allows(walk=1 << 40, steps=1 << 40)


@pytest.mark.parametrize("owner", ["tcmalloc", "mimalloc", "v8 heap"])
def test_memory_whose_records_nobody_reads_is_unknown_with_the_reason(owner: str) -> None:
    held = Owner(owner, "certain", "record", "its name")
    mapping = Mapping(1 << 40, (1 << 40) + 4096, "rw-p", Kind.ANONYMOUS, owner=held)
    scene = Scene(Snapshot(origin=Origin(source="test", owners=True), mappings=(mapping,)))

    (found,) = look_inside(scene, QUICK)

    assert (found.owner, found.in_use, found.free) == (owner, None, None)
    assert "are not read" in (found.partial or "")
