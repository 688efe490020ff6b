"""Tables of gdb, pwndbg, gef and peda: the header says which column is where, what has no column is unknown."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vmdiff import importers, sources
from vmdiff.errors import ListingError


def read(text):
    return importers.read(text.encode(), source="gdb.txt")


def rows(text):
    return [(m.start, m.end, m.perms, m.offset, m.path) for m in read(text).mappings]


GDB_7_0 = """\
process 1984
cmdline = '/opt/heap0'
cwd = '/opt'
exe = '/opt/heap0'
Mapped address spaces:

        Start Addr   End Addr       Size     Offset objfile
         0x8048000  0x8049000     0x1000          0        /opt/heap0
         0x8049000  0x804a000     0x1000     0x1000        /opt/heap0
        0xb7e96000 0xb7e97000     0x1000          0
"""
GDB_13 = """\
process 11629
Mapped address spaces:

          Start Addr           End Addr       Size     Offset  Perms  objfile
      0x55bdc3253000     0x55bdc3254000     0x1000     0x1000  r-xp   /tmp/a b/s
      0x7fa350021000     0x7fa354000000  0x3fdf000        0x0  ---p
  0xffffffffff600000 0xffffffffff601000     0x1000        0x0  --xp   [vsyscall]
"""
GDB_16 = """\
process 974
Mapped address spaces:
Start Addr         End Addr           Size               Offset             Perms File
0x0000000000401000 0x00000000004c8000 0xc7000            0x0                r-xs  /memfd:upx (deleted)\x20
0x00000000004c8000 0x00000000004f9000 0x31000            0x0                r--p\x20\x20
"""
GDB_FREEBSD = """\
process 3124
Mapped address spaces:

          Start Addr           End Addr       Size     Offset   Flags   File
            0x200000           0x204000     0x4000        0x0  r-- CN-- /bin/sleep
            0x204000           0x206000     0x2000     0x3000  r-x C--- /bin/sleep
         0x800000000        0x800200000   0x200000        0x0  rw- ----
"""
PWNDBG = """\
pwndbg> vmmap
LEGEND: STACK | HEAP | CODE | DATA | RWX | RODATA
             Start                End Perm     Size Offset File
    0x555555554000     0x555555556000 r--p     2000      0 /usr/bin/cat
►   0x555555556000     0x55555555b000 r-xp     5000   2000 /usr/bin/cat +0x1000
    0x7ffff7d8a000     0x7ffff7d8d000 rw-p     3000      0 [anon_7ffff7d8a]
    0x7ffffffde000     0x7ffffffff000 rw-p    21000      0 [stack]
"""
GEF = """\
gef➤  vmmap
[ Legend:  Code | Heap | Stack ]
Start              End                Offset             Perm Path
0x0000555555554000 0x0000555555555000 0x0000000000000000 r-x /usr/bin/cat
\x1b[32m0x0000555555756000 0x0000555555777000 0x0000000000000000 rw- [heap]\x1b[0m
"""
PEDA = """\
gdb-peda$ vmmap
Start              End                Perm\tName
0x00400000         0x00401000         r-xp\t/home/x/vuln
0x00007ffff7dd3000 0x00007ffff7dd5000 rw-p\tmapped
"""


PWNDBG_2019 = """\
pwndbg> vmmap
LEGEND: STACK | HEAP | CODE | DATA | RWX | RODATA
 0x8048000  0x8049000 r-xp     1000 0      /home/x/vuln
~~~
0xf7ddb000 0xf7fb0000 r-xp   1d5000 1000   /lib/i386-linux-gnu/libc-2.27.so
0xf7fb4000 0xf7fb7000 rwxp     3000 0\x20\x20\x20\x20\x20\x20
pwndbg> x/4gx 0x804a000
0x804a000  0x0000000008049f14      0xf7ffd918f7fee710      ................
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            GDB_7_0,
            [
                (0x8048000, 0x8049000, "????", 0, "/opt/heap0"),
                (0x8049000, 0x804A000, "????", 0x1000, "/opt/heap0"),
                (0xB7E96000, 0xB7E97000, "????", 0, None),
            ],
            id="gdb-7.0",
        ),
        pytest.param(
            GDB_13,
            [
                (0x55BDC3253000, 0x55BDC3254000, "r-xp", 0x1000, "/tmp/a b/s"),
                (0x7FA350021000, 0x7FA354000000, "---p", 0, None),
                (0xFFFFFFFFFF600000, 0xFFFFFFFFFF601000, "--xp", 0, "[vsyscall]"),
            ],
            id="gdb-13",
        ),
        pytest.param(
            GDB_16,
            [(0x401000, 0x4C8000, "r-xs", 0, "/memfd:upx"), (0x4C8000, 0x4F9000, "r--p", 0, None)],
            id="gdb-16",
        ),
        pytest.param(
            GDB_FREEBSD,
            [
                (0x200000, 0x204000, "r--?", 0, "/bin/sleep"),
                (0x204000, 0x206000, "r-x?", 0x3000, "/bin/sleep"),
                (0x800000000, 0x800200000, "rw-?", 0, None),
            ],
            id="gdb-on-freebsd",
        ),
        pytest.param(
            PWNDBG,
            [
                (0x555555554000, 0x555555556000, "r--p", 0, "/usr/bin/cat"),
                (0x555555556000, 0x55555555B000, "r-xp", 0x2000, "/usr/bin/cat"),
                (0x7FFFF7D8A000, 0x7FFFF7D8D000, "rw-p", 0, None),
                (0x7FFFFFFDE000, 0x7FFFFFFFF000, "rw-p", 0, "[stack]"),
            ],
            id="pwndbg",
        ),
        pytest.param(
            PWNDBG_2019,
            [
                (0x8048000, 0x8049000, "r-xp", 0, "/home/x/vuln"),
                (0xF7DDB000, 0xF7FB0000, "r-xp", 0x1000, "/lib/i386-linux-gnu/libc-2.27.so"),
                (0xF7FB4000, 0xF7FB7000, "rwxp", 0, None),
            ],
            id="pwndbg-without-header",
        ),
        pytest.param(
            GEF,
            [
                (0x555555554000, 0x555555555000, "r-x?", 0, "/usr/bin/cat"),
                (0x555555756000, 0x555555777000, "rw-?", 0, "[heap]"),
            ],
            id="gef",
        ),
        pytest.param(
            PEDA,
            [
                (0x400000, 0x401000, "r-xp", None, "/home/x/vuln"),
                (0x7FFFF7DD3000, 0x7FFFF7DD5000, "rw-p", None, None),
            ],
            id="peda",
        ),
    ],
)
def test_each_generation_is_read_by_its_header(text, expected):
    assert rows(text) == expected


def test_without_permissions_a_file_in_several_pieces_is_an_image():
    assert [str(m.kind) for m in read(GDB_7_0).mappings] == ["image", "image", "anonymous"]


def test_a_listing_around_an_address_is_not_the_whole():
    text = PWNDBG.replace("►   0x555555556000", "►x555555556000")

    assert read(text).mappings[1].start == 0x555555556000
    assert any("only the mappings around it" in doubt for doubt in read(text).origin.doubts)


def test_dots_and_tildes_stand_for_rows_that_were_left_out():
    assert "line 4: rows are missing: the listing is truncated here" in read(PWNDBG_2019).origin.doubts
    assert (
        "line 4: rows are missing: the listing is truncated here"
        in read(GEF.replace("Perm Path\n", "Perm Path\n.\t.\t.\n")).origin.doubts
    )


def test_what_has_no_column_is_unknown():
    mapping = read(GDB_13).mappings[0]

    assert (mapping.inode, mapping.device) == (None, None)
    assert read(GDB_7_0).total("accessible") is None


def test_the_process_is_named():
    process = read(GDB_7_0).process

    assert (process.pid, process.executable) == (1984, "/opt/heap0")


def test_lines_that_were_left_out_are_said():
    assert (
        "line 11: rows are missing: the listing is truncated here"
        in read(GDB_7_0 + "... <snip> ...\n").origin.doubts
    )


def test_the_listing_of_a_core_file_is_known_to_be_incomplete():
    text = re.sub(
        "process.*\n", "", GDB_13.replace("[vsyscall]", "/lib/x.so").replace("---p", "---p   /lib/y")
    )

    assert "of a core file: only mappings of files are listed" in read(text).origin.doubts


def test_the_output_of_a_whole_session_is_no_broken_document(tmp_path):
    (tmp_path / "gdb.txt").write_text(
        "[New LWP 11631]\n[Thread debugging using libthread_db enabled]\n" + GDB_13
    )

    assert len(sources.load(tmp_path / "gdb.txt").mappings) == 3


def test_a_size_that_contradicts_the_addresses_is_said():
    text = GDB_13.replace("0x3fdf000", "0x3fde000")

    assert any("line 6: the size is not" in doubt for doubt in read(text).origin.doubts)


def test_overlaps_are_refused_with_their_lines():
    with pytest.raises(ListingError, match=r"gdb.txt:6: expected addresses that line 5 has not taken"):
        read(GDB_13.replace("0x7fa350021000", "0x55bdc3253fff"))


@pytest.mark.parametrize(
    ("name", "mappings"),
    [
        ("core-file-not-page-aligned.txt", 5),
        ("exec-stack-i386-in-x86_64.txt", 3),
        ("exploit-me-gdb7.4-i386.txt", 10),
        ("gef-qemu-user-perms-objfile.txt", 7),
        ("protostar-heap0-snip.txt", 3),
        ("protostar-stack6-i386.txt", 10),
        ("qemu-arm-static-gdb16.txt", 5),
        ("qemu-user-arm-no-perms.txt", 9),
        ("upx-client-gdb12-perms-file.txt", 9),
    ],
)
def test_the_real_listings_parse_whole(case, name, mappings):
    snapshot = importers.read(case(f"gdb/{name}"), source=name)

    assert len(snapshot.mappings) == mappings
    assert not any((m.path or "x").endswith(" ") for m in snapshot.mappings)


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_the_gdb_of_this_machine_tells_what_the_kernel_tells():
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        command = ["gdb", "-nx", "-batch", "-p", str(child.pid), "-ex", "info proc mappings"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        kernel = [row.split(None, 5) for row in Path(f"/proc/{child.pid}/maps").read_text().splitlines()]
        child.communicate(b"\n")
    if "Mapped address spaces" not in told.stdout:
        pytest.skip(f"gdb may not attach here: {told.stderr.strip()[:200]}")

    assert [(f"{m.start:08x}-{m.end:08x}", m.perms, m.path) for m in read(told.stdout).mappings] == [
        (fields[0], fields[1], fields[5].strip() if len(fields) > 5 else None) for fields in kernel
    ]
