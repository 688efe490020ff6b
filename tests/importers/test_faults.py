"""Listings that came out wrong once, each kind in a fixture of our own, and the folder they were reported in."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import zipfile
from pathlib import Path

import pytest

import vmdiff
from tests.importers.conftest import CASES
from vmdiff import sources
from vmdiff.errors import InputError
from vmdiff.importers.draft import NOT_READ, TRUNCATED

K = 1024
MAPS = """\
00400000-00452000 r-xp 00000000 08:02 173521 /srv/bin/dbus
00651000-00653000 rw-p 00051000 08:02 173521 /srv/bin/dbus
00e03000-00e24000 rw-p 00000000 00:00 0 [heap]
35b1800000-35b1820000 r-xp 00000000 08:02 135522 /lib64/ld-2.15.so
7fffb2c0d000-7fffb2c2e000 rw-p 00000000 00:00 0 [stack]
"""
EXTENDED = """\
4321:   /srv/bin/dbus --system
Address           Kbytes     RSS   Dirty Mode  Mapping
0000000000400000     328     300       0 r-x-- dbus
0000000000651000       8       8       8 rw--- dbus
0000000000e03000     132      40      40 rw---   [ anon ]
00007fffb2c0d000     132      20      20 rw---   [ stack ]
---------------- ------- ------- -------
total kB             600     368      68
"""


@pytest.fixture
def load(tmp_path):
    """Load a text as from a file, owners included."""

    def load(text, name="x.txt", choice=""):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
        return sources.load(f"{path}{choice}")

    return load


def kib(snapshot, counter):
    total = snapshot.total(counter)
    return None if total is None else total // K


def owners(snapshot):
    return [mapping.owner and mapping.owner.name for mapping in snapshot.mappings]


# ---------------------------------------------------------------- formats


def test_suses_extended_pmap_has_pss_and_five_letters(load):
    snapshot = load("""\
777:   ./worker 5
Address           Kbytes     RSS     PSS   Dirty    Swap Mode  Mapping
0000000000400000      12      12       6       0       0 r-xp- /srv/worker
0000000000602000       4       4       4       4       0 r--p- /srv/worker
0000000000603000       8       8       8       8       4 rw-p- /srv/worker
00007f1200000000     120     100     100     100      20 rw-p-   [ anon ]
---------------- ------- ------- ------- ------- -------
total kB             144     124     118     112      24
""")

    assert [kib(snapshot, name) for name in ("size", "rss", "pss", "dirty", "swap")] == [
        144,
        124,
        118,
        112,
        24,
    ]
    assert [mapping.perms for mapping in snapshot.mappings] == ["r-xp", "r--p", "rw-p", "rw-p"]
    assert snapshot.origin.doubts == ()


def test_suses_plain_and_device_pmap_have_five_letters(load):
    plain = load(
        "9:   x\n0000000000400000     12K r-xp- /srv/x\n0000000000603000      8K rw-p- /srv/x\n total  20K\n"
    )
    device = load("""\
9:   x
Address           Kbytes Mode  Offset           Device    Mapping
0000000000400000      12 r-xp- 0000000000000000 008:00002 /srv/x
0000000000603000       8 rw-p- 0000000000003000 008:00002 /srv/x
mapped: 20K    writeable/private: 8K    shared: 0K
""")

    assert kib(plain, "size") == kib(device, "size") == 20
    assert device.mappings[1].device == "08:02"


def test_suses_own_table_of_sles_11_and_12(load):
    snapshot = load("""\
START               SIZE     RSS     PSS   DIRTY    SWAP PERM OFFSET           DEVICE MAPPING
0000000000400000     40K     36K      2K      0K      0K r-xp 0000000000000000 fd:01  /usr/sbin/x
000000000060a000      8K      8K      8K      8K      4K rw-p 000000000000a000 fd:01  /usr/sbin/x
0000000000b10000    200K    160K    160K    160K      0K rw-p 0000000000000000 00:00  [heap]
Total:              248K    204K    170K    168K      4K

208K writable-private, 40K readonly-private, 0K shared, and 204K referenced
""")

    assert [kib(snapshot, name) for name in ("size", "rss", "pss", "dirty", "swap")] == [
        248,
        204,
        170,
        168,
        4,
    ]
    assert snapshot.origin.doubts == ()


SOLARIS = """\
3210:  ksh
 Address  Kbytes     RSS    Anon  Locked Mode   Mapped File
08050000     200     196       -       - r-x--  ksh
08092000       8       8       4       - rwx--  ksh
0809C000      40      40      16       - rw---    [ heap ]
FEF00000    1104     900       -       - r-x--  libc.so.1
FF0F0000       4       4       -       - rwxsR    [ anon ]
-------- ------- ------- ------- -------
total Kb    1356    1148      20       -
"""


def test_solaris_writes_hexadecimal_in_capitals(load):
    snapshot = load(SOLARIS)

    assert len(snapshot.mappings) == 5
    assert (kib(snapshot, "size"), kib(snapshot, "rss"), snapshot.total("locked")) == (1356, 1148, None)
    assert [mapping.perms for mapping in snapshot.mappings][-1] == "rwxs"


def test_solaris_through_egrep_keeps_its_rows(load):
    rows = [line for line in SOLARIS.splitlines() if "libc" in line or "heap" in line]

    assert [mapping.size // K for mapping in load("\n".join(rows) + "\n").mappings] == [40, 1104]


def test_modes_in_words(load):
    snapshot = load(
        "08048000    420K read/exec         /bin/sh\n080BA000     16K read/write/exec     [ heap ]\n"
    )

    assert [(mapping.perms, mapping.path) for mapping in snapshot.mappings] == [
        ("r-xp", "/bin/sh"),
        ("rwxp", "[heap]"),
    ]


def test_a_sorted_listing_is_one(load):
    lines = EXTENDED.splitlines()
    snapshot = load(
        "\n".join([lines[6], lines[5], lines[1], lines[3], lines[0], lines[2], lines[7], lines[4]])
    )

    assert (snapshot.process.pid, len(snapshot.mappings)) == (4321, 4)
    assert (kib(snapshot, "size"), kib(snapshot, "rss"), kib(snapshot, "dirty")) == (600, 368, 68)


def test_a_header_whose_last_names_are_glued(load):
    snapshot = load("""\
55:   nginx: master process
         Address Perm   Offset Device  Inode    Size     Rss Locked                   VmFlagsMapping
        00400000 r-xp 00000000  08:01    193     904     520      0    rd ex mr mw me dw sd  nginx
        00e03000 rw-p 00000000  00:00      0     132      88      0    rd wr mr mw me ac sd  [heap]
        10f5f000 rw-p 00000000  00:00      0      64      64      0    rd wr mr mw me ac sd
""")

    assert [mapping.path for mapping in snapshot.mappings] == ["nginx", "[heap]", None]
    assert [str(mapping.kind) for mapping in snapshot.mappings] == ["image", "heap", "anonymous"]
    assert snapshot.mappings[2].flags == ("rd", "wr", "mr", "mw", "me", "ac", "sd")


def test_a_listing_that_a_terminal_wrapped(load):
    whole = """\
55:   nginx: master process
         Address Perm   Offset Device  Inode    Size     Rss     Pss Referenced Anonymous LazyFree Swap SwapPss Locked Mapping
        00400000 r-xp 00000000  08:01    193     904     520     130        520         0        0    0       0      0 nginx
        00e03000 rw-p 00000000  00:00      0     132      88      88         88        88        0    0       0      0 [heap]
        10f5f000 rw-p 00000000  00:00      0      64      64      64         64        64        0    0       0      0
"""
    wrapped = "\n".join(line[at : at + 80] for line in whole.splitlines() for at in range(0, len(line), 80))

    assert load(wrapped).mappings == load(whole).mappings
    assert kib(load(wrapped), "anonymous") == 152


REGION_SUMMARY = """\
Process:               Sketch [902]
Path:                  /Applications/Sketch.app/Contents/MacOS/Sketch
Code Type:             ARM-64 (Native)

VM Region Summary:
ReadOnly portion of Libraries: Total=20.0M resident=0K(0%) swapped_out_or_unallocated=20.0M(100%)

                                VIRTUAL   REGION
REGION TYPE                        SIZE    COUNT (non-coalesced)
===========                     =======  =======
MALLOC guard page                   64K        4
Stack                             8176K        1
__DATA                             700K        9
__TEXT                            11.1M       30
===========                     =======  =======
TOTAL                             19.8M       44
"""


def test_the_region_summary_of_a_macos_crash_report(load):
    snapshot = load(REGION_SUMMARY)

    assert (snapshot.process.name, snapshot.process.pid) == ("Sketch", 902)
    assert [mapping.values["regions"] for mapping in snapshot.mappings] == [4, 1, 9, 30]
    assert snapshot.total("rss") is None


VMMAP_CSV = """\
"Process:","calc.exe"
"PID:","5508"

"Type","Size","Committed","Private","Total WS","Private WS","Shareable WS","Shared WS","Locked WS","Blocks","Largest"
"Total","2,368","1,316","300","900","220","680","600","","9",""
"Image","1,024","1,024","40","700","20","680","600","","3","1,024"

"Address","Type","Size","Committed","Private","Total WS","Private WS","Shareable WS","Shared WS","Locked WS","Blocks","Protection","Details"
"0000000000010000","Heap (Private Data)","64","64","64","60","60","","","","1","Read/Write","Heap ID: 1 [LOW FRAGMENTATION]"
"0000000000200000","Thread Stack","1,280","228","228","160","160","","","","3","Read/Write/Guard","Thread ID: 812"
"  0000000000200000","Thread Stack","1,052","","","","","","","","","Reserved",""
"  0000000000307000","Thread Stack","228","228","228","160","160","","","","","Read/Write",""
"00007FF600000000","Image","1,024","1,024","40","680","","680","600","","3","Execute/Read","C:\\\\Windows\\\\calc.exe"
"00007FF700000000","Free","9,999","","","","","","","","","",""
"""


def test_the_csv_file_of_vmmap_on_windows(load):
    snapshot = load(VMMAP_CSV)

    assert (snapshot.process.name, snapshot.process.pid, snapshot.host.system) == (
        "calc.exe",
        5508,
        "Windows",
    )
    assert [mapping.size // K for mapping in snapshot.mappings] == [64, 1052, 228, 1024]
    assert [mapping.perms for mapping in snapshot.mappings] == ["rw-p", "---p", "rw-p", "r-x?"]
    assert kib(snapshot, "rss") == 60 + 160 + 680
    assert owners(snapshot)[:3] == ["windows heap", "thread stack", "thread stack"]


NMT = """\
4242:

Native Memory Tracking:

Total: reserved=4196KB, committed=1092KB
-                 Java Heap (reserved=4096KB, committed=1024KB)
                            (mmap: reserved=4096KB, committed=1024KB)
-                    Thread (reserved=100KB, committed=68KB)
                            (thread #1)
"""
NMT_RANGES = """\
Virtual memory map:

[0x00000007ffc00000 - 0x0000000800000000] reserved 4096KB for Java Heap from
    [0x00007f7ddd0d9e4c] ReservedHeapSpace::ReservedHeapSpace(unsigned long)+0x1ac

\t[0x00000007ffc00000 - 0x00000007ffc80000] committed 512KB from
            [0x00007f7ddcd8bd46] VirtualSpace::expand_by(unsigned long)+0x66

\t[0x00000007ffe00000 - 0x00000007ffe80000] committed 512KB from
            [0x00007f7ddcd8bd46] VirtualSpace::expand_by(unsigned long)+0x66

[0x00007f7dde000000 - 0x00007f7dde010000] reserved and committed 64KB for GC from
    [0x00007f7ddcd8bd46] CardTable::initialize()+0x66
"""


def test_the_ranges_of_native_memory_tracking(load):
    snapshot = load(NMT + NMT_RANGES)

    assert [mapping.size // K for mapping in snapshot.mappings] == [512, 1536, 512, 1536, 64]
    assert [mapping.perms for mapping in snapshot.mappings] == ["????", "---?", "????", "---?", "????"]
    assert owners(snapshot) == ["jvm heap"] * 4 + ["jvm gc"]
    assert snapshot.process.pid == 4242
    assert not any(NOT_READ in doubt for doubt in snapshot.origin.doubts)


def test_a_summary_of_native_memory_tracking_has_totals(load):
    snapshot = load(NMT)

    assert (kib(snapshot, "size"), kib(snapshot, "committed")) == (4196, 1092)
    assert [mapping.start for mapping in snapshot.mappings] == [None, None]


def test_a_diff_of_native_memory_tracking_is_before_and_after(load):
    text = NMT.replace("reserved=100KB, committed=68KB)", "reserved=100KB +20KB, committed=68KB +8KB)")
    text = text.replace("reserved=4196KB, committed=1092KB", "reserved=4196KB +20KB, committed=1092KB +8KB")

    before, after = load(text, choice="#1"), load(text, choice="#2")

    assert (kib(before, "size"), kib(after, "size")) == (4176, 4196)
    assert (kib(before, "committed"), kib(after, "committed")) == (1084, 1092)


def test_bsds_procmap_prints_the_last_address(load):
    snapshot = load("""\
Start    End         Size  Offset   rwxSIpc  RWX  I/W/A Dev     Inode - File
1c000000-1c004fff      20k 00000000 r-x-Ip+ (rwx) 1/0/0 00:05   25999 - /usr/sbin/procmap [0xd5f2a0c4]
3c000000-3c001fff       8k 00005000 rw--Ip- (rwx) 1/0/0 00:05   25999 - /usr/sbin/procmap [0xd5f2a0c4]
7e000000-7e00ffff      64k 00000000 rw--Ip- (rwx) 1/0/0 00:00       0 -   [ heap ]
 total                 92k
""")

    assert [mapping.size // K for mapping in snapshot.mappings] == [20, 8, 64]
    assert [(mapping.perms, mapping.path) for mapping in snapshot.mappings] == [
        ("r-xp", "/usr/sbin/procmap"),
        ("rw-p", "/usr/sbin/procmap"),
        ("rw-p", "[heap]"),
    ]


def test_bsds_total_leaves_out_what_nobody_may_touch(load):
    snapshot = load("""\
Start            End                 Size Offset           rwxpc  RWX  I/W/A Dev     Inode - File
00001c0000000000-00001c0000000fff       4k 0000000000000000 r-xp- (rwx) 1/0/0 00:05   25999 - /usr/sbin/procmap
00001c0000100000-00001c00001fffff    1024k 0000000000000000 rw-p+ (rwx) 1/0/0 00:00       0 -   [ heap ]
00007f7fffbfe000-00007f7fffffdfff    4096k 0000000000000000 ---p+ (rwx) 1/0/0 00:00       0 -   [ stack ]
 total                   1028k
""")

    assert snapshot.totals["size"] == 5124 * K
    assert not snapshot.origin.doubts


def test_bsds_table_in_the_style_of_solaris_has_a_header(load):
    snapshot = load("""\
Start               Size  Protection        File
00001C0000000000      4K read/exec         /usr/sbin/procmap
00001C0000100000   1024K read/write          [ heap ]
 total              1028K
""")

    assert [mapping.perms[:3] for mapping in snapshot.mappings] == ["r-x", "rw-"]
    assert not snapshot.origin.doubts


def test_a_profile_of_gperftools_lists_libraries_behind_its_samples(load):
    snapshot = load("""\
heap profile:      2:     4096 [     9:     8192] @ heapprofile
     1:     2048 [     4:     4096] @ 0x0040b3f2 0x00409d4f
     1:     2048 [     5:     4096] @ 0x0040b3f2

MAPPED_LIBRARIES:
00400000-00452000 r-xp 00000000 08:02 173521 /srv/bin/dbus
35b1800000-35b1820000 r-xp 00000000 08:02 135522 /lib64/ld-2.15.so
""")

    assert [mapping.path for mapping in snapshot.mappings] == ["/srv/bin/dbus", "/lib64/ld-2.15.so"]
    assert f"lines 1, 2, 3 and 5: {NOT_READ}" in snapshot.origin.doubts


def test_status_and_memory_stat_beside_a_listing_are_facts(load):
    snapshot = load(
        "Name:\tdbus\nTgid:\t77\nPid:\t77\nPPid:\t1\nVmPeak:\t    9000 kB\nVmHWM:\t    4000 kB\nVmPTE:\t      40 kB\n\n"
        + MAPS
        + "\nanon 409600\nfile 8192\nkernel 4096\nshmem 0\n"
    )

    process = snapshot.process
    assert (process.pid, process.parent, process.name) == (77, 1, "dbus")
    assert (process.peak_size, process.peak_rss, process.page_tables) == (9000 * K, 4000 * K, 40 * K)
    assert any("anon 400 KiB, file 8 KiB" in doubt for doubt in snapshot.origin.doubts)
    assert not any(NOT_READ in doubt for doubt in snapshot.origin.doubts)


@pytest.mark.skipif(sys.platform != "linux", reason="reads this process")
def test_status_right_behind_smaps_says_nothing_of_the_last_mapping(load):
    """What ``cat /proc/self/smaps /proc/self/status`` prints: the keys of both look alike."""
    smaps, status = (Path(f"/proc/self/{name}").read_text() for name in ("smaps", "status"))
    alone, snapshot = load(smaps), load(smaps + status)

    assert snapshot.mappings == alone.mappings
    assert snapshot.origin == alone.origin
    assert snapshot.process.pid == os.getpid()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("heap profile:  1: 2 [ 3: 4] @ heap_v2/524288\n 1: 2 [3: 4] @ 0x1 0x2\n", "heap profile of pprof"),
        ("\n num     #instances         #bytes  class name\n   1:  10  20  [B\n", "jmap -histo"),
        ("top - 10:00:00 up 1 day\n  PID USER PR NI VIRT RES\n", "the output of top"),
        ("USER       PID %CPU %MEM    VSZ   RSS TTY\nroot 1 0.0 0.1 168 11 ?\n", "the output of ps"),
        ("              total        used        free\nMem:  16  8  8\n", "the output of free"),
        ("procs -----------memory----------\n r  b   swpd   free\n", "the output of vmstat"),
        (
            "  PID User     Command    Swap      USS      PSS      RSS\n 1 root init 0 1 2 3\n",
            "the output of smem",
        ),
        ("MemTotal:       16384 kB\nMemFree:  1 kB\nBuffers: 2 kB\n", "/proc/meminfo"),
        ("Name:\tx\nVmPeak:\t 10 kB\nVmRSS:\t 4 kB\n", "/proc/PID/status"),
        ("anon 1\nfile 2\nkernel_stack 3\npagetables 4\n", "memory.stat"),
        ("desc: --time-unit=i\ncmd: ./x\ntime_unit: i\nsnapshot=0\nmem_heap_B=0\n", "Massif"),
        ("==12== HEAP SUMMARY:\n==12==  in use at exit: 0 bytes\n", "Valgrind"),
        ("** MEMINFO in pid 812 [com.x] **\n", "dumpsys meminfo"),
    ],
)
def test_what_is_no_listing_is_refused_by_its_name(load, text, name):
    with pytest.raises(
        InputError, match=r"this looks like .*; vmdiff reads .* of the same process"
    ) as caught:
        load(text)

    assert name in str(caught.value)


def test_a_refusal_quotes_a_line_that_says_something(load):
    with pytest.raises(InputError, match="found 'nothing to see'"):
        load("```\n-----\n...\nnothing to see\n")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"JAVA PROFILE 1.0.2\0", "hprof"),
        (b"\x89PNG\r\n", "picture"),
        (b"%PDF-1.7", "PDF"),
    ],
)
def test_files_of_other_kinds_are_refused_by_their_name(load, head, name):
    with pytest.raises(InputError, match=name):
        load(head + bytes(300))


# ---------------------------------------------------------------- how people paste


WRAPS = {
    "timestamps": lambda n, line: f"2026-11-0{n}T09:30:00.{n}Z {line}",
    "syslog": lambda n, line: f"Nov  {n} 09:30:0{n} web-1 app[81{n}]: {line}",
    "journal": lambda n, line: f"2026-11-08T09:30:0{n}+0100 web app.sh[1]: {line}",
    "compose": lambda _, line: f"web-1  | {line}",
    "kubectl": lambda _, line: f"[pod/web-0/app] {line}",
    "dmesg": lambda n, line: f"[{n}1234.00{n}] {line}",
    "klog": lambda n, line: f"I1108 09:30:00.0{n}   1 main.go:3{n}] {line}",
    "grep -n": lambda n, line: f"{n}:{line}",
    "grep -H": lambda _, line: f"/proc/812/maps:{line}",
    "cat -n": lambda n, line: f"     {n}\t{line}",
    "nl, tabs made blanks": lambda n, line: f"     {n}  {line}",
    "comment": lambda _, line: f"# {line}",
    "c comment": lambda _, line: f" * {line}",
    "bullets": lambda _, line: f"- {line}",
    "plus marks": lambda _, line: f"+{line}",
    "quote in a quote": lambda _, line: f"> > {line}",
    "colours": lambda n, line: f"\x1b[3{n}m{line[:12]}\x1b[0m{line[12:]}",
    "grep's colours": lambda _, line: f"\x1b[01;31m\x1b[K{line[:8]}\x1b[m\x1b[K{line[8:]}",
    "docker's json": lambda n, line: json.dumps({"log": line + "\n", "stream": "stdout", "time": f"{n}"}),
    "log and line number": lambda n, line: f"{n}:2026-11-08 09:30:0{n},00{n} INFO - {line}",
}


@pytest.mark.parametrize("text", [MAPS, EXTENDED], ids=["maps", "pmap-x"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_what_stands_before_each_line_comes_off(load, wrap, text):
    wrapped = "".join(f"{WRAPS[wrap](n, line)}\n" for n, line in enumerate(text.splitlines(), 1))

    assert load(wrapped).mappings == load(text).mappings
    assert load(wrapped).rollup == load(text).rollup


CARRIERS = {
    "noformat": lambda text: "{noformat}\n" + text + "{noformat}\n",
    "code with a title": lambda text: "{code:title=maps|borderStyle=solid}\n" + text + "{code}\n",
    "noformat on the rows' lines": lambda text: "{noformat}" + text.removesuffix("\n") + "{noformat}\n",
    "fence on the rows' lines": lambda text: "```" + text.removesuffix("\n") + "```\n",
    "pre and code": lambda text: f'<div class="x"><pre><code>{text}</code></pre></div>\n',
    "br": lambda text: text.replace("\n", "<br>\n"),
    "br without newlines": lambda text: text.replace("\n", "<br/>"),
    "lone cr": lambda text: text.replace("\n", "\r"),
    "spelled out": lambda text: json.dumps(text) + "\n",
    "spelled out, in a document": lambda text: json.dumps(
        {"kind": "Event", "data": {"maps": text}}, indent=2
    ),
    "repr": lambda text: repr(text) + "\n",
    "quoted-printable": lambda text: "".join(
        f"{line[:40]}=\n{line[40:]}=20\n" for line in text.replace("=", "=3D").splitlines()
    ),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-32": lambda text: text.encode("utf-32"),
    "byte order mark": lambda text: "\ufeff" + text,
    "binary before": lambda text: b"\0\1\2\x80\0\0\0\0" + text.encode(),
    "gzip": lambda text: gzip.compress(text[:90].encode()) + gzip.compress(text[90:].encode()),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zip": lambda text: zipped({"maps.txt": text}),
    "gzip in a zip": lambda text: zipped({"maps.gz": gzip.compress(text.encode())}),
}


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_carries_a_text_comes_off(load, carrier):
    assert load(CARRIERS[carrier](MAPS)).mappings == load(MAPS).mappings


def test_rows_that_paste_or_awk_joined_are_cut_apart(load):
    lines = MAPS.splitlines()

    assert load("\t".join(lines[:2]) + "\n" + " ".join(lines[2:]) + "\n").mappings == load(MAPS).mappings


def test_keys_that_awk_put_on_the_rows_line(load):
    snapshot = load("".join(f"{line} Rss: {n} kB\n" for n, line in enumerate(MAPS.splitlines(), 4)))

    assert [mapping.path for mapping in snapshot.mappings] == [
        mapping.path for mapping in load(MAPS).mappings
    ]
    assert kib(snapshot, "rss") == 4 + 5 + 6 + 7 + 8


MARKS = [
    "...",
    "[...]",
    "[snip]",
    "(snipped)",
    "<snip>",
    "-- 8< --",
    "[output truncated]",
    "<12 more lines>",
    "…",
    ":",
]
MARKS += ["[message truncated]", "~~~ snip ~~~", "... 40 lines omitted ...", "etc.", "# ... cut ..."]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("at", [0, 2, 5])
def test_rows_that_are_missing_are_a_doubt_wherever_the_mark_is(load, mark, at):
    lines = MAPS.splitlines()
    snapshot = load("\n".join([*lines[:at], mark, *lines[at:]]))

    assert len(snapshot.mappings) == 5
    assert f"line {at + 1}: {TRUNCATED}" in snapshot.origin.doubts


def test_two_rollups_are_two_listings(load):
    text = "".join(
        f"5{n}000000-7fff73114000 ---p 00000000 00:00 0 [rollup]\nRss: {n} kB\nPss: {n} kB\n" for n in (4, 9)
    )

    with pytest.raises(InputError, match=r"holds 2 listings: #1 lines 1-3 .*, #2 lines 4-6"):
        load(text)
    assert [load(text, choice=f"#{n}").total("rss") for n in (1, 2)] == [4 * K, 9 * K]


GREPPED = "00e03000-00{end} rw-p 00000000 00:00 0 [heap]\nSize: {size} kB\nRss: 40 kB\n"


def test_before_and_after_of_one_mapping_in_one_text(load, tmp_path):
    text = (
        GREPPED.format(end="e24000", size=132) + "an hour later:\n" + GREPPED.format(end="f24000", size=1156)
    )
    (tmp_path / "both").write_text(text)
    before, after = sources.resolve_pair(str(tmp_path / "both"), None)

    assert (kib(before, "size"), kib(after, "size")) == (132, 1156)
    assert [str(change.change) for change in vmdiff.compare(before, after).changes] == ["grown"]


def test_both_sides_of_a_diff_are_listings(load, tmp_path):
    lines = MAPS.splitlines()
    text = "--- before\n+++ after\n@@ -1,5 +1,5 @@\n" + "".join(
        f" {line}\n" if n != 2 else f"-{line}\n+{line.replace('00e24000', '00f24000')}\n"
        for n, line in enumerate(lines)
    )
    (tmp_path / "both").write_text(text)
    before, after = sources.resolve_pair(str(tmp_path / "both"), None)

    assert before.mappings == load(MAPS).mappings
    assert kib(after, "size") == kib(before, "size") + 1024


def test_compare_refuses_a_file_of_one_or_three(load, tmp_path):
    for count in (1, 3):
        (tmp_path / "x").write_text("later:\n".join([MAPS] * count))
        with pytest.raises(InputError, match=f"must hold two snapshots, this one holds {count}"):
            sources.resolve_pair(str(tmp_path / "x"), None)


def test_a_total_alone_beside_a_listing_is_none(load):
    snapshot = load("$ pmap 77 | tail -n 1\n total            24692K\n$ pmap -x 4321\n" + EXTENDED)

    assert (snapshot.process.pid, kib(snapshot, "size")) == (4321, 600)
    assert f"line 2: {NOT_READ}" in snapshot.origin.doubts


def test_a_zip_of_two_files_asks_which(load):
    packed = zipped({"a": MAPS, "b": EXTENDED})

    with pytest.raises(InputError, match="holds 2 files: #1 'a', #2 'b'"):
        load(packed)
    assert load(packed, choice="#2").process.pid == 4321


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_cut_in_the_middle_is_refused(load, pack):
    with pytest.raises(InputError, match="damaged or cut"):
        load(pack(MAPS.encode())[:-9])


# ---------------------------------------------------------------- meaning


def test_a_tombstone_tells_all_its_threads_and_a_load_base_is_no_path(load):
    snapshot = load("""\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
ABI: 'arm'
pid: 900, tid: 931, name: Render  >>> com.example <<<
memory map: (fault address prefixed with --->)
    70194000-7078ffff r-x    1d1000    5fc000  /system/framework/boot.oat (load base 0x1d1000)
    ff49e000-ffc9cfff rw-         0    7ff000  [stack]
--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---
pid: 900, tid: 900, name: example  >>> com.example <<<
    r0 00000000  r1 00000001
""")

    assert [thread.tid for thread in snapshot.process.threads] == [931, 900]
    assert snapshot.mappings[0].path == "/system/framework/boot.oat"


def test_what_gcore_did_not_dump_is_no_gap(load):
    row = "    0x{:x}     0x{:x} {}    {:x}  {:x} /usr/lib/libm.so.6\n"
    text = "             Start                End Perm     Size Offset File\n"
    text += row.format(0x7F0000000000, 0x7F0000010000, "r--p", 0x10000, 0)
    text += row.format(0x7F0000010000, 0x7F0000090000, "---p", 0x80000, 0x10000)
    text += row.format(0x7F0000090000, 0x7F00000A0000, "r--p", 0x10000, 0x90000)

    snapshot = load(text)

    assert [mapping.perms for mapping in snapshot.mappings] == ["r--p", "???p", "r--p"]
    assert "library gap" not in owners(snapshot)


def test_a_gap_and_relro_where_text_and_data_share_a_page(load):
    snapshot = load("""\
7f10a0000000-7f10a0021000 r-xp 00000000 08:01 77 /lib/libm.so.6
7f10a0021000-7f10a0220000 ---p 00021000 08:01 77 /lib/libm.so.6
7f10a0220000-7f10a0221000 r--p 00020000 08:01 77 /lib/libm.so.6
7f10a0221000-7f10a0222000 rw-p 00021000 08:01 77 /lib/libm.so.6
""")

    assert owners(snapshot) == [None, "library gap", "relro", None]


def test_brk_memory_may_be_several_rows(load):
    snapshot = load("""\
88:   worker
0000000000400000   4092K r-x-- worker
00000000009ff000    192K rw--- worker
0000000001dee000    628K rw---   [ anon ]
0000000001e8b000    852K rw---   [ anon ]
0000000009000000     64K rw---   [ anon ]
""")

    assert owners(snapshot) == [None, None, "malloc heap", "malloc heap", None]


STACK = EXTENDED.replace("dbus --system", "dbus").replace(
    "0000000000e03000",
    "00007fff10000000    1792    1460       0 r-x-- libc-2.15.so\n"
    "00007fff20000000     152     132       0 r-x-- ld-2.15.so\n0000000000e03000",
)


def test_a_stack_that_differs_by_its_guard_page_is_the_same(load):
    counted = STACK.replace("00007fffb2c0d000     132 ", "00007fffb2c0d000     136 ")
    comparison = vmdiff.compare(load(STACK), load(counted))

    assert comparison.match == "address"
    assert [(str(change.change), change.delta["size"]) for change in comparison.changes] == [("grown", 4096)]


def test_exact_names_pair_first_also_without_addresses(load):
    smaps = "".join(
        f"{n}0000000-{n}0{n}00000 rw-p 00000000 00:00 0 [anon:stack_and_tls:{n}00]\nSize: {n * 1024} kB\nRss: 4 kB\n"
        for n in (1, 2, 3)
    )
    rows = "".join(
        f"    {n * 1024}        4        4        0        0        0        4        0        0    1 [anon:stack_and_tls:{n}00]\n"
        for n in (3, 1, 2)
    )
    showmap = (
        "    size      RSS      PSS    clean    dirty    clean    dirty     swap  swapPSS   # object\n" + rows
    )

    comparison = vmdiff.compare(load(smaps), load(showmap))

    assert (list(comparison.changes), comparison.unchanged) == ([], 3)


@pytest.mark.parametrize("order", [1, -1])
def test_a_rollup_against_smaps_compares_totals_and_lists_no_mapping_as_gone(load, order):
    smaps = "".join(f"{line}\nRss: {n} kB\nPss: {n} kB\n" for n, line in enumerate(MAPS.splitlines(), 4))
    rollup = "00400000-7fffb2c2e000 ---p 00000000 00:00 0 [rollup]\nRss: 34 kB\nPss: 33 kB\n"

    comparison = vmdiff.compare(*[load(text) for text in (smaps, rollup)][::order])

    assert comparison.changes == ()
    assert (comparison.totals["rss"].delta, comparison.totals["pss"].delta) == (4 * K * order, 3 * K * order)
    assert comparison.differs


def test_an_empty_range_is_a_doubt_that_says_so(load):
    snapshot = load("00002000-00002000 rwxp 00000000 00:00 0\n" + MAPS)

    assert len(snapshot.mappings) == 5
    assert "line 1: an empty range, which no mapping has: left out" in snapshot.origin.doubts


def test_a_file_whose_name_is_missing_is_no_generated_code(load):
    snapshot = load(
        "7f120000000-7f120000100 r-xp 00000000 fc:00 1966\n".replace("-7f120000100", "-7f120001000")
    )

    assert (str(snapshot.mappings[0].kind), owners(snapshot)) == ("file", [None])


def test_executable_memory_says_nothing_where_all_is_executable(load):
    old = load(
        "00010000-00020000 r-xp 0 8:1 7 /srv/x\n00020000-00030000 rwxp 10000 8:1 7 /srv/x\n7f000000-7f010000 rwxp 0 0:0 0\n"
    )
    wine = load(
        "00330000-00331000 r-xp 0 8:1 7 /wine/x.dll\n00331000-00333000 r-xp 0 0:0 0\n00340000-00350000 rwxp 0 0:0 0\n"
    )

    assert "jit code" not in owners(old) + owners(wine)


def test_gos_heap_is_known_by_its_place(load):
    assert owners(load("00400000-00500000 r-xp 0 8:1 7 /srv/x\nc000000000-c004000000 rw-p 0 0:0 0\n")) == [
        None,
        "go heap",
    ]


# ---------------------------------------------------------------- what 46 public texts taught


def test_suses_plain_table_has_no_device_and_two_totals(load):
    snapshot = load("""\
...
00007ffc83000000     16K      8K      2K      0K      0K r-xp [vdso]
ffffffffff600000      4K      0K      0K      0K      0K r-xp [vsyscall]
Total:            10560K    636K     79K     48K     88K

336K writable-private, 10224K readonly-private, 0K shared, and 636K referenced
""")

    assert [kib(snapshot, name) for name in ("size", "rss", "pss", "dirty", "swap")] == [20, 8, 2, 0, 0]
    assert snapshot.rollup["pss"] == 79 * K


def test_solaris_may_print_the_size_of_pages(load):
    snapshot = load("""\
15:  ./maps
 Address  Kbytes     RSS    Anon  Locked Pgsz Mode   Mapped File
00010000       8       8       -       -   8K r-x--  maps
00400000    4096    4096    4096       -   4M rwx--    [ heap ]
FFBFA000      24      24       -       -    - rwx--    [ stack ]
""")

    assert [mapping.size // K for mapping in snapshot.mappings] == [8, 4096, 24]
    assert kib(snapshot, "rss") == 4128


def test_a_type_of_region_may_end_in_a_number(load):
    snapshot = load(
        REGION_SUMMARY.replace(
            "__TEXT                            11.1M       30", "Memory Tag 244     11.1M       30"
        )
    )

    assert snapshot.mappings[3].values["region_type"] == "Memory Tag 244"
    assert snapshot.mappings[3].values["regions"] == 30


def test_a_summary_without_the_head_of_its_report(load):
    snapshot = load(REGION_SUMMARY[REGION_SUMMARY.index("VM Region") :])

    assert len(snapshot.mappings) == 4
    assert not any(NOT_READ in doubt for doubt in snapshot.origin.doubts)


def test_xcrash_writes_a_sign_for_the_name_above(load):
    snapshot = load("""\
memory map:
    12c00000-12c95000 rw-       0   95000 /dev/ashmem/dalvik-main space (deleted)
    12c95000-141ef000 rw-   95000 155a000 >
    6fc27000-70758000 rw-       0  b31000 /data/boot.art
    70758000-73320000 r-x       0 2bc8000 >
""")

    assert [mapping.path for mapping in snapshot.mappings] == ["/dev/ashmem/dalvik-main space"] * 2 + [
        "/data/boot.art"
    ] * 2
    assert [mapping.deleted for mapping in snapshot.mappings] == [True, True, False, False]


def test_a_glibc_report_whose_stars_were_escaped(load):
    snapshot = load(
        "**\\* glibc detected **\\* /usr/sbin/cupsd: double free: 0x1 ***\n======= Memory map: ========\n"
        + MAPS
    )

    assert (snapshot.process.name, len(snapshot.mappings)) == ("cupsd", 5)
    assert snapshot.origin.doubts == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "$ cat /proc/7/maps",
        "root@host /home/me# sudo cat /proc/7/maps",
        "a52q:/proc/7 # cat /proc/7/maps",
        "[me@host ~]$ cat /proc/7/maps",
        "+ cat /proc/7/maps",
    ],
)
def test_prompts_are_known(load, prompt):
    assert load(f"{prompt}\n{MAPS}").origin.doubts == ()


@pytest.mark.parametrize("prompt", ["(gdb) info proc mappings", "gef➤  info proc mappings", "pwndbg> vmmap"])
def test_prompts_of_debuggers_are_known(load, prompt):
    table = "Start End Size Offset Perms objfile\n0x1000 0x2000 0x1000 0x0 r-xp /x\n0x3000 0x4000 0x1000 0x0 rw-p /x\n"

    assert load(f"{prompt}\n{table}").origin.doubts == ()


# ---------------------------------------------------------------- the folder of reports

RIGHT = {
    "01a-opensuse-pmap.txt": (24, 105192, 104204),
    "01b-opensuse-pmap-x.txt": (10, 104508, None),
    "01c-opensuse-pmap-d.txt": (8, 102948, None),
    "01d-sles12-pmap-d.txt": (11, 838924, 75356),
    "02-pmap-x-sorted.txt": (6, 157324, 88996),
    "03-macos-vm-region-summary.txt": (9, 986488, None),
    "04-solaris-pmap-x.txt": (28, 10232, 3332),
    "06-tombstone-threads.txt": (3, None, None),
    "09-html-pre-first-row.txt": (3, 1160, None),
    "10-trailing-dots.txt": (3, 1160, None),
    "13-jira-noformat.txt": (2, 1156, None),
    "14-before-and-after-of-one-mapping.txt#1": (1, 4808, 4732),
    "14-before-and-after-of-one-mapping.txt#2": (1, 17964, 17852),
    "15-total-lines-before-listing.txt": (5, 489964, 487740),
    "16-rss-on-the-same-line.txt": (3, 1292, 1008),
    "19-pwndbg-gcore-gap.txt": (11, None, None),
    "20-log-prefix.txt": (14, 11412, None),
    "30-pmap-XX-glued-header.txt": (3, 31216, 27688),
    "32-profile-binary-then-maps.txt": (2, 12280, None),
    "35-snip-at-the-end.txt": (2, 7552, 7552),
    "37-empty-range.maps.txt": (0, 0, None),
}


@pytest.mark.skipif(CASES is None, reason="the folder of real listings is not here")
@pytest.mark.parametrize("name", RIGHT)
def test_the_reported_files_give_the_right_values(name):
    rows, size, rss = RIGHT[name]
    snapshot = sources.load(f"{CASES}/faults/{name}")

    assert len(snapshot.mappings) == rows
    assert size in {None, kib(snapshot, "size")}
    assert kib(snapshot, "rss") == rss or rss is None
