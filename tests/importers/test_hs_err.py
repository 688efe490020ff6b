"""HotSpot's error logs: the map is the kernel's, whose memory it is the log says elsewhere."""

import ctypes
import os
import shutil
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.work import assert_linear, lines
from vmdiff import importers
from vmdiff.errors import InputError, ListingError
from vmdiff.importers.java.hs_err import EXPECTED
from vmdiff.importers.java.nmt_tags import TaggedRange, disjoint, with_jvm_ranges
from vmdiff.model import Mapping

LOG = """\
#
# A fatal error has been detected by the Java Runtime Environment:
#
#  SIGSEGV (0xb) at pc=0x00007f780b066f14 (sent by kill), pid=19967, tid=19968
#
---------------  S U M M A R Y ------------

Command Line: -Dsecret=1 Sleep

Host: AMD EPYC, 2 cores, 23G, Debian GNU/Linux 12 (bookworm)
Time: Mon Nov 23 00:28:59 2026 UTC elapsed time: 3.500000 seconds (0d 0h 0m 3s)

Java Threads: ( => current thread )
=>0x00007f7804017ef0 JavaThread "main" [_thread_blocked, id=19968, stack(0x00007f780ad00000,0x00007f780ae00000)]
  0x00007fd8500d4660 VMThread "VM Thread"                           [id=20050, stack(0x00007f780b000000,0x00007f780b100000) (1024K)]
Other Threads:
  0x00007f780403e0e0 GCTaskThread "GC Thread#0" [stack: 0x00007f780b200000,0x00007f780b2ffae8] [id=19969]

Heap address: 0x00000000f0000000, size: 256 MB, Compressed Oops mode: 32-bit
CDS archive(s) mapped at: [0x00007f778f000000-0x00007f778f100000-0x00007f778f200000), size 12349440, Shared
Compressed class space mapped at: 0x00007f7790000000-0x00007f77d0000000, reserved size: 1073741824
 garbage-first heap   total 262144K, used 948K [0x00000000f0000000, 0x0000000100000000)
Card table byte_map: [0x00007f7809a00000,0x00007f7809a80000] _byte_map_base: 0x00007f7809280000
 Prev Bits: [0x00007f7809c00000, 0x00007f7809d00000)
 Next Bits: [0x00007f7809d00000, 0x00007f7809e00000)
CodeHeap 'non-nmethods': size=5692Kb used=1022Kb max_used=1033Kb free=4669Kb
 bounds [0x00007f7700000000, 0x00007f7700270000, 0x00007f7700600000]

Dynamic libraries:
f0000000-f8000000 rw-p 00000000 00:00 0
f8000000-100000000 ---p 00000000 00:00 0
55d8cf292000-55d8cf2d9000 rw-p 00000000 00:00 0                          [heap]
7f7700000000-7f7700270000 rwxp 00000000 00:00 0
7f778f000000-7f778f200000 rw-p 00001000 fe:00 328258                     /usr/lib/jvm/java-17/lib/server/classes.jsa
7f7790000000-7f7790010000 rw-p 00000000 00:00 0
7f7809a00000-7f7809b00000 rw-p 00000000 00:00 0
7f7809c00000-7f7809e00000 rw-p 00000000 00:00 0
7f780ad00000-7f780ad04000 ---p 00000000 00:00 0
7f780ad04000-7f780ae00000 rw-p 00000000 00:00 0
7f780b000000-7f780b100000 rw-p 00000000 00:00 0
7f780b200000-7f780b300000 rw-p 00000000 00:00 0
7ffe595d7000-7ffe59dd6000 rw-p 00000000 00:00 0                          [stack]
Total number of mappings: 13

uname: Linux 6.18.44 #1 SMP PREEMPT_DYNAMIC @0 x86_64
rlimit (soft/hard): STACK 8192k/infinity , CORE 0k/infinity , AS infinity/infinity
Process Memory:
Virtual Size: 2842616K (peak: 2904312K)
Resident Set Size: 41560K (peak: 41560K) (anon: 18484K, file: 23076K, shmem: 0K)
Swapped out: 0K
Memory: 4k page, physical 24682416k(20682416k free), swap 0k(0k free)
"""


def read(text, **choice):
    return importers.read(text.encode(), source="hs_err.log", **choice)


def owners(text):
    return {m.start: (m.owner.name, m.owner.label, m.owner.tid) for m in read(text).mappings if m.owner}


@pytest.mark.parametrize(
    ("start", "owner"),
    [
        pytest.param(0xF0000000, ("jvm heap", None, None), id="heap"),
        pytest.param(0xF8000000, ("jvm heap", None, None), id="uncommitted-heap"),
        pytest.param(0x7F7700000000, ("jvm code cache", "non-nmethods", None), id="code"),
        pytest.param(0x7F778F000000, ("jvm cds", None, None), id="archive"),
        pytest.param(0x7F7790000000, ("jvm class space", None, None), id="classes"),
        pytest.param(0x7F7809A00000, ("mixed", None, None), id="card-table-and-more"),
        pytest.param(
            0x7F7809C00000, ("jvm gc", "marking prev bits, marking next bits", None), id="merged-bits"
        ),
        pytest.param(0x7F780AD00000, ("thread stack", "main", 19968), id="stack-zones"),
        pytest.param(0x7F780AD04000, ("thread stack", "main", 19968), id="stack"),
        pytest.param(0x7F780B000000, ("thread stack", "VM Thread", 20050), id="new-layout"),
        pytest.param(
            0x7F780B200000, ("thread stack", "GC Thread#0", 19969), id="old-layout-with-record-on-top"
        ),
    ],
)
def test_what_the_log_says_elsewhere_becomes_an_owner(start, owner):
    assert owners(LOG)[start] == owner


def test_parts_tell_what_is_known_of_a_merged_mapping():
    mixed = next(m.owner for m in read(LOG).mappings if m.start == 0x7F7809A00000)

    assert [(p.start, p.end, p.name, p.label, p.certainty) for p in mixed.parts] == [
        (0x7F7809A00000, 0x7F7809A80000, "jvm gc", "card table", "certain")
    ]


def test_the_kernels_names_stand_before_the_logs():
    assert not {0x55D8CF292000, 0x7FFE595D7000} & set(owners(LOG))


def test_facts_of_process_and_host():
    snapshot = read(LOG)
    process, host = snapshot.process, snapshot.host

    assert (process.pid, process.peak_rss, process.limits) == (
        19967,
        41560 << 10,
        {"stack": 8 << 20, "as": "unlimited"},
    )
    assert snapshot.taken_at == datetime(2026, 11, 23, 0, 28, 59, tzinfo=UTC)
    assert (snapshot.taken_at - process.started_at).total_seconds() == 3.5
    assert [(t.tid, t.name) for t in process.threads] == [
        (19968, "main"),
        (19969, "GC Thread#0"),
        (20050, "VM Thread"),
    ]
    assert (host.system, host.kernel, host.machine, host.page_size) == ("Linux", "6.18.44", "x86_64", 4096)
    assert snapshot.rollup == {"size": 2842616 << 10, "rss": 41560 << 10, "swap": 0}


def test_the_command_line_stays_in_the_log():
    assert "secret" not in read(LOG).model_dump_json()


def test_a_zone_that_is_only_a_name_tells_no_time():
    assert read(LOG.replace("UTC", "EST")).taken_at is None


def test_mappings_that_are_missing_are_said():
    assert (
        "the log counts 113 mappings, its rows are 13" in read(LOG.replace(": 13\n", ": 113\n")).origin.doubts
    )


@pytest.mark.parametrize(
    ("old", "start", "owner"),
    [
        pytest.param(
            " PSYoungGen      total 76288K, used 2621K [0x00000000d0000000, 0x00000000e8000000, 0x00000000e9000000)\n",
            0xD0000000,
            ("jvm heap", "PSYoungGen", None),
            id="generation",
        ),
        pytest.param(
            " compacting perm gen  total 12288K, used 143K [0x00000000d0000000, 0x00000000e9000000, 0x00000000e9000000)\n",
            0xD0000000,
            ("jvm metaspace", "compacting perm gen", None),
            id="permanent-generation",
        ),
        pytest.param(
            "Compressed class space size: 402653184 Address: 0x00000000d0000000\n",
            0xD0000000,
            ("jvm class space", None, None),
            id="class-space-of-jdk-11",
        ),
        pytest.param(
            "CodeCache: size=245760Kb used=1022Kb\n bounds [0x00000000d0000000, 0x00000000d0270000, 0x00000000df000000]\n",
            0xD0000000,
            ("jvm code cache", None, None),
            id="one-code-cache",
        ),
    ],
)
def test_older_machines_say_it_otherwise(old, start, owner):
    row = "d0000000-d4000000 rw-p 00000000 00:00 0 \n"

    assert owners(LOG.replace("Dynamic libraries:\n", f"{old}Dynamic libraries:\n{row}"))[start] == owner


def test_windows_lists_modules():
    snapshot = read("""\
# A fatal error has been detected by the Java Runtime Environment:
Dynamic libraries:
0x00007ffd61b50000 - 0x00007ffd61d3d000 \tC:\\Windows\\SYSTEM32\\ntdll.dll
0x00007ff7bb0c0000 - 0x00007ff7bb0f5000         C:\\Program Files\\Zulu\\bin\\java.exe

VM Arguments:
OS: Windows 10.0 , 64 bit Build 17763 (10.0.17763.2300)
""")

    assert [(m.size, m.perms, str(m.kind), m.path) for m in snapshot.mappings] == [
        (0x35000, "????", "image", "C:\\Program Files\\Zulu\\bin\\java.exe"),
        (0x1ED000, "????", "image", "C:\\Windows\\SYSTEM32\\ntdll.dll"),
    ]
    assert "the log lists libraries only, without permissions" in snapshot.origin.doubts
    assert snapshot.host.system.startswith("Windows 10.0")


def test_macos_and_solaris_list_where_libraries_begin():
    snapshot = read("""\
# A fatal error has been detected by the Java Runtime Environment:
Dynamic libraries:
0x0000000100000000 \t/opt/jdk/bin/java
0xffffffff49400000      /apps/java/lib/sparcv9/server/libjvm.so

VM Arguments:
""")

    assert [(m.start, m.end, m.size, m.path) for m in snapshot.mappings] == [
        (0x100000000, None, None, "/opt/jdk/bin/java"),
        (0xFFFFFFFF49400000, None, None, "/apps/java/lib/sparcv9/server/libjvm.so"),
    ]
    assert snapshot.total("size") is None


def test_modules_alone_are_a_listing_too():
    text = "0x0000000000010000 - 0x0000000000020000 \tC:\\a.dll\n0x0000000000030000 - 0x0000000000040000 \tC:\\b.dll\n"

    assert len(read(text).mappings) == 2


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        ("...", "line 30: rows are missing: the listing is truncated here"),
        ("7f780b300000-7f780b40", "line 30: cut off in the middle of a row"),
        ("Can not get library information for pid = 12", "line 30: the libraries could not be read"),
        ("0x0000000000020000 - 0x0000000000010000 \tC:\\x.dll", f"line 30: not read, expected {EXPECTED}"),
    ],
)
def test_rows_that_are_none_are_said(row, doubt):
    text = LOG.replace("Dynamic libraries:\n", f"Dynamic libraries:\n{row}\n")

    assert doubt in read(text).origin.doubts
    assert len(read(text).mappings) == 13


def test_prose_where_the_list_should_be_is_refused_with_its_line():
    with pytest.raises(ListingError, match=r"hs_err.log:3: expected a mapping or library"):
        read("# A fatal error has been detected by the Java Runtime Environment:\nDynamic libraries:\nnone\n")


def test_two_logs_in_one_text_are_two_listings():
    with pytest.raises(InputError, match="2 listings"):
        read(LOG + LOG)
    assert read(LOG + LOG.replace("pid=19967", "pid=2"), choice=2).process.pid == 2


@pytest.mark.parametrize(
    ("name", "mappings"),
    [
        ("hs_err-linux-aarch64-musl-jdk11-full.log", 119),
        ("krashpad-dataset63.txt", 104),
        ("krashpad-dataset71.txt", 32),
        ("krashpad-dataset92.txt", 113),
    ],
)
def test_the_real_logs_parse_whole(case, name, mappings):
    assert len(importers.read(case(f"hs_err/{name}"), source=name).mappings) == mappings


def test_the_heap_of_the_real_log(case):
    snapshot = importers.read(case("hs_err/hs_err-linux-aarch64-musl-jdk11-full.log"), source="x")
    heap = [m for m in snapshot.mappings if m.owner and m.owner.name == "jvm heap"]

    assert (heap[0].start, heap[-1].end) == (0x85400000, 0x100000000)
    assert [str(m.kind) for m in snapshot.mappings if m.path == "[heap]"] == ["heap", "heap"]


def test_every_kind_of_row_in_the_peers_samples_is_read(case):
    lines = case("hs_err/krashpad-dynamic-library-lines.txt").decode().splitlines()
    rows = [line for line in lines if not line.startswith(("Dynamic", "Total", "Can not"))]

    for row in rows:
        log = f"# A fatal error has been detected by the Java Runtime Environment:\nDynamic libraries:\n{row}\n\n"
        assert len(read(log).mappings) == 1, row


SLEEPER = "public class Sleeper { public static void main(String[] a) throws Exception { System.out.println(1); Thread.sleep(99999); } }"


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
def test_a_virtual_machine_that_is_killed_here_tells_its_heap_and_stacks(tmp_path):
    (tmp_path / "Sleeper.java").write_text(SLEEPER)
    command = [
        "java",
        "-Xmx64m",
        "-Xint",
        "-XX:-CreateCoredumpOnCrash",
        f"-XX:ErrorFile={tmp_path}/hs.log",
        "Sleeper.java",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        try:
            if child.stdout.readline() != b"1\n":
                pytest.skip("this java cannot run a source file")
            maps = Path(f"/proc/{child.pid}/maps").read_text()
            _signal_thread(child.pid, _java_thread(child.pid))
            child.stdout.read()
        finally:
            child.kill()
    snapshot = importers.read((tmp_path / "hs.log").read_bytes(), source="hs.log")

    assert snapshot.process.pid == child.pid
    assert abs(len(snapshot.mappings) - maps.count("\n")) < 50  # the dying machine maps some more
    named = {m.owner.name for m in snapshot.mappings if m.owner}
    assert {"jvm heap", "jvm code cache", "jvm class space", "thread stack"} <= named
    assert "main" in {t.name for t in snapshot.process.threads}


def _java_thread(pid):
    """Give the thread that runs main: the launcher's second."""
    return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())[1]


def _signal_thread(pid, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(234 if os.uname().machine == "x86_64" else 131, pid, tid, signal.SIGSEGV)


claims = st.lists(
    st.builds(
        lambda start, size, name: TaggedRange(start, start + size, name, "e"),
        st.integers(0, 40),
        st.integers(1, 40),
        st.sampled_from("abc"),
    ),
    max_size=12,
)


@given(claims)
def test_each_address_goes_to_the_first_claim_on_it(given_claims):
    expected = {}
    for claim in reversed(given_claims):
        expected |= dict.fromkeys(range(claim.start, claim.end), claim.name)

    pieces = disjoint(given_claims)

    assert {at: piece.name for piece in pieces for at in range(piece.start, piece.end)} == expected
    assert sum(piece.end - piece.start for piece in pieces) == len(expected)


def test_many_overlapping_claims_cost_little():
    def work(count):
        mappings = [Mapping(start, start + 4096, "rw-p") for start in range(0, 4096 * count, 4096)]
        everything = [TaggedRange(start, 1 << 40, "jvm heap", "e") for start in range(2 * count)]
        return lines(lambda: with_jvm_ranges(mappings, [*everything, *reversed(everything)]))

    assert_linear(work, 2_000)
