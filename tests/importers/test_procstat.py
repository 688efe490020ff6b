"""FreeBSD's procstat: pages become bytes where their size is known, and what no column says stays unknown."""

import pytest

from vmdiff import importers
from vmdiff.errors import InputError, ListingError

HEADER = "  PID              START                END PRT    RES PRES REF SHD FLAG  TP PATH\n"
ROWS = """\
  912           0x200000           0x245000 r--    69   90   2   0 CN--- vn /usr/bin/vim with blanks
  912           0x245000           0x246000 r-x     1   90   2   0 CN--- vn /usr/bin/vim with blanks
  912        0x800000000        0x800200000 rw-    17   17   1   0 ----- sw
  912        0x900000000        0x900001000 rw-     1    1   1   0 --S-- sw /posix-shm
  912        0xa00000000        0xa00001000 rw-     1    1   1   0 ----- dv /dev/dri/card0
  912     0x7fffdffff000     0x7fffffe00000 ---     0    0   0   0 ----- gd
  912     0x7fffffe00000     0x7ffffffe0000 rw-     3    3   1   0 ---D- sw
  912     0x7ffffffff000     0x800000000000 r-x     1    1  44   0 ----- ph
"""


def read(text, **choice):
    return importers.read(text.encode(), source="procstat.txt", **choice)


def test_resident_pages_become_bytes_where_the_bounds_prove_the_size_of_a_page():
    snapshot = read(HEADER + ROWS)

    assert snapshot.host.page_size == 4096
    assert snapshot.mappings[0].values["rss"] == 69 * 4096
    assert snapshot.origin.doubts == ()


def test_a_size_of_pages_that_nothing_proves_is_a_doubt():
    snapshot = read(HEADER + " 1412     0x3fb796200000     0x3fb796c00000 rw-   29   29   1   0 ----- sw \n")

    assert snapshot.total("rss") == 29 * 4096
    assert snapshot.host.page_size is None
    assert any("RES is in pages" in doubt for doubt in snapshot.origin.doubts)


def test_only_copy_on_write_mappings_are_known_to_be_private():
    assert [m.perms for m in read(HEADER + ROWS).mappings[:3]] == ["r--p", "r-xp", "rw-?"]


def test_types_and_flags_become_kinds():
    kinds = [str(m.kind) for m in read(HEADER + ROWS).mappings]

    assert kinds == ["image", "image", "anonymous", "shared-memory", "device", "reserved", "stack", "kernel"]


def test_a_guard_is_owned_as_one():
    guard = read(HEADER + ROWS).mappings[5]

    assert (guard.owner.name, guard.owner.certainty, guard.accessible) == ("guard page", "certain", 0)


def test_a_name_may_hold_blanks():
    assert read(HEADER + ROWS).mappings[0].path == "/usr/bin/vim with blanks"


def test_capability_rights_do_not_spoil_the_permissions():
    row = " 1013           0x102000           0x104000 rw-RW    2    3    3   0 CN--- vn /bin/x\n"
    mapping = read(HEADER + row).mappings[0]

    assert (mapping.perms, mapping.values["protection"]) == ("rw-p", "rw-RW")


def test_several_processes_are_several_listings():
    other = ROWS.replace("  912", "100000").replace("0x200000", "0x210000")
    with pytest.raises(InputError, match="2 listings"):
        read(HEADER + ROWS + other)

    assert read(HEADER + ROWS + other, choice=2).process.pid == 100000


def test_processes_in_one_address_space_are_one_listing_with_a_doubt():
    other = " 913     0x900000000000     0x900000001000 rw-     1    1   1   0 ----- sw\n"
    snapshot = read(HEADER + ROWS + other)

    assert snapshot.process.pid == 912
    assert any("912, 913" in doubt for doubt in snapshot.origin.doubts)


def test_an_impossible_range_is_refused_with_its_line():
    with pytest.raises(ListingError, match=r"procstat.txt:2: expected a range"):
        read(HEADER + "  912   0x300000   0x200000 r--  1  1  1  0 ----- sw\n")


@pytest.mark.parametrize(
    ("name", "mappings", "rss"),
    [
        ("cheribsd-colocated-two-pids.txt", 10, 67),
        ("cheribsd-riscv64-procstat-vm.txt", 13, 49),
        ("freebsd-posixshm-peer-fixture.txt", 4, 4),
        ("freebsd15-procstat-vm-one-row.txt", 1, 29),
    ],
)
def test_the_real_listings_parse_whole(case, name, mappings, rss):
    snapshot = importers.read(case(f"procstat/{name}"), source=name)

    assert len(snapshot.mappings) == mappings
    assert snapshot.total("rss") == rss * 4096


def test_the_guard_of_the_real_listing(case):
    snapshot = importers.read(case("procstat/cheribsd-riscv64-procstat-vm.txt"), source="x")

    assert [(m.start, m.end) for m in snapshot.mappings if m.owner] == [(0x3FBFE00000, 0x3FFFDE0000)]
