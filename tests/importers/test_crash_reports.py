"""Maps inside crash reports: glibc's abort, AddressSanitizer's errors, Android's tombstones."""

import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from tests.importers.conftest import doubts_inside
from vmdiff import importers
from vmdiff.errors import InputError, ListingError


def read(text):
    return importers.read(text.encode(), source="crash.txt")


GLIBC = """\
*** Error in `./hhtest': free(): invalid pointer: 0x0000000000be2018 ***
======= Backtrace: =========
/lib/x86_64-linux-gnu/libc.so.6(+0x777e5)[0x7f1ad25c37e5]
======= Memory map: ========
00400000-00403000 r-xp 00000000 08:01 421594                             /home/user/hhtest
00603000-00604000 rw-p 00003000 08:01 421594                             /home/user/hhtest
00be2000-00c03000 rw-p 00000000 00:00 0                                  [heap]
b7e26000-b7e2a000 rw-p b7e26000 00:00 0
"""


def test_a_glibc_report_tells_the_program_and_its_map():
    snapshot = read(GLIBC + "Aborted (core dumped)\n")

    assert (snapshot.process.name, len(snapshot.mappings)) == ("hhtest", 4)
    assert [str(m.kind) for m in snapshot.mappings] == ["image", "image", "heap", "anonymous"]
    assert snapshot.origin.doubts == ()


def test_an_overflow_is_reported_in_other_words():
    text = GLIBC.replace(GLIBC.splitlines()[0], "*** buffer overflow detected ***: /opt/a b/prog terminated")

    assert read(text).process.name == "prog"


def test_what_old_kernels_print_as_offset_of_anonymous_memory_is_none():
    assert read(GLIBC).mappings[3].offset == 0


@pytest.mark.parametrize(
    "fragment",
    [
        "b037",
        "b037a000-",
        "b037a000-b037b000 r",
        "b037a000-b037b000 rw-p 0000",
        "b037a000-b037b000 rw-p 00000000 08:0",
    ],
)
def test_a_row_that_was_cut_off_is_reported(fragment):
    snapshot = read(GLIBC + fragment)

    assert len(snapshot.mappings) == 4
    assert "line 9: cut off in the middle of a row" in snapshot.origin.doubts


def test_a_report_without_rows_is_refused():
    with pytest.raises(ListingError, match="expected a map after its title"):
        read("======= Memory map: ========\n")


@pytest.mark.parametrize(
    ("name", "mappings", "doubts"),
    [
        ("fglrxinfo-dri-card0.txt", 12, 0),
        ("hhtest-ubuntu1604-indented.txt", 10, 0),
        ("thunderbird-2.0-truncated-mid-line.txt", 10, 1),
    ],
)
def test_the_real_glibc_reports_parse_whole(case, name, mappings, doubts):
    snapshot = importers.read(case(f"glibc-abort/{name}"), source=name)

    assert (len(snapshot.mappings), len(doubts_inside(snapshot))) == (mappings, doubts)


ASAN = """\
==11591==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x60200000001a at pc 0x55fb012f01cb
==11591==Process memory map follows:
\t0x00007fff7000-0x00008fff7000\t
\t0x00008fff7000-0x02008fff7000\t
\t0x02008fff7000-0x10007fff8000\t
\t0x55fb012ef000-0x55fb012f0000\t/tmp/a b/prog
\t0x55fb012f0000-0x55fb012f1000\t/tmp/a b/prog
\t0x602000000000-0x602000010000\t
\t0x7f0f13a00000-0x7f0f13a10000\t/usr/share/data
\t0x7ffcd3484000-0x7ffcd34a5000\t[stack]
==11591==End of process memory map.
"""


def test_a_sanitizers_map_tells_no_permissions():
    snapshot = read(ASAN)

    assert {m.perms for m in snapshot.mappings} == {"????"}
    assert snapshot.total("accessible") is None
    assert snapshot.origin.doubts == ("the listing tells no permissions",)
    assert snapshot.process.pid == 11591


def test_files_in_several_pieces_are_images():
    kinds = {m.path: str(m.kind) for m in read(ASAN).mappings if m.path}

    assert kinds == {"/tmp/a b/prog": "image", "/usr/share/data": "file", "[stack]": "stack"}


def test_shadow_and_heap_lie_where_the_sanitizer_keeps_them_which_is_likely():
    owners = [(m.owner.name, m.owner.certainty) for m in read(ASAN).mappings if m.owner]

    assert owners == [("sanitizer shadow", "likely")] * 3 + [("sanitizer heap", "likely")]


def test_a_process_may_be_named_before_its_number():
    snapshot = read(ASAN.replace("==11591==", "==appspawn==11591=="))

    assert (snapshot.process.pid, len(snapshot.mappings)) == (11591, 8)


def test_a_map_without_its_last_line_may_be_cut_short():
    assert any("may be cut short" in doubt for doubt in read(ASAN.rpartition("==11591")[0]).origin.doubts)


def test_the_module_map_of_macos_tells_uuids():
    snapshot = read("""\
Process module map:
0x000102890000-0x000102898000 /private/tmp/a.out (arm64) <0123ABCD-0123-4567-89AB-0123456789AB>
End of module map.
""")

    assert snapshot.mappings[0].path == "/private/tmp/a.out"
    assert snapshot.mappings[0].build_id == "0123abcd0123456789ab0123456789ab"


def test_the_real_sanitizer_report_parses_whole(case):
    snapshot = importers.read(case("asan/zziplib-CVE-2018-6869.txt"), source="zzip")

    assert (len(snapshot.mappings), snapshot.process.pid) == (26, 10395)


BROKEN = "#include <stdlib.h>\nint main(int c, char **v) { char *p = malloc(10); p[c + 9] = 1; return 0; }\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_sanitizer_of_this_machine_tells_the_kernels_map(tmp_path):
    (tmp_path / "broken.c").write_text(BROKEN)
    built = subprocess.run(
        ["gcc", "-fsanitize=address", "broken.c", "-o", "broken"], cwd=tmp_path, capture_output=True
    )
    if built.returncode:
        pytest.skip("this gcc has no AddressSanitizer")
    ran = subprocess.run(
        [tmp_path / "broken"], env={"ASAN_OPTIONS": "print_module_map=1"}, capture_output=True
    )
    if b"memory map follows" not in ran.stderr:
        pytest.skip("this AddressSanitizer prints no map")
    snapshot = importers.read(ran.stderr, source="asan")

    assert not any("cut short" in doubt for doubt in snapshot.origin.doubts)
    assert {str(m.kind) for m in snapshot.mappings if m.path == str(tmp_path / "broken")} == {"image"}
    assert any(m.path == "[stack]" for m in snapshot.mappings)


TOMBSTONE = """\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'google/oriole/oriole:14/AP1A/1:user/release-keys'
ABI: 'arm64'
Timestamp: 2024-05-12 10:11:12.123456789+0200
pid: 2314, tid: 2320, name: RenderThread  >>> com.example.app <<<
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x0000000000000010

memory map (5 entries): (fault address prefixed with --->)
    00000000'12c00000-00000000'1abfffff rw-         0   8000000  [anon:dalvik-main space (region space)]
--->Fault address falls at 00000000'2a533000 between mapped regions
    0000007a'0a634000-0000007a'0a634fff r-x      1000      1000  /system/lib64/libfoo.so (BuildId: 0123456789abcdef) (load bias 0x2000)
    0000007a'0a635000-0000007a'0a635fff rw-         0      1000
    0000007a'0a700000-0000007a'0a703fff ---         0      4000  /dev/ashmem/x (deleted)
    0000007a'0a800000-0000007a'0a802fff r--         0      3000  /data/a b.apk
--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---
    0000007a'0b800000-0000007a'0b802fff of another thread
"""


def test_ends_are_inclusive():
    snapshot = read(TOMBSTONE)

    assert [m.size for m in snapshot.mappings] == [0x8000000, 0x1000, 0x1000, 0x4000, 0x3000]
    assert snapshot.origin.doubts == ("ends are inclusive in this format: 5 of them were raised by one",)


def test_the_rest_of_a_row_is_taken_apart():
    library = read(TOMBSTONE).mappings[1]

    assert (library.perms, library.offset, library.path) == ("r-x?", 0x1000, "/system/lib64/libfoo.so")
    assert (library.build_id, library.values["load_bias"]) == ("0123456789abcdef", "0x2000")
    assert read(TOMBSTONE).mappings[3].deleted


def test_the_heading_names_the_process():
    snapshot = read(TOMBSTONE)

    assert (snapshot.process.pid, snapshot.process.name) == (2314, "com.example.app")
    assert [(t.tid, t.name) for t in snapshot.process.threads] == [(2320, "RenderThread")]
    assert (snapshot.host.system, snapshot.host.machine) == ("Android", "arm64")
    assert snapshot.taken_at == datetime(2024, 5, 12, 8, 11, 12, tzinfo=UTC)


def test_missing_entries_are_said():
    text = TOMBSTONE.replace("5 entries", "1150 entries")

    assert any("counts 1,150 entries, its rows are 5" in doubt for doubt in read(text).origin.doubts)


def test_what_logcat_puts_before_each_line_comes_off():
    text = "".join(f"05-12 10:11:12.123  1234  1234 F DEBUG   : {line}\n" for line in TOMBSTONE.splitlines())

    assert [m.size for m in read(text).mappings] == [0x8000000, 0x1000, 0x1000, 0x4000, 0x3000]


def test_old_releases_print_the_kernels_ends():
    snapshot = read("""\
I/DEBUG: memory map around fault addr d5dfdde9:
I/DEBUG:     bee24000-bee45000 rw- [stack]
I/DEBUG:     (no map for address)
I/DEBUG:     ffff0000-ffff1000 r-x [vectors]
""")

    assert [(m.size, m.path) for m in snapshot.mappings] == [(0x21000, "[stack]"), (0x1000, "[vectors]")]
    assert snapshot.origin.doubts == ("line 1: only the mappings around the fault address are listed",)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("aosp-test-arm32-fault-between.txt", [0x1000] * 3),
        ("aosp-test-arm64-fault-between.txt", [0x1000] * 3),
        ("chrome-arm32-fault-in-bss.txt", [0x1E7000, 0x150000, 0x3DC6000]),
    ],
)
def test_the_real_tombstones_parse_whole(case, name, sizes):
    assert [m.size for m in importers.read(case(f"tombstone/{name}"), source=name).mappings] == sizes


def test_overlaps_are_refused_with_their_lines():
    with pytest.raises(InputError, match=r"crash.txt:12: expected addresses that line 11 has not taken"):
        read(TOMBSTONE.replace("0000007a'0a635000-0000", "0000007a'0a634800-0000"))
