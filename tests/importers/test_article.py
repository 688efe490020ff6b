"""The listings of 2011 from which it all started: two runs, one with a block from malloc."""

import pytest

from tests.importers.test_pmap import HEAP, LIBRARIES, PROGRAM, Row, device, extended, plain, total
from vmdiff import importers
from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import compare
from vmdiff.owners import RULES, Scene, assign

KIB = 1024


def elsewhere(rows, by):
    """The same program in another run: all but the program itself and vsyscall lies elsewhere."""
    fixed = {row.start for row in PROGRAM} | {0xFFFFFFFFFF600000}
    return [
        row if row.start in fixed else Row(row.start + by, row.size, row.mode, row.name, row.rss, row.dirty)
        for row in rows
    ]


def snapshot(text):
    return assign(Scene(importers.read(text.encode(), source="x")), RULES)


BEFORE = [*PROGRAM, *LIBRARIES]
AFTER = elsewhere([*PROGRAM, HEAP, *LIBRARIES], by=0x123000)


@pytest.mark.parametrize("layout", [plain, extended], ids=["pmap", "pmap -x"])
def test_the_answer_is_one_new_mapping_of_the_heap(layout):
    comparison = compare(snapshot(layout(BEFORE)), snapshot(layout(AFTER)))

    (change,) = comparison.changes
    (mapping,) = change.after
    assert comparison.match == "structure"
    assert change.change is ChangeName.NEW
    assert (mapping.owner.name, mapping.owner.certainty) == ("malloc heap", "likely")
    assert (mapping.size, change.delta["size"]) == (132 * KIB, 132 * KIB)


def test_sizes_of_zero_are_unknown_and_the_stated_totals_are_kept():
    before, after = (snapshot(extended(rows, sizes=0)) for rows in (BEFORE, AFTER))

    comparison = compare(before, after)

    (change,) = comparison.changes
    assert (change.change, change.after[0].owner.name) == (ChangeName.NEW, "malloc heap")
    assert (change.delta["size"], comparison.totals["size"].delta) == (None, None)
    assert after.rollup["size"] - before.rollup["size"] == 132 * KIB == (total(AFTER) - total(BEFORE)) * KIB


def test_a_listing_without_sizes_compares_with_one_that_has_them():
    before, after = snapshot(extended(BEFORE, sizes=0)), snapshot(extended(AFTER))

    changes = compare(before, after).changes

    assert [change.after[0].size for change in changes if change.change is ChangeName.NEW] == [132 * KIB]
    # Without sizes it does not show what is the bss of something.
    assert {change.change for change in changes} <= {ChangeName.NEW, ChangeName.RELABELLED}


def test_another_format_of_another_run_is_no_other_build():
    before, after = snapshot(plain(BEFORE)), snapshot(device(AFTER))

    (change,) = compare(before, after).changes

    assert (change.change, change.delta["size"]) == (ChangeName.NEW, 132 * KIB)
