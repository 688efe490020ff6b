"""macOS vmmap: sizes come from the addresses, region types become owners, a summary stays a summary."""

from datetime import UTC, datetime

import pytest

from vmdiff import importers
from vmdiff.comparison.compare import compare
from vmdiff.errors import ListingError

HEAD = """\
Process:         app [4711]
Path:            /Users/USER/app
Code Type:       ARM64
Parent Process:  zsh [81]

Date/Time:       2024-03-02 10:05:00.250 +0100
Launch Time:     2024-03-02 10:00:00.000 +0100
OS Version:      macOS 14.3 (23D56)

Physical footprint:         2048K
Physical footprint (peak):  3.5M
----

Virtual Memory Map of process 4711 (app)
Output report format:  2.4  -- 64-bit process
VM page size:  16384 bytes

==== Non-writable regions for process 4711
REGION TYPE                    START - END         [ VSIZE  RSDNT  DIRTY   SWAP] PRT/MAX SHRMOD PURGE    REGION DETAIL
"""
ROWS = """\
__TEXT                      104000000-104004000    [   16K    16K     0K     0K] r-x/r-x SM=COW          /Users/USER/app
STACK GUARD                 16b000000-16e800000    [ 56.0M     0K     0K     0K] ---/rwx SM=NUL          stack guard for thread 0

==== Writable regions for process 4711
REGION TYPE                    START - END         [ VSIZE  RSDNT  DIRTY   SWAP] PRT/MAX SHRMOD PURGE    REGION DETAIL
__DATA                      104004000-104008000    [   16K    16K    16K     0K] rw-/rw- SM=COW          /Users/USER/app
MALLOC_LARGE                105000000-107626000    [ 38.1M  38.1M  30.0M  1024K] rw-/rwx SM=PRV          DefaultMallocZone_0x104010000
MALLOC_TINY (empty)         108000000-108100000    [ 1024K    32K    32K     0K] rw-/rwx SM=PRV PURGE=V  DefaultMallocZone_0x104010000
Stack                       16e800000-16f000000    [ 8192K    32K    32K     0K] rw-/rwx SM=PRV          thread 0
Stack                       16f000000-16f080000    [  512K    16K    16K     0K] rw-/rwx SM=PRV          thread 3
VM_ALLOCATE                 170000000-170004000    [   16K     0K     0K     0K] rw-/rwx SM=SHM
CoreAnimation               171000000-171004000    [   16K    16K    16K     0K] rw-/rwx SM=PRV
__DATA_CONST             7fff80001000-7fff800014d0 [  1232   1232     0K     0K] rw-/rwx SM=COW          /usr/lib/libx.dylib
"""


def read(text):
    return importers.read(text.encode(), source="vmmap.txt")


def by_start(snapshot):
    return {mapping.start: mapping for mapping in snapshot.mappings}


def test_sizes_come_from_the_addresses_because_large_ones_are_rounded():
    snapshot = read(HEAD + ROWS)

    assert by_start(snapshot)[0x105000000].size == 0x2626000
    assert any("rounds" in doubt for doubt in snapshot.origin.doubts)


def test_a_size_without_a_letter_is_in_bytes():
    assert by_start(read(HEAD + ROWS))[0x7FFF80001000].values["rss"] == 1232


def test_resident_dirty_and_swapped_are_bytes():
    large = by_start(read(HEAD + ROWS))[0x105000000]

    assert (large.values["dirty"], large.values["swap"]) == (30 << 20, 1 << 20)


def test_both_tables_are_one_address_space_in_order():
    snapshot = read(HEAD + ROWS)

    assert [m.start for m in snapshot.mappings] == sorted(m.start for m in snapshot.mappings)
    assert not any("order" in doubt for doubt in snapshot.origin.doubts)


@pytest.mark.parametrize(
    ("start", "owner", "label", "kind"),
    [
        pytest.param(0x104000000, None, None, "image", id="text"),
        pytest.param(0x16B000000, "guard page", "STACK GUARD", "reserved", id="guard"),
        pytest.param(
            0x105000000,
            "malloc large block",
            "MALLOC_LARGE, DefaultMallocZone",
            "anonymous",
            id="large",
        ),
        pytest.param(
            0x108000000,
            "malloc heap",
            "MALLOC_TINY (empty), DefaultMallocZone",
            "anonymous",
            id="tiny",
        ),
        pytest.param(0x16E800000, "main stack", "thread 0", "stack", id="main-stack"),
        pytest.param(0x16F000000, "thread stack", "thread 3", "anonymous", id="thread-stack"),
        pytest.param(0x170000000, None, None, "anonymous", id="untagged"),
        pytest.param(0x171000000, "named", "CoreAnimation", "anonymous", id="tagged"),
    ],
)
def test_region_types_become_kinds_and_owners_certain_by_name(start, owner, label, kind):
    mapping = by_start(read(HEAD + ROWS))[start]

    assert str(mapping.kind) == kind
    if owner is None:
        assert mapping.owner is None
    else:
        assert (mapping.owner.name, mapping.owner.label, mapping.owner.certainty) == (owner, label, "certain")


@pytest.mark.parametrize(
    ("start", "perms"),
    [
        pytest.param(0x104000000, "r-xp", id="copy-on-write-is-private"),
        pytest.param(0x170000000, "rw-s", id="shared"),
        pytest.param(0x16B000000, "---?", id="empty-tells-neither"),
    ],
)
def test_the_sharing_mode_says_what_is_private(start, perms):
    assert by_start(read(HEAD + ROWS))[start].perms == perms


def test_the_heading_tells_of_process_and_host():
    snapshot = read(HEAD + ROWS)
    process = snapshot.process

    assert (process.pid, process.name, process.parent, process.executable) == (
        4711,
        "app",
        81,
        "/Users/USER/app",
    )
    assert snapshot.taken_at == datetime(2024, 3, 2, 9, 5, 0, 250_000, tzinfo=UTC)
    assert process.started_at == datetime(2024, 3, 2, 9, tzinfo=UTC)
    assert (snapshot.host.page_size, snapshot.host.machine) == (16384, "ARM64")
    assert snapshot.rollup["physical_footprint"] == 2 << 20


def test_old_listings_give_only_the_virtual_size():
    snapshot = read("__TEXT  0000000100000000-0000000100001000 [    4K] r-x/rwx SM=COW  /bin/cat\n")

    assert snapshot.total("size") == 4096
    assert snapshot.total("rss") is None


def test_a_submap_is_no_memory_of_its_own():
    snapshot = read("""\
Submap                 00007fff00000000-00007fff80000000 [  2.0G] r--/r-- SM=PRV  process-only VM submap
__TEXT                 00007fff20047000-00007fff20049000 [    8K] r-x/r-x SM=COW  /usr/lib/libx.dylib
""")

    assert snapshot.total("size") == 0x2000
    assert any("line 1: a submap" in doubt for doubt in snapshot.origin.doubts)


def test_sizes_may_count_pages():
    snapshot = read(
        HEAD
        + """\
__DATA                 00000001036a3000-00000001036a4000 [     1      1      1      0] rw-/rwx SM=COW          /Users/x/y
Kernel Alloc Once      00000001036a5000-00000001036a7000 [     2      1      1      0] rw-/rwx SM=PRV
"""
    )

    assert snapshot.total("rss") == 2 * 4096


def test_a_crash_report_lists_only_the_regions_around_the_fault():
    snapshot = read("""\
VM Region Info: 0x11b747ff0 is in 0x11b734000-0x11b748000;  bytes after start: 81904  bytes before end: 15
      REGION TYPE                      START - END             [ VSIZE] PRT/MAX SHRMOD  REGION DETAIL
      MALLOC_LARGE           000000011b730000-000000011b734000 [   16K] rw-/rwx SM=PRV
--->  CG raster data         000000011b734000-000000011b748000 [   80K] r--/r-- SM=PRV
      __TEXT                 000000011b748000-000000011b74c000 [   16K] r-x/r-x SM=COW  ...pp/MyGreatApp
""")

    assert [m.values["region_type"] for m in snapshot.mappings] == [
        "MALLOC_LARGE",
        "CG raster data",
        "__TEXT",
    ]
    assert any("only the regions around the fault" in doubt for doubt in snapshot.origin.doubts)
    assert snapshot.total("rss") is None


def test_a_summary_may_be_nothing_but_its_total():
    snapshot = read("""\
Virtual Memory Map of process 12345 (TestApp)
Physical footprint:     8.12G
                                VIRTUAL RESIDENT    DIRTY  SWAPPED
TOTAL                              1.0G     1.0G     1.0G     5.84G
""")

    assert snapshot.mappings == ()
    assert (snapshot.total("size"), snapshot.process.pid) == (1 << 30, 12345)


def test_two_listings_of_one_process_are_matched_by_address():
    dyld = "__TEXT                      1113f7000-111493000    [  624K   444K     0K     0K] r-x/r-x SM=COW          /usr/lib/dyld\n"
    more = "MALLOC_LARGE                120000000-121000000    [ 16.0M  16.0M  16.0M     0K] rw-/rwx SM=PRV          DefaultMallocZone_0x104010000\n"
    comparison = compare(read(HEAD + ROWS + dyld), read(HEAD + ROWS + dyld + more))

    assert comparison.match == "address"
    assert [(str(change.change), change.owner.name) for change in comparison.changes] == [
        ("new", "malloc large block")
    ]


def test_a_summary_has_no_addresses_and_no_permissions():
    snapshot = read("""\
==== Summary for process 12345
                                VIRTUAL RESIDENT    DIRTY  SWAPPED VOLATILE   NONVOL    EMPTY   REGION
REGION TYPE                        SIZE     SIZE     SIZE     SIZE     SIZE     SIZE     SIZE    COUNT (non-coalesced)
===========                     ======= ========    =====  ======= ========   ======    =====  =======
MALLOC_SMALL                      8192K      40K      40K       0K       0K       0K       0K        2         see MALLOC ZONE table below
unused but dirty shlib __DATA       17K      17K      17K       0K       0K       0K       0K       19
===========                     ======= ========    =====  ======= ========   ======    =====  =======
TOTAL                             8209K      57K      57K       0K       0K       0K       0K       21
TOTAL, minus reserved VM space     209K      57K      57K       0K       0K       0K       0K       21
""")

    assert [(m.start, m.perms, m.size, m.values["regions"]) for m in snapshot.mappings] == [
        (None, "????", 8192 << 10, 2),
        (None, "????", 17 << 10, 19),
    ]
    assert snapshot.rollup["size"] == 8209 << 10
    assert snapshot.total("accessible") is None
    assert len(snapshot.origin.doubts) == 1  # that it is a summary


def test_rows_that_do_not_add_up_to_the_total_are_said():
    total = """
                                VIRTUAL RESIDENT    DIRTY  SWAPPED VOLATILE   NONVOL    EMPTY   REGION
REGION TYPE                        SIZE     SIZE     SIZE     SIZE     SIZE     SIZE     SIZE    COUNT
__TEXT                            112.3M    45.8M       0K       0K       0K       0K       0K      181
TOTAL                              1.1G    84.3M    10.3M       0K       0K       0K       0K      432
"""
    doubts = read(HEAD + ROWS + total).origin.doubts

    assert "the listing's total counts 432 regions, its rows are 10" in doubts
    assert any("the rows' rss adds up to" in doubt for doubt in doubts)


def test_a_range_that_ends_below_its_start_is_refused_with_its_line():
    with pytest.raises(ListingError, match=r"vmmap.txt:1: expected a range"):
        read("__TEXT  200000-100000 [    4K] r-x/rwx SM=COW  /bin/cat\n")


@pytest.mark.parametrize(
    ("name", "mappings", "size"),
    [
        ("macos10.13-go-wide-excerpt.txt", 18, None),
        ("macos11-x86_64-a.out-excerpt.txt", 33, None),
        ("macos26-finder-sample-rows.txt", 6, None),
        ("summary-only-peer-fixture.txt", 3, 16384 + 32768 + (120 << 20)),
    ],
)
def test_the_real_listings_parse_whole(case, name, mappings, size):
    snapshot = importers.read(case(f"vmmap/{name}"), source=name)

    assert len(snapshot.mappings) == mappings
    assert size is None or snapshot.total("size") == size


def test_what_the_real_listings_state_is_kept(case):
    snapshot = importers.read(case("vmmap/macos11-x86_64-a.out-excerpt.txt"), source="a.out")

    assert snapshot.rollup["size"] == int(669.1 * (1 << 20))
    assert any("188 regions" in doubt for doubt in snapshot.origin.doubts)
    array = next(m for m in snapshot.mappings if m.owner and m.owner.name == "malloc large block")
    assert array.size == 0x7FE3BB626000 - 0x7FE3B9000000
