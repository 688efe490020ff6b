"""The picture of pages shows all that there is, adds up to what was counted, and stays small."""

import re
from collections import Counter
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report import pictures
from tests.report.pictures import PAGE
from vmdiff.comparison.compare import compare
from vmdiff.findings import find, find_in
from vmdiff.model import Snapshot
from vmdiff.model.page_map import MappingPages, PageContents, encoded
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.report.html import memory_page_bars
from vmdiff.report.view import memory_page_picture
from vmdiff.report.view.memory_page_picture import CELLS, HELD, HUGE, MOVED, PageCell, PageStretch
from vmdiff.storage import html_embedding

START = 0x7F00_0000_0000
WORDS = {"s": "swapped", "f": "file", "u": "unread", "z": "zeros", "Z": "zeros"}
LETTERS = st.lists(st.text("asfuzdeZDE", min_size=1, max_size=300), min_size=1, max_size=3)


def looked(*drawings: str) -> Snapshot:
    """Mappings whose pages are drawn, a letter each: d and e are data, in capitals in huge pages."""
    mappings, pages, at = [], [], START
    for drawing in drawings:
        prints = b"".join(letter.lower().encode() * 8 for letter in drawing if letter in "deDE")
        runs = "".join(f"1{letter}" for letter in drawing.replace("e", "d").replace("E", "D"))
        pages.append(MappingPages(start=at, runs=runs, fingerprints=encoded(prints)))
        mappings.append(pictures.anonymous(at, len(drawing) * PAGE, PAGE))
        at += (len(drawing) + 1) * PAGE
    taken = pictures.snapshot(*mappings)
    return taken.model_copy(update={"pages": PageContents(page_size=PAGE, key="k", mappings=tuple(pages))})


def counted(drawings: list[str]) -> Counter[str]:
    seen: set[str] = set()
    states: Counter[str] = Counter()
    for letter in "".join(drawings):
        if letter in "deDE":
            states["repeated" if letter.lower() in seen else "data"] += PAGE
            seen.add(letter.lower())
        elif letter != "a":
            states[WORDS[letter]] += PAGE
        states[HUGE] += PAGE * (letter in "ZDE")
    return +states


@settings(deadline=None)
@given(LETTERS)
def test_rows_and_cells_add_up_to_what_there_is(drawings: list[str]) -> None:
    picture = memory_page_picture.of_snapshot(looked(*drawings))

    assert picture is not None
    assert Counter(picture.total) == counted(drawings)
    assert set(picture.states) == set(picture.total)
    rows: Counter[str] = Counter(picture.rest)
    for row in picture.rows:
        assert len(row.cells) <= CELLS
        inside: Counter[str] = Counter()
        for cell in row.cells:
            inside.update(cell.amounts)
        assert inside == Counter(row.amounts)
        rows.update(row.amounts)
    assert rows == Counter(picture.total)


@settings(deadline=None)
@given(LETTERS, LETTERS)
def test_what_became_of_pages_adds_up_to_what_owners_have(before: list[str], after: list[str]) -> None:
    found = compare(looked(*before), looked(*after), match="address")
    picture = memory_page_picture.of_comparison(found)

    assert picture is not None
    assert found.pages is not None
    for move in MOVED:
        assert picture.total.get(move, 0) == sum(getattr(one, move) for one in found.pages)


@given(st.lists(st.integers(0, 1 << 30), min_size=7, max_size=7), st.integers(1, 1 << 40))
def test_whatever_there_is_in_a_cell_is_seen(amounts: list[int], absent: int) -> None:
    cell = PageCell(sum(amounts) + absent, dict(zip(MOVED, amounts, strict=True)))
    drawn = memory_page_bars.heights(cell, list(MOVED))

    assert [high > 0 for high in drawn] == [amount > 0 for amount in amounts]
    assert sum(drawn) < memory_page_bars.HEIGHT


@given(st.lists(st.integers(0, 200), min_size=2, max_size=40, unique=True), st.integers(1, 300))
def test_cells_cut_stretches_at_their_borders(places: list[int], count: int) -> None:
    borders = sorted(place * PAGE for place in places)
    stretches = [PageStretch(at * PAGE, (at + 1) * PAGE, "data") for at in range(0, count, 2)]

    for (low, high), cell in zip(
        pairwise(borders), memory_page_picture.cells(stretches, borders), strict=True
    ):
        inside = [one for one in stretches if low <= one.start < high]
        assert cell == PageCell(high - low, {"data": len(inside) * PAGE} if inside else {})


def test_the_mapping_with_most_in_each_state_is_drawn() -> None:
    picture = memory_page_picture.of_snapshot(looked(*["d" * 9] * 40, "s", "d" * 9))

    assert picture is not None
    assert any(row.amounts == {"swapped": PAGE} for row in picture.rows)


def test_a_bar_tells_in_words_where_pages_are() -> None:
    bars = memory_page_bars.of_snapshot(looked("d" * 60 + "a" * 20))

    assert bars is not None
    assert bars.rows[0].words.endswith("in 8 parts: 100%, 100%, 100%, 100%, 100%, 100%, 0%, 0%")


def test_where_moves_are_unknown_the_pages_are_shown_as_they_are_after() -> None:
    before, after = pictures.server(), pictures.looked_into()
    found = compare(before, after, match="address")

    assert memory_page_picture.of_comparison(found) is None
    bars = memory_page_bars.of_comparison(found)
    assert bars is not None
    assert bars.title == "Where pages are"


def test_however_many_pages_the_picture_stays_small() -> None:
    """Every page differs from its neighbours, so that no run is longer than one."""
    taken = looked("dzes" * (1 << 13))
    text = str(RENDERERS[Format.HTML].snapshot(taken, find_in(taken), ViewOptions()))
    section = text[text.index('<section id="pages"') : text.index('<section id="changes"')]

    assert len(section) < 20_000
    assert "fingerprints of pages" in text


def test_a_report_carries_no_fingerprints() -> None:
    before, after = pictures.looked_into(), pictures.looked_into(later=True)
    found = compare(before, after)
    text = str(RENDERERS[Format.HTML].comparison(found, find(found), ViewOptions()))

    assert re.search("What became of pages", text)
    for taken in html_embedding.carried(text.encode(), source="x"):
        assert taken.pages is not None
        assert taken.pages.key is None
        assert {one.fingerprints for one in taken.pages.mappings} == {None}
    assert {state for state in HELD if f"p-{state}" in text} >= {"swapped"}


@settings(deadline=None, max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.integers(-3, 30), st.lists(st.tuples(st.integers(1, 10**15), st.sampled_from("asfuzdZD")))
        ),
        max_size=4,
    )
)
def test_a_page_map_that_contradicts_its_mappings_breaks_nothing(maps) -> None:
    """Pages of no mapping, beyond the end of one, twice, too many, and without fingerprints."""
    pages = tuple(
        MappingPages(start=START + place * PAGE, runs="".join(f"{count}{state}" for count, state in runs))
        for place, runs in maps
    )
    taken = pictures.snapshot(
        pictures.anonymous(START, 8 * PAGE, PAGE), pictures.anonymous(START + 20 * PAGE, PAGE)
    )
    taken = taken.model_copy(update={"pages": PageContents(page_size=PAGE, key="k", mappings=pages)})
    found = compare(taken, taken, match="address")

    for form in (Format.HTML, Format.TERMINAL):
        options = ViewOptions(width=120)
        assert RENDERERS[form].snapshot(taken, find_in(taken), options)
        assert RENDERERS[form].comparison(found, find(found), options)
