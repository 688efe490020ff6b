"""Pages of hugetlbfs that could not be split among owners are unknown of each, never 0."""

import pytest

from tests.draw import PAGE
from vmdiff import Comparison, Snapshot, compare
from vmdiff.answer.parts import ChangeOf, SizeOf
from vmdiff.comparison.tally import Grouping
from vmdiff.findings.finding import group_delta
from vmdiff.model import MIXED, Kind, Mapping, Origin, Owner, Part
from vmdiff.report import ViewOptions
from vmdiff.report.options import By
from vmdiff.report.view.figures import RESIDENT
from vmdiff.report.view.group_rows import changed_groups

HUGE = 512 * PAGE
PLACES = (0, 4 * HUGE)


def taken(huge: int, *, reported: bool = True) -> Snapshot:
    """Draw a mapping of four huge pages, half of them each owner's, *huge* of them there."""
    parts = tuple(
        Part(low, low + 2 * HUGE, name, "certain", "record", "seen")
        for low, name in ((0, "malloc arena"), (2 * HUGE, "malloc large block"))
    )
    values = {"rss": 0, "private_hugetlb": huge * HUGE} if reported else {"rss": 0}
    counters = ("rss", "private_hugetlb") if reported else ("rss",)
    mapping = Mapping(*PLACES, "rw-p", Kind.ANONYMOUS, owner=Owner(MIXED, parts=parts), values=values)
    return Snapshot(origin=Origin(source="linux-proc", counters=counters, owners=True), mappings=(mapping,))


def by_owner(found: Comparison) -> dict[str, int | None]:
    return {group.name: group_delta(group, "resident") for group in found.grouped("owner")}


def test_what_could_not_be_split_is_unknown_of_each_owner_and_known_of_all() -> None:
    found = compare(taken(0), taken(1), match="address")

    expected = {"malloc arena": None, "malloc large block": None, "(not split)": HUGE}
    assert by_owner(found) == expected
    assert dict(ChangeOf("resident", found).shares(Grouping.OWNER)) == expected
    assert dict(SizeOf("resident", taken(1)).shares(Grouping.OWNER)) == expected


@pytest.mark.parametrize("name", ["malloc arena", "malloc large block"])
def test_rows_do_not_show_what_is_unknown_as_nothing(name: str) -> None:
    table = changed_groups(
        compare(taken(0), taken(1), match="address"), (RESIDENT,), By.OWNER, ViewOptions(show_all=True)
    )

    [row] = [row for row in table.rows if row.title == name]
    assert row.cells[0].value is None


def test_who_does_not_report_huge_pages_is_taken_to_have_none() -> None:
    found = compare(taken(0, reported=False), taken(0), match="address")

    assert set(by_owner(found).values()) == {0}
