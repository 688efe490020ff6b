"""A series as one line of bars."""

import pytest

from vmdiff.report.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 5, ""),
        ([None, None], 5, ""),
        ([3, 3, 3], 5, "▁▁▁"),
        ([0, 7], 5, "▁█"),
        (list(range(8)), 8, "▁▂▃▄▅▆▇█"),
        (list(range(8)), 4, "▂▄▆█"),
        ([0, None, 7], 3, "▁ █"),
        ([0, 9, 0, 0], 2, "█▁"),
    ],
)
def test_bars_reach_from_the_lowest_to_the_highest(values, width, line):
    assert sparkline(values, width) == line
