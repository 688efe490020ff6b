"""What became of pages is told run by run, and adds up by owner."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff.comparison.compare import compare
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Process, Snapshot
from vmdiff.model.page_map import MappingPages, PageContents, encoded
from vmdiff.model.piece import NOT_SPLIT

START = 0x7F0000000000
PAGES = 12
LETTERS = st.text("asfuzZdeDE", min_size=PAGES, max_size=PAGES)  # d, e: data and other data; in capitals huge


def looked(drawing: str, *parts: tuple[int, int, str]) -> Snapshot:
    """One mapping whose pages are drawn, a letter each; parts are (from, to, owner) in bytes."""
    held = tuple(Part(START + low, START + high, name, "certain", "record", "") for low, high, name in parts)
    owner = Owner("mixed", parts=held) if held else None
    prints = b"".join(letter.lower().encode() * 8 for letter in drawing if letter in "deDE")
    runs = "".join(f"1{letter}" for letter in drawing.replace("e", "d").replace("E", "D"))
    pages = MappingPages(start=START, runs=runs, fingerprints=encoded(prints))
    return Snapshot(
        origin=Origin(source="test", owners=True),
        process=Process(pid=1, start_ticks=1),
        mappings=(Mapping(START, START + len(drawing) * PAGE, "rw-p", Kind.ANONYMOUS, owner=owner),),
        pages=PageContents(page_size=PAGE, key="k", mappings=(pages,)),
    )


def expected(was: str, now: str) -> str | None:
    """Name what became of one page, from the words of the documentation."""
    if {was, now} & set("fu") or (was in "as" and now in "as"):
        return None
    if was in "as":
        return "came"
    if now in "as":
        return "freed" if now == "a" else "swapped"
    if was in "zZ":
        return "kept" if now in "zZ" else "filled"
    return "cleared" if now in "zZ" else "kept" if was.lower() == now.lower() else "written"


@given(LETTERS, LETTERS)
def test_each_page_is_what_its_two_states_make_of_it(before: str, after: str) -> None:
    moved = compare(looked(before), looked(after), match="address").moved_pages

    assert moved is not None
    told = {(at - START) // PAGE: run.move for run in moved for at in range(run.start, run.end, PAGE)}
    assert told == {
        at: move for at, pair in enumerate(zip(before, after, strict=True)) if (move := expected(*pair))
    }
    assert all(one.end <= other.start for one, other in pairwise(moved))
    assert all(one[1:] != (other.start, other.move) for one, other in pairwise(moved))


@given(
    LETTERS, LETTERS, st.lists(st.integers(1, PAGES * PAGE // 64 - 1), min_size=2, max_size=2, unique=True)
)
def test_owners_have_together_what_there_is(before: str, after: str, cuts: list[int]) -> None:
    low, high = sorted(at * 64 for at in cuts)
    sides = (looked(one, (0, low, "arena"), (low, high, "stack")) for one in (before, after))
    comparison = compare(*sides, match="address")

    assert comparison.moved_pages is not None
    whole: Counter[str] = Counter()
    for run in comparison.moved_pages:
        whole[run.move] += run.end - run.start
    for name in ("written", "filled", "cleared", "freed", "swapped", "came", "kept"):
        assert sum(getattr(one, name) for one in comparison.pages or ()) == whole[name]


def test_a_page_on_which_two_owners_meet_is_neithers() -> None:
    parts = ((0, PAGE + 64, "arena"), (PAGE + 64, 3 * PAGE, "stack"))
    comparison = compare(looked("ddd", *parts), looked("eee", *parts), match="address")

    assert {one.owner: one.written // PAGE for one in comparison.pages or ()} == {
        "arena": 1,
        NOT_SPLIT: 1,
        "stack": 1,
    }


@pytest.mark.parametrize("runs", ["999999999999a3d", "999999999999s3d"])
def test_a_reservation_of_terabytes_costs_a_run(runs: str) -> None:
    side = looked("ddd")
    assert side.pages is not None
    pages = side.pages.mappings[0].model_copy(update={"runs": runs})
    side = side.model_copy(update={"pages": side.pages.model_copy(update={"mappings": (pages,)})})

    moved = compare(side, side, match="address").moved_pages
    assert moved is not None
    assert [(run.end - run.start, run.move) for run in moved] == [(3 * PAGE, "kept")]
