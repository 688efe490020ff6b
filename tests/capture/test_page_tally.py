"""What pages hold is counted between any two addresses, exactly or not at all."""

from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.draw import PAGE
from vmdiff.capture.page_tally import LookedRun, PageTally
from vmdiff.model import Kind, Mapping, Origin, Owner, Part, Snapshot, Unclaimed
from vmdiff.model.page_map import PAGE_COUNTERS
from vmdiff.model.piece import pieces

START = 0x7F0000000000
PAGES = 10
LETTERS = st.text("azZdrD", min_size=PAGES, max_size=PAGES)  # r: data that was there before
PLACES = st.integers(0, PAGES * PAGE // 512).map(lambda place: place * 512)
COUNTED = {"zero_filled": "zZ", "duplicate": "r", "huge_zero": "Z"}


def tally(drawing: str) -> PageTally:
    runs = [
        LookedRun(len(list(run)), "d" if letter == "r" else letter, letter == "r")
        for letter, run in groupby(drawing)
    ]
    return PageTally(START, runs, PAGE)


@given(LETTERS, st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_a_stretch_has_the_pages_that_lie_in_it(drawing: str, places: list[int]) -> None:
    low, high = sorted(places)
    touched = drawing[low // PAGE : -(-high // PAGE)]
    inside = drawing[-(-low // PAGE) : high // PAGE]

    for counter, letters in COUNTED.items():
        found = tally(drawing).held(counter, START + low, START + high)
        whole = sum(letter in letters for letter in inside)
        shared = sum(letter in letters for letter in touched) - whole
        assert found == (None if shared else whole * PAGE)


@given(LETTERS, st.lists(PLACES, min_size=2, max_size=4, unique=True))
def test_pieces_have_together_what_the_mapping_has(drawing: str, places: list[int]) -> None:
    counted = tally(drawing)
    borders = [START + place for place in sorted(places)]
    stretches = list(pairwise(borders))
    parts = tuple(
        Part(low, high, name, "certain", "record", "")
        for (low, high), name in zip(stretches, ("arena", "stack", "heap"), strict=False)
    )
    ends = ((START, borders[0]), (borders[-1], START + PAGES * PAGE))
    rest = tuple(Unclaimed(low, high) for low, high in ends if low < high)
    whole = {name: counted.held(name, START, START + PAGES * PAGE) for name in PAGE_COUNTERS}
    owner = counted.with_parts(Owner("mixed", parts=parts, rest=rest), PAGE_COUNTERS)
    mapping = Mapping(START, START + PAGES * PAGE, "rw-p", Kind.ANONYMOUS, owner=owner, values=whole)
    snapshot = Snapshot(origin=Origin(source="test", counters=PAGE_COUNTERS), mappings=(mapping,))

    found = list(pieces(snapshot))
    for name in PAGE_COUNTERS:
        known = [piece.counts[name] for piece in found]
        if None not in known:
            assert sum(filter(None, known)) == whole[name]
        else:
            assert sum(filter(None, known)) <= (whole[name] or 0)


def test_what_could_not_be_read_is_unknown_everywhere() -> None:
    counted = PageTally(START, [LookedRun(3, "z"), LookedRun(1, "u")], PAGE)

    assert [counted.held(name, START, START + PAGE) for name in PAGE_COUNTERS] == [None] * 3
