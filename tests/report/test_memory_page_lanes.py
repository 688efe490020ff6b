"""Lines below the strip tell what pages hold: nothing that there is vanishes, and the pieces add up."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.report import pictures
from vmdiff.comparison.compare import compare
from vmdiff.report.terminal import strip
from vmdiff.report.terminal.memory_page_lanes import DrawnRange, Shares
from vmdiff.report.view.memory_page_picture import PageStretch

WIDTH = 20


@given(
    st.lists(st.integers(0, 10_000), min_size=2, max_size=8, unique=True),
    st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True),
)
def test_each_stretch_is_seen_where_it_is_drawn(bounds: list[int], places: list[int]) -> None:
    edges = sorted(bounds)
    scale = WIDTH / (edges[-1] - edges[0])
    ranges = [
        DrawnRange(low, high, (low - edges[0]) * scale, (high - edges[0]) * scale)
        for low, high in pairwise(edges)
    ]
    ends = sorted(places)
    stretches = [PageStretch(low, high, "zeros") for low, high in zip(ends[::2], ends[1::2], strict=False)]
    shares = Shares(ranges, stretches, WIDTH)

    size = (edges[-1] - edges[0]) / WIDTH
    for column in range(WIDTH):
        low, high = (edges[0] + at * size for at in (column, column + 1))
        there = sum(max(0, min(high, one.end) - max(low, one.start)) for one in stretches)
        assert abs(shares.of(column, "zeros") - there / size) < 1e-6
    there = any(one.start < edges[-1] and one.end > edges[0] for one in stretches)
    assert [line.strip() != "" for _, line in shares.lanes({"zeros": "zeros"})] == [True] * there


def text(lines):
    return ["".join(part for part, _ in line) for line in lines]


def test_a_snapshot_that_looked_at_pages_has_a_line_for_each_state():
    drawn = text(strip.of_snapshot(pictures.looked_into(), 108, colour=False))

    assert [line[:8].strip() for line in drawn[:-1]] == ["memory", "zeros", "repeats", "swapped", "huge"]
    assert {len(line) for line in drawn[:-1]} == {108}
    assert "▁█ share" in drawn[-1]


def test_one_page_of_a_gigabyte_is_seen_in_the_strip():
    taken = pictures.looked_into()
    assert taken.pages is not None
    lone = taken.pages.mappings[-1].model_copy(update={"runs": "200000a1s62143a", "fingerprints": ""})
    pages = taken.pages.model_copy(update={"mappings": (lone,)})
    drawn = text(strip.of_snapshot(taken.model_copy(update={"pages": pages}), 108, colour=False))

    assert drawn[1].startswith("swapped ")
    assert drawn[1].count("▁") == 1


def test_a_comparison_has_a_line_for_each_thing_that_became_of_pages():
    found = compare(pictures.looked_into(), pictures.looked_into(later=True))
    drawn = text(strip.of_comparison(found, 108, colour=False))

    names = [line[:8].strip() for line in drawn]
    assert names[:3] == ["before", "after", ""]
    assert set(names[3:-1]) == {"written", "filled", "zeroed", "freed", "came"}


def test_without_pages_the_strip_is_as_it_was():
    assert len(text(strip.of_snapshot(pictures.server(), 108, colour=False))) == 2
