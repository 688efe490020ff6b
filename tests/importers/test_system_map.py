"""The virtual machine's own map: sizes in bytes, tags that name owners, totals held against the rows."""

import pytest

from vmdiff import importers
from vmdiff.errors import ListingError

HEADER = "from               to                        vsize prot          rss      hugetlb pgsz notes            info                                  file\n"
ROWS = """\
0x00000000f0000000-0x0000000100000000    268435456 rw-p       462848            0 4K   com              JAVAHEAP                              -
0x00007f0001000000-0x00007f0001010000        65536 rw-p        28672            0 4K   com              CLASS                                 -
0x00007fa25c000000-0x00007fa25c350000      3473408 rw-p      3416064            0 4K   com              META                                  -
0x00007fa25c350000-0x00007fa25c400000       720896 ---p            0            0 4K   -                META                                  -
0x00007fa262000000-0x00007fa262200000      2097152 rw-p            0      2097152 2M   huge             GC                                    -
0x00007fa264000000-0x00007fa264021000       135168 rw-p         4096            0 4K   -                -                                     -
0x00007fa270000000-0x00007fa270004000        16384 ---p            0            0 4K   com              STACK-1930-Monitor-Deflation-Thread -
0x00007fa271000000-0x00007fa271200000      2097152 rw-p        12288            0 4K   com,swap         STACK-1919-GC-Thread,GC            -
0x00007fa272000000-0x00007fa272001000         4096 r--p            0            0 4K   com              POLL                                  -
0x00007fa273000000-0x00007fa273270000      2555904 rwxp       651264            0 4K   com              CODE                                  -
0x00007fa299555000-0x00007fa29955f000        40960 r--s        40960            0 4K   com              -                                     /opt/a b/modules
"""
TOTALS = """
Number of mappings: 11
             vsize: 279642112 (266M)
               rss: 4616192 (4508K)
         committed: 442413056 (421M)
            shared: 32768 (32768B)
       swapped out: 0 (0B)
"""


def read(text):
    return importers.read(text.encode(), source="map.txt")


@pytest.mark.parametrize(
    ("row", "name", "label", "tid"),
    [
        pytest.param(0, "jvm heap", None, None, id="heap"),
        pytest.param(1, "jvm class space", None, None, id="class-space"),
        pytest.param(2, "jvm metaspace", None, None, id="metaspace"),
        pytest.param(4, "jvm gc", None, None, id="gc"),
        pytest.param(6, "thread stack", "Monitor-Deflation-Thread", 1930, id="name-wider-than-its-column"),
        pytest.param(7, "mixed", "STACK-1919-GC-Thread, GC", None, id="two-tags"),
        pytest.param(8, "jvm internal", "POLL", None, id="polling-page"),
        pytest.param(9, "jvm code cache", None, None, id="code"),
    ],
)
def test_tags_become_owners_certain_by_name(row, name, label, tid):
    owner = read(HEADER + ROWS).mappings[row].owner

    assert (owner.name, owner.label, owner.tid, owner.certainty, owner.basis) == (
        name,
        label,
        tid,
        "certain",
        "name",
    )


def test_no_tag_no_owner():
    assert read(HEADER + ROWS).mappings[5].owner is None


def test_sizes_are_bytes():
    snapshot = read(HEADER + ROWS + TOTALS)

    assert (snapshot.total("rss"), snapshot.total("size")) == (4616192, 279642112)
    assert snapshot.total("private_hugetlb") == 2 << 20
    assert snapshot.mappings[4].values["kernel_page_size"] == 2 << 20


def test_totals_that_agree_are_no_doubt():
    snapshot = read(HEADER + ROWS + TOTALS)

    assert snapshot.origin.doubts == ()
    assert snapshot.rollup == {"size": 279642112, "rss": 4616192, "swap": 0}


def test_rows_that_are_missing_are_said():
    doubts = read(
        HEADER + ROWS.replace("rw-p        28672", "rw-p        28000") + TOTALS.replace("11", "12")
    ).origin.doubts

    assert "the listing counts 12 mappings, its rows are 11" in doubts
    assert any("rss adds up to" in doubt for doubt in doubts)


def test_names_and_inodes():
    mapping = read(HEADER + ROWS).mappings[-1]

    assert (mapping.path, mapping.perms, mapping.inode) == ("/opt/a b/modules", "r--s", None)


def test_jcmd_tells_the_process_and_that_tags_are_off():
    snapshot = read("12027:\nMemory mappings:\nNMT is disabled. VM info not available.\n" + HEADER + ROWS)

    assert snapshot.process.pid == 12027
    assert any("native memory tracking was off" in doubt for doubt in snapshot.origin.doubts)


def test_the_map_of_macos_has_other_columns():
    snapshot = read("""\
from               to                        vsize prot    share     offset  vminfo/file
==================================================================================================
0x000102890000-0x000102898000                32768 r--/r-- cow       0xc000 /opt/jdk/bin/java
0x000700000000-0x000710000000            268435456 rw-/rwx pvt            0 JAVAHEAP \n\
0x00016b000000-0x00016b004000                16384 rw-/rwx shr            0 [stack] \n\
""")

    assert [(m.perms, m.path, m.owner and m.owner.name) for m in snapshot.mappings] == [
        ("r--p", "/opt/jdk/bin/java", None),
        ("rw-s", None, None),
        ("rw-p", None, "jvm heap"),
    ]
    assert snapshot.total("rss") is None


def test_the_map_of_windows_has_states_and_only_images_have_names():
    snapshot = read("""\
from               to                        vsize prot  state      offset vminfo/file
===========================================================================================
0x00000000f0000000-0x00000000f8000000    134217728 rw-   c-pvt           0 JAVAHEAP \n\
0x00000000f8000000-0x0000000100000000    134217728 ---   r-pvt   0x8000000 JAVAHEAP \n\
0x0000015d00000000-0x0000015d00010000        65536 r--   c-map           0 \n\
0x0000002b00000000-0x0000002b00004000        16384 rw-g  c-pvt      0xec000 STACK-812-main \n\
0x00007ffb24565000-0x00007ffb24a7e000      5345280 rw-c  c-img   0x1155000 C:\\Program Files\\jdk\\bin\\server\\jvm.dll
""")

    assert [(m.perms, str(m.kind), m.path, m.owner and m.owner.name) for m in snapshot.mappings] == [
        ("rw-p", "anonymous", None, "jvm heap"),
        ("---p", "reserved", None, "jvm heap"),
        ("rw-p", "anonymous", None, "thread stack"),
        ("r--s", "shared-memory", None, None),
        ("rw-p", "image", "C:\\Program Files\\jdk\\bin\\server\\jvm.dll", None),
    ]
    assert snapshot.host.system == "Windows"


def test_overlaps_are_refused_with_their_lines():
    with pytest.raises(ListingError, match=r"map.txt:3: expected addresses that line 2 has not taken"):
        read(HEADER + ROWS.replace("0x00007f0001000000", "0x00000000ffff0000"))


@pytest.mark.parametrize(
    ("name", "mappings"),
    [("jdk24-aarch64-printmemorymapatexit-excerpt.txt", 22), ("openjdk-test-sample-line.txt", 1)],
)
def test_the_real_listings_parse_whole(case, name, mappings):
    assert len(importers.read(case(f"jcmd-system-map/{name}"), source=name).mappings) == mappings


def test_the_real_heap_archive_is_resident_to_the_byte(case):
    name = "jcmd-system-map/jdk24-aarch64-printmemorymapatexit-excerpt.txt"
    archive = importers.read(case(name), source="x").mappings[1]

    assert (archive.size, archive.values["rss"], archive.owner.name) == (1183744, 1183744, "jvm heap")
