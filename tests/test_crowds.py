"""Many changes that are alike are numbered as one crowd, so that they can be shown as one row."""

import json
from typing import Any

from hypothesis import given, settings

from tests.draw import PAGE, snapshot
from tests.spaces import snapshots
from vmdiff.comparison.change import MIRRORS
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.comparison.crowds import SMALLEST_CROWD
from vmdiff.model import Mapping, Owner, Snapshot
from vmdiff.report.json.comparison_document import comparison as to_json
from vmdiff.report.options import ViewOptions

STACK = Owner("thread stack", "certain", "register", "stack pointer")
GUARD = Owner("guard page", "certain", "record", "below a stack")


def threads(count: int) -> list[Mapping]:
    """Map the stack of each thread over its guard page, one unlike the others."""
    mapped = []
    for number in range(count):
        at = (number + 1) * 4096 * PAGE
        mapped.append(Mapping(at, at + PAGE, "---p", owner=GUARD))
        values = {"rss": (number + 1) * PAGE}
        mapped.append(Mapping(at + PAGE, at + 2049 * PAGE, "rw-p", owner=STACK, values=values))
    return mapped


def crowds(comparison: Comparison) -> dict[int | None, int]:
    counts: dict[int | None, int] = {}
    for change in comparison.changes:
        counts[change.crowd] = counts.get(change.crowd, 0) + 1
    return counts


def by_address(before: Snapshot, after: Snapshot) -> Comparison:
    return compare(before, after, match="address")


def test_thirty_new_stacks_are_one_crowd_and_their_guards_another() -> None:
    comparison = by_address(snapshot(), snapshot(*threads(30)))

    assert crowds(comparison) == {0: 30, 1: 30}
    assert {c.owner.name for c in comparison.changes if c.owner and c.crowd == 1} == {"thread stack"}


def test_a_few_changes_are_no_crowd() -> None:
    assert crowds(by_address(snapshot(), snapshot(*threads(SMALLEST_CROWD - 1)))) == {
        None: 2 * (SMALLEST_CROWD - 1)
    }


def test_what_grew_is_not_in_a_crowd_with_what_is_new() -> None:
    old = [Mapping(n * 64 * PAGE, (n * 64 + 20) * PAGE, "rw-p") for n in range(6)]
    new = [m._replace(end=(m.end or 0) + PAGE) for m in old[:3]]
    comparison = by_address(snapshot(*old[:3]), snapshot(*new, *old[3:]))

    assert crowds(comparison) == {None: 6}


def test_json_lists_each_region_with_its_crowd() -> None:
    document: dict[str, Any] = json.loads(
        to_json(by_address(snapshot(), snapshot(*threads(30))), (), ViewOptions())
    )

    assert [change["crowd"] for change in document["changes"]] == [0, 1] * 30


@settings(deadline=None)
@given(snapshots(), snapshots())
def test_a_crowd_has_one_name_and_mirrors(before: Snapshot, after: Snapshot) -> None:
    there, back = by_address(before, after), by_address(after, before)

    for number in crowds(there).keys() - {None}:
        assert len({change.change for change in there.changes if change.crowd == number}) == 1
    assert sorted(_members(there)) == sorted((MIRRORS[name], count) for name, count in _members(back))


def _members(comparison: Comparison) -> list[tuple[Any, int]]:
    return [
        (next(c.change for c in comparison.changes if c.crowd == number), count)
        for number, count in crowds(comparison).items()
        if number is not None
    ]
