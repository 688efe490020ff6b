"""Android's table: its header names the columns, and its rows may be sums of many mappings."""

import pytest

from vmdiff.errors import ListingError
from vmdiff.importers import read
from vmdiff.model import Kind

KIB = 1024

MERGED = b"""\
 virtual                     shared   shared  private  private
    size      RSS      PSS    clean    dirty    clean    dirty     swap  swapPSS   # object
-------- -------- -------- -------- -------- -------- -------- -------- -------- ---- ------------------------------
       4        4        4        0        0        4        0        0        0    1 /dev/binder
     556       24        0        0       24        0        0        0        0    4 /apex/example/lib/libc++.so
   12288      100      100        0        0        0      100        5        5    3 [anon:libc_malloc]
      12       12       12        0        0        0       12        0        0    1 [anon]
-------- -------- -------- -------- -------- -------- -------- -------- -------- ---- ------------------------------
 virtual                     shared   shared  private  private
    size      RSS      PSS    clean    dirty    clean    dirty     swap  swapPSS   # object
-------- -------- -------- -------- -------- -------- -------- -------- -------- ---- ------------------------------
   12860      140      116        0       24        4      112        5        5    9 TOTAL
"""
ADDRESSES = b"""\
           start              end  virtual                     shared   shared  private  private
            addr             addr     size      RSS      PSS    clean    dirty    clean    dirty     swap  swapPSS flags object
-------- -------- -------- -------- -------- -------- -------- -------- -------- -------- -------- ------ ------------------
        12c00000         14000000    20480     1000     1000        0        0        0     1000        0        0   rw- [anon:dalvik-main space (region space)]
    7f0000000000     7f0000010000       64       64        3       64        0        0        0        0        0   r-x /system/lib64/libc.so
    7f0000010000     7f0000011000        4        4        4        0        0        0        4        0        0   rw- /system/lib64/libc.so [bss]
    7f0000020000     7f0000030000       64        0        0        0        0        0        0        0        0   ---\x20
"""
OLD = b"""\
 virtual                     shared   shared  private  private
    size      RSS      PSS    clean    dirty    clean    dirty    # object
-------- -------- -------- -------- -------- -------- -------- ---- ------------------------------
      28       28        0       28        0        0        0    1 /system/fonts/x.ttf
"""


def test_rows_are_sizes_by_name_and_no_addresses():
    snapshot = read(MERGED, source="x")

    assert snapshot.origin.source == "showmap"
    assert [(m.path, m.start, m.end, m.size) for m in snapshot.mappings] == [
        ("/dev/binder", None, None, 4 * KIB),
        ("/apex/example/lib/libc++.so", None, None, 556 * KIB),
        ("[anon:libc_malloc]", None, None, 12288 * KIB),
        (None, None, None, 12 * KIB),
    ]
    assert [m.kind for m in snapshot.mappings][1:] == [Kind.IMAGE, Kind.ANONYMOUS, Kind.ANONYMOUS]


def test_columns_of_the_same_name_are_told_by_their_place():
    totals = read(MERGED, source="x").totals

    assert {name: size // KIB for name, size in totals.items() if size} == {
        "size": 12860,
        "rss": 140,
        "pss": 116,
        "shared_dirty": 24,
        "private_clean": 4,
        "private_dirty": 112,
        "swap": 5,
        "swap_pss": 5,
    }


def test_the_stated_total_is_kept_and_a_difference_is_said():
    stated = read(MERGED.replace(b"   12860      140", b"   12860      180"), source="x")

    assert stated.rollup["rss"] == 180 * KIB
    assert "rss: the rows add up to 140 KiB, the listing states 180 KiB (40 KiB more)" in stated.origin.doubts


def test_addresses_and_permissions_are_read_where_they_are():
    heap, libc, bss, hole = read(ADDRESSES, source="x").mappings

    assert (heap.start, heap.end, heap.perms) == (0x12C00000, 0x14000000, "rw-?")
    assert heap.path == "[anon:dalvik-main space (region space)]"
    assert (libc.perms, libc.kind) == ("r-x?", Kind.IMAGE)
    assert (bss.path, bss.owner.name, bss.owner.certainty) == (None, "bss", "likely")
    assert (hole.path, hole.kind) == (None, Kind.RESERVED)


def test_a_table_without_swap_says_nothing_of_swap():
    snapshot = read(OLD, source="x")

    assert "swap" not in snapshot.origin.counters
    assert snapshot.total("swap") is None


def test_two_tables_are_two_listings():
    assert read(MERGED + OLD, source="x", choice=2).total("size") == 28 * KIB
    assert read(OLD + MERGED, source="x", choice=2).total("size") == 12860 * KIB


def test_a_row_that_misses_a_number_is_reported():
    torn = MERGED.replace(
        b"     556       24        0        0       24        0        0        0        0    4 /apex",
        b"     556       24        0        0       24        0        0 /apex",
    )

    assert any("line 5: not read" in doubt for doubt in read(torn, source="x").origin.doubts)


def test_a_table_of_torn_rows_is_refused():
    with pytest.raises(ListingError, match="x:4: expected a row of showmap"):
        read(b"\n".join(OLD.splitlines()[:3]) + b"\n 28 28 0 28 0 0 0\t\n", source="x")
