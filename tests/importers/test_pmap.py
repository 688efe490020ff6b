"""pmap's listings say what procps printed, and where it lies the lie is recognised."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.importers.conftest import doubts_inside
from vmdiff import importers
from vmdiff.errors import InputError, ListingError
from vmdiff.model import Kind

KIB = 1024


@dataclass
class Row:
    """What a listing is printed from; *size*, *rss* and *dirty* in KiB."""

    start: int
    size: int
    mode: str
    name: str
    rss: int = 0
    dirty: int = 0


PROGRAM = [
    Row(0x400000, 4, "r-x--", "a.out", 4),
    Row(0x600000, 4, "r----", "a.out", 4, 4),
    Row(0x601000, 4, "rw---", "a.out", 4, 4),
]
HEAP = Row(0x1C3A000, 132, "rw---", "  [ anon ]", 4, 4)
LIBRARIES = [
    Row(0x7F8DE3F19000, 1580, "r-x--", "libc-2.12.so", 264),
    Row(0x7F8DE40A4000, 2044, "-----", "libc-2.12.so"),
    Row(0x7F8DE42A3000, 16, "r----", "libc-2.12.so", 16, 16),
    Row(0x7F8DE42A7000, 4, "rw---", "libc-2.12.so", 4, 4),
    Row(0x7F8DE42A8000, 20, "rw---", "  [ anon ]", 12, 12),
    Row(0x7FFF4867E000, 84, "rw---", "  [ stack ]", 12, 12),
    Row(0x7FFF487B1000, 4, "r-x--", "  [ anon ]", 4),
    Row(0xFFFFFFFFFF600000, 4, "r-x--", "  [ anon ]"),
]
ROWS = [*PROGRAM, HEAP, *LIBRARIES]


def total(rows, what="size"):
    return sum(getattr(row, what) for row in rows)


def plain(rows=ROWS, pid=12727):
    """`pmap PID` of procps 3.3."""
    lines = [f"{pid}:   ./a.out"]
    lines += [f"{row.start:016x} {row.size:6}K {row.mode} {row.name}" for row in rows]
    return "\n".join([*lines, f" total {total(rows):16}K", ""])


def extended(rows=ROWS, *, sizes=None, twice=False, totals=None):
    """`pmap -x PID` of procps 3.2.8: *sizes* as Debian printed them in 2011, *twice* as on Linux 4.3."""
    lines = ["12727:   ./a.out", "Address           Kbytes     RSS   Dirty Mode   Mapping"]
    for row in rows:
        size = row.size if sizes is None else sizes
        lines.append(f"{row.start:016x} {size:7} {row.rss:7} {row.dirty:7} {row.mode}  {row.name}")
        if twice:
            lines.append(f"{row.start:016x} {0:7} {0:7} {0:7} {row.mode}  {row.name}")
    size, rss, dirty = totals or (total(rows), total(rows, "rss"), total(rows, "dirty"))
    lines += ["----------------  ------  ------  ------", f"total kB {size:15} {rss:7} {dirty:7}", ""]
    return "\n".join(lines)


def device(rows=ROWS):
    """`pmap -d PID` of procps 3.3."""
    lines = ["12727:   ./a.out", "Address           Kbytes Mode  Offset           Device    Mapping"]
    lines += [f"{r.start:016x} {r.size:7} {r.mode} {0:016x} {_device(r)} {r.name}" for r in rows]
    writable = total([row for row in rows if row.mode[1] == "w"])
    return "\n".join([*lines, f"mapped: {total(rows)}K    writeable/private: {writable}K    shared: 0K", ""])


def _device(row):
    return "000:00000" if "[" in row.name else "0fe:00001"


def read(text, **options):
    return importers.read(text.encode(), source="x", **options)


@pytest.mark.parametrize(
    ("text", "source"),
    [(plain(), "pmap"), (extended(), "pmap-x"), (device(), "pmap-d")],
    ids=["plain", "x", "d"],
)
def test_rows_tell_place_size_and_mode(text, source):
    snapshot = read(text)

    assert snapshot.origin.source == source
    assert snapshot.origin.consistent is None
    assert (snapshot.process.pid, snapshot.process.name) == (12727, "a.out")
    assert [(m.start, m.size) for m in snapshot.mappings] == [(r.start, r.size * KIB) for r in ROWS]
    assert snapshot.mappings[1].perms == "r--p"
    assert snapshot.rollup["size"] == snapshot.total("size") == total(ROWS) * KIB


def test_what_a_listing_does_not_tell_is_unknown():
    mapping = read(plain()).mappings[0]

    assert (mapping.offset, mapping.device, mapping.inode, mapping.flags) == (None, None, None, None)
    assert read(plain()).total("rss") is None
    assert read(extended()).total("pss") is None


def test_offset_and_device_are_read_as_the_kernel_writes_them():
    mapping = read(device()).mappings[0]

    assert (mapping.offset, mapping.device, mapping.inode) == (0, "fe:01", None)


def test_the_counters_of_x():
    snapshot = read(extended())

    assert snapshot.origin.counters == ("rss", "dirty")
    assert snapshot.total("rss") == total(ROWS, "rss") * KIB
    assert snapshot.total("dirty") == total(ROWS, "dirty") * KIB


def test_dashes_are_unknown():
    text = "1:   init\nAddress  Kbytes     RSS    Anon  Locked Mode   Mapping\n08048000      28       -       -       - r-x--  init\ntotal kB      28       -       -       -\n"

    snapshot = read(text)

    assert snapshot.origin.counters == ()
    assert snapshot.rollup == {"size": 28 * KIB}


def test_the_heap_is_likely_where_it_is_not_named():
    heap = next(m for m in read(plain()).mappings if m.start == HEAP.start)

    assert (heap.owner.name, heap.owner.certainty) == ("malloc heap", "likely")
    assert (heap.kind, heap.path) == (Kind.ANONYMOUS, None)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([*PROGRAM, *LIBRARIES], id="no-heap"),
        pytest.param([*PROGRAM, Row(0x602000, 64, "rw---", "  [ anon ]"), *LIBRARIES], id="bss"),
        pytest.param([*PROGRAM, Row(0x7F0000000000, 132, "rw---", "  [ anon ]"), *LIBRARIES], id="far-away"),
        pytest.param([*PROGRAM, Row(0x1C3A000, 132, "r----", "  [ anon ]"), *LIBRARIES], id="read-only"),
        pytest.param([*PROGRAM, Row(0x1C3A000, 132, "rw-s-", "  [ anon ]"), *LIBRARIES], id="shared"),
    ],
)
def test_no_other_row_is_taken_for_the_heap(rows):
    assert not [m for m in read(plain(rows)).mappings if m.owner and m.owner.name == "malloc heap"]


def test_the_vdso_is_likely_above_the_stack():
    vdso = read(plain()).mappings[-2]

    assert (vdso.owner.name, vdso.owner.label, vdso.owner.certainty) == ("kernel", "vdso", "likely")


def test_vsyscall_has_one_address():
    assert read(plain()).mappings[-1].path == "[vsyscall]"


BUSYBOX = """\
7: sh
Address\t\t  Kbytes     PSS   Dirty    Swap  Mode  Mapping
0000000000400000     788      20       4       0 r-xp  /bin/busybox
00000000006c5000       8       8       8       4 rw-p  [heap]
00007f0000000000       8       8       8       0 rw-p    [ anon ]
----------------  ------  ------  ------  ------
total kB             804      36      20       4
"""


def test_busyboxes_columns_are_named_by_its_header():
    snapshot = read(BUSYBOX)

    assert snapshot.origin.counters == ("pss", "dirty", "swap")
    assert [m.perms for m in snapshot.mappings] == ["r-xp", "rw-p", "rw-p"]
    assert [m.path for m in snapshot.mappings] == ["/bin/busybox", "[heap]", None]
    assert snapshot.rollup == {"size": 804 * KIB, "pss": 36 * KIB, "dirty": 20 * KIB, "swap": 4 * KIB}
    assert snapshot.origin.doubts == ()


def test_four_numbers_without_a_header_are_not_guessed():
    rows = "".join(BUSYBOX.splitlines(keepends=True)[2:5])

    snapshot = read(rows)

    assert snapshot.total("size") == 804 * KIB
    assert snapshot.origin.counters == ()
    assert "no header, so what follows the size is not known and not read" in snapshot.origin.doubts


# ---------------------------------------------------------------- lies


def test_sizes_that_are_all_zero_are_unknown_and_the_total_is_kept():
    snapshot = read(extended(sizes=0))

    assert all(m.start is not None and m.end is None and m.size is None for m in snapshot.mappings)
    assert snapshot.total("size") is None
    assert snapshot.rollup["size"] == total(ROWS) * KIB
    assert snapshot.total("rss") == total(ROWS, "rss") * KIB
    assert any("all sizes are 0" in doubt for doubt in snapshot.origin.doubts)
    assert any(m.owner and m.owner.name == "malloc heap" for m in snapshot.mappings)


def test_a_counter_that_is_zero_throughout_but_not_in_total_is_unknown():
    rows = [Row(row.start, row.size, row.mode, row.name) for row in ROWS]

    snapshot = read(extended(rows, totals=(total(ROWS), 300, 0)))

    assert snapshot.total("rss") is None
    assert snapshot.rollup["rss"] == 300 * KIB
    assert snapshot.total("dirty") == 0


def test_rows_that_are_there_twice_count_once():
    snapshot = read(extended(twice=True))

    assert len(snapshot.mappings) == len(ROWS)
    assert snapshot.total("rss") == total(ROWS, "rss") * KIB
    assert any("again with zeros" in doubt for doubt in snapshot.origin.doubts)


def test_a_difference_to_the_total_is_said():
    doubts = read(plain(ROWS[:4]).replace(" 144K", " 200K")).origin.doubts

    assert "size: the rows add up to 144 KiB, the listing states 200 KiB (56 KiB more)" in doubts


def test_shared_rows_that_a_total_counts_twice_are_said():
    rows = [*PROGRAM, Row(0x7F0000000000, 100, "rw-s-", "x"), *LIBRARIES]

    doubts = read(extended(rows, totals=(total(rows) + 100, 0, 0))).origin.doubts

    assert any("as if the shared ones counted twice" in doubt for doubt in doubts)


def test_names_without_directories_are_said():
    assert "names are without their directories" in read(plain()).origin.doubts
    assert (
        "names are without their directories"
        not in read(plain().replace(" a.out", " /x/a.out")).origin.doubts
    )


def test_only_totals_are_no_mappings():
    snapshot = read(extended([], totals=(4000, 300, 20)))

    assert snapshot.mappings == ()
    assert snapshot.total("size") == 4000 * KIB
    assert "only totals, no mappings" in snapshot.origin.doubts


# ---------------------------------------------------------------- wide

WIDE = """\
12727:   ./a.out
         Address Perm   Offset Device Inode Size  Rss Pss Pss_Dirty Swap THPeligible Mapping
    55e2b3aca000 r--p 00000000  fe:00 26010  188  188  20         0    0           0 a.out
    55e2b3bff000 rw-p 00000000  00:00     0   44   44  35        35    8           1
    55e2c69e9000 rw-p 00000000  00:00     0  260  228 195       195    0           0 [heap]
    7f2eeec8a000 rw-s 00000000  00:01     7    8    4   4         4    0           0 memfd:a b (deleted)
ffffffffff600000 --xp 00000000  00:00     0    4    0   0         0    0           0 [vsyscall]
                                             ==== ==== === ========= ==== ===========
                                              504  464 254       234    8           1 KB
"""
FLAGGED = """\
12727:   ./a.out
         Address Perm   Offset Device Inode Size KernelPageSize  Rss                VmFlags Mapping
    55e2b3aca000 r--p 00000000  fe:00 26010  188              4  188            rd mr mw me a.out
    55e2b3bca000 r--p 00000000  fe:00 26011    4              4    4            rd mr mw me sh
    55e2b3bff000 rw-p 00000000  00:00     0   44              4   44      rd wr mr mw me ac
"""


def test_columns_are_read_by_their_header():
    snapshot = read(WIDE)

    assert snapshot.origin.source == "pmap-X"
    assert snapshot.origin.counters == ("rss", "pss", "pss_dirty", "swap")
    assert snapshot.origin.attributes == ("thp_eligible",)
    assert {name: snapshot.total(name) // KIB for name in ("size", "rss", "pss", "pss_dirty", "swap")} == {
        "size": 504,
        "rss": 464,
        "pss": 254,
        "pss_dirty": 234,
        "swap": 8,
    }
    assert snapshot.rollup["pss"] == 254 * KIB
    assert "thp_eligible" not in snapshot.rollup


def test_names_are_what_follows_the_columns():
    mappings = read(WIDE).mappings

    assert [m.path for m in mappings] == ["a.out", None, "[heap]", "/memfd:a b", "[vsyscall]"]
    assert [m.deleted for m in mappings] == [False, False, False, True, False]
    assert (mappings[0].device, mappings[0].inode, mappings[0].offset) == ("fe:00", "26010", 0)
    assert mappings[3].kind is Kind.SHARED_MEMORY


def test_flags_end_where_a_name_of_two_letters_starts():
    program, script, data = read(FLAGGED).mappings

    assert program.flags == ("rd", "mr", "mw", "me")
    assert (script.flags, script.path) == (("rd", "mr", "mw", "me"), "sh")
    assert (data.flags, data.path) == (("rd", "wr", "mr", "mw", "me", "ac"), None)


def test_without_a_header_only_the_first_columns_are_known():
    quiet = "\n".join(line for line in WIDE.splitlines()[:7] if "Address" not in line)

    snapshot = read(quiet)

    assert snapshot.origin.counters == ("rss", "pss")
    assert snapshot.total("pss") == 254 * KIB
    assert any("no header" in doubt for doubt in snapshot.origin.doubts)


def test_chosen_columns_need_no_permissions():
    text = "12727:   ./a.out\n     Address Size  Rss Mapping\n55e2b3aca000  188  188 a.out\n55e2b3bff000   44   44 \n"

    first, second = read(text).mappings

    assert (first.size, first.perms, first.path) == (188 * KIB, "????", "a.out")
    assert (second.size, second.path) == (44 * KIB, None)


def test_a_size_that_was_not_chosen_is_unknown():
    snapshot = read("12727:   ./a.out\n     Address Rss Pss Mapping\n55e2b3aca000  188  188 a.out\n")

    assert (snapshot.total("size"), snapshot.total("rss")) == (None, 188 * KIB)


def test_a_unit_that_is_not_told_is_not_guessed():
    snapshot = read(WIDE.replace("Pss_Dirty", "NewThings"))

    assert "new_things" in snapshot.origin.attributes
    assert snapshot.mappings[1].values["new_things"] == 35
    assert any("unit of new_things" in doubt for doubt in snapshot.origin.doubts)


@pytest.mark.parametrize(
    ("header", "footer"),
    [
        ("Adresse           kByte      RSS   Dirty Modus Zuordnung", "kB gesamt           "),
        ("Dirección       Kbytes     RSS   Sucio Modo  Asignación", "total kB         "),
        ("Adresse         kilo-octets     RSS Modifié Mode  Carte", "ko total         "),
        ("地址            Kbytes     RSS   Dirty Mode  Mapping", "total kB         "),
        ("Địa chỉ          Kbyte     RSS     Bẩn Chế độ Ánh xạ", "tổng kB          "),
        ("Адреса          кбайтів     RSS  Брудно Режим Відповідність", "кБ загалом       "),
    ],
)
def test_headers_and_totals_of_every_language_are_understood(header, footer):
    lines = extended().splitlines()
    lines[1] = header
    lines[-1] = footer + lines[-1].removeprefix("total kB")

    snapshot = read("\n".join(lines))

    assert len(snapshot.mappings) == len(ROWS)
    assert snapshot.rollup["size"] == total(ROWS) * KIB
    assert snapshot.origin.doubts == ("names are without their directories",)


@pytest.mark.parametrize("word", ["pila", "pile ", "stos", "pilha", "stivă", "стек ", "ngăn xếp"])
def test_the_stack_of_every_language_is_the_stack(word):
    snapshot = read(plain().replace("[ stack ]", f"[ {word} ]"))

    assert [m.kind for m in snapshot.mappings].count(Kind.STACK) == 1


@pytest.mark.parametrize("word", ["anôn", "анон", "vô danh"])
def test_anonymous_of_every_language_is_anonymous(word):
    assert read(plain().replace("[ anon ]", f"[ {word} ]")).mappings == read(plain()).mappings


@pytest.mark.parametrize(
    ("total_", "stated"),
    [
        ("mapeado: 4080K    escrevível/privado: 248K    compartilhado: 0K", 4080),
        ("mappat: 4080 k    skrivbart/privat: 248 k    delat: 0 k", 4080),
        ("пов'язано: 4080К  записуване/приватне: 248К спільне: 0К", 4080),
    ],
)
def test_totals_of_d_in_other_languages(total_, stated):
    text = "\n".join([*device().splitlines()[:-1], total_])

    assert read(text).rollup["size"] == stated * KIB


@pytest.mark.parametrize(
    "stated",
    [
        " სულ              4080კ",
        " totalt           4080 k",
        " загалом          4080 К",
        " 总用量            4080K",
    ],
)
def test_totals_of_the_plain_listing_in_other_languages(stated):
    text = "\n".join([*plain().splitlines()[:-1], stated])

    assert read(text).rollup["size"] == 4080 * KIB


def test_addresses_may_be_padded_to_their_title():
    text = extended().replace("\n0000", "\n000000000000000").replace("Address", "მისამართი")

    assert read(text).mappings == read(extended()).mappings


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "mode", "path", "kind"),
    [
        ("memfd:x (deleted)", "rw-s-", "/memfd:x", Kind.SHARED_MEMORY),
        ("zero (deleted)", "rw-s-", "/dev/zero", Kind.SHARED_MEMORY),
        ("SYSV00000000 (deleted)", "rw-s-", "/SYSV00000000", Kind.SHARED_MEMORY),
        ("[aio] (deleted)", "rw-s-", "/[aio]", Kind.KERNEL),
        ("zero", "r----", "zero", Kind.FILE),
        ("a b  c", "r----", "a b  c", Kind.FILE),
        ("[heap]", "rw---", "[heap]", Kind.HEAP),
        ("[anon]", "rw---", None, Kind.ANONYMOUS),
        ("  [ heap ]", "rw---", "[heap]", Kind.HEAP),
        ("[anon:x y]", "rw---", "[anon:x y]", Kind.ANONYMOUS),
        ("libc.so.6", "r----", "libc.so.6", Kind.IMAGE),
    ],
)
def test_names(name, mode, path, kind):
    mapping = read(f"7f0000000000      4K {mode} {name}\n").mappings[0]

    assert (mapping.path, mapping.kind) == (path, kind)


def test_a_shared_memory_segment_tells_its_inode():
    mapping = read("7f0000000000      4K rw-s-   [ shmid=0x8001 ]\n").mappings[0]

    assert (mapping.inode, mapping.path, mapping.kind) == ("32769", None, Kind.SHARED_MEMORY)


def test_remarks_after_a_name_are_no_name():
    snapshot = read("7f0000000000      4K rw---   [ anon ]  <- look here\n")

    assert snapshot.mappings[0].path is None
    assert "line 1: remarks after the name, ignored" in snapshot.origin.doubts


# ---------------------------------------------------------------- what people do to it


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda text: "\n".join(f"> {line}" for line in text.splitlines()), id="quoted"),
        pytest.param(lambda text: "\n".join(f"    {line}" for line in text.splitlines()), id="indented"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="crlf"),
        pytest.param(
            lambda text: f"I ran it:\n\n```\n$ pmap -x 12727\n{text}```\nWhat is wrong?\n", id="fenced"
        ),
        pytest.param(
            lambda text: "\n".join(" ".join(line.split()) for line in text.splitlines()), id="squeezed"
        ),
        pytest.param(lambda text: "\n".join(line.rstrip() for line in text.splitlines()), id="stripped"),
    ],
)
@pytest.mark.parametrize(
    "text", [plain(), extended(), device(), WIDE, FLAGGED], ids=["", "x", "d", "X", "XX"]
)
def test_wrapping_changes_nothing(text, wrap):
    assert read(wrap(text)).mappings == read(text).mappings
    assert read(wrap(text)).rollup == read(text).rollup
    assert doubts_inside(read(wrap(text))) == read(text).origin.doubts


def test_cut_rows_are_said_and_so_is_the_difference():
    lines = plain().splitlines()
    doubts = read("\n".join([*lines[:4], "...", *lines[6:]])).origin.doubts

    assert "line 5: rows are missing: the listing is truncated here" in doubts
    assert any("the listing states" in doubt for doubt in doubts)


def test_sorting_by_size_puts_the_header_last():
    lines = extended().splitlines()
    rows = sorted(lines[2:-2], key=lambda line: -int(line.split()[1]))

    snapshot = read("\n".join([*rows, lines[1], lines[0]]))

    assert [m.start for m in snapshot.mappings] == [row.start for row in ROWS]
    assert "the listing was not in the order of addresses and has been sorted" in snapshot.origin.doubts
    assert snapshot.process.pid == 12727


def test_two_processes_are_two_listings():
    text = plain(pid=1) + plain(PROGRAM, pid=2)

    with pytest.raises(
        InputError, match=r"holds 2 listings: #1 lines 1-14 \(pmap\), #2 lines 15-19 \(pmap\)"
    ):
        read(text)
    assert [read(text, choice=number).process.pid for number in (1, 2)] == [1, 2]


def test_a_broken_row_is_said():
    snapshot = read(plain().replace("0000000000600000      4K r----", "0000000000600000      4K r--"))

    assert len(snapshot.mappings) == len(ROWS) - 1
    assert any(doubt.startswith("line 3: not read, expected ADDRESS") for doubt in snapshot.origin.doubts)


@pytest.mark.parametrize(
    "row",
    [
        "ffffffffffffffff 99999999999K rw---   [ anon ]",
        "7f0000000000 99999999999999999999K rw---   [ anon ]",
    ],
)
def test_rows_of_other_systems_and_impossible_ones_are_refused(row):
    with pytest.raises(ListingError, match="x:1: expected"):
        read(f"{row}\n")


def test_overlapping_rows_are_refused_with_both_lines():
    text = "7f0000000000      8K rw---   [ anon ]\n7f0000001000      8K rw---   [ anon ]\n"

    with pytest.raises(ListingError, match=r"x:2: expected addresses that line 1 has not taken"):
        read(text)


@settings(max_examples=times(80), deadline=None)
@given(st.data())
def test_a_damaged_listing_is_read_or_refused(data):
    text = data.draw(st.sampled_from([plain(), extended(), device(), WIDE, FLAGGED, BUSYBOX]))
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    filling = data.draw(st.text(st.sampled_from("0f4 K-:rwx[]\n>ß"), max_size=20))
    try:
        snapshot = read(text[:start] + filling + text[stop:])
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert len(snapshot.mappings) <= len(ROWS) + 4
