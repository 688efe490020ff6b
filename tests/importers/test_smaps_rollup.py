"""The kernel's own totals, as ``smaps_rollup`` states them; another text states none."""

import pytest

from vmdiff.importers.procfs.smaps_rollup import totals_of

HEADER = b"55c8a73ec000-7ffcd4c40000 ---p 00000000 00:00 0                          [rollup]\n"


def test_each_line_is_a_total_in_bytes_under_the_kernels_name() -> None:
    text = HEADER + b"Rss:                1612 kB\nPss_Dirty:           816 kB\nSwapPss:               0 kB\n"

    assert totals_of([text[:100], text[100:]]) == {"rss": 1612 << 10, "pss_dirty": 816 << 10, "swap_pss": 0}


def test_what_is_no_amount_is_left_out() -> None:
    assert totals_of([HEADER + b"Rss: 4 kB\nNext_Year: 3\nOther: 5 MB\nSize: 8 kB\n"]) == {"rss": 4096}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        HEADER,
        HEADER + b"Rss: 4 kB",
        HEADER + b"Rss: 4 kB\nPss: 1",
        HEADER + b"Rss: 4 kB\nPermission denied\n",
        HEADER + b"Next_Year: 3\n",
        b"00400000-00401000 r--p 00000000 fe:00 7 /bin/x\nRss: 4 kB\n",
    ],
)
def test_another_text_and_one_that_is_cut_off_state_none(text: bytes) -> None:
    assert totals_of([text]) is None
