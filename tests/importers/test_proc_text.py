"""maps and smaps of any kernel are read from text that has been through other hands."""

import subprocess
import sys
from itertools import chain, cycle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.importers.conftest import doubts_inside
from vmdiff import importers
from vmdiff.errors import InputError, ListingError
from vmdiff.importers import format_registry
from vmdiff.importers.procfs import fast_reader, tolerant_reader
from vmdiff.model import Kind
from vmdiff.storage.json_document import dump, load

KIB = 1024

MAPS = """\
00400000-0040b000 r-xp 00000000 fc:00 794418                             /bin/cat
0060a000-0060b000 rw-p 0000a000 fc:00 794418                             /bin/cat
014ab000-014cc000 rw-p 00000000 00:00 0                                  [heap]
7f7d77d3c000-7f7d77d41000 rw-p 00000000 00:00 0 
7f7d77d41000-7f7d77d64000 r-xp 00000000 fc:01 1180217                    /lib/x86_64-linux-gnu/ld-2.19.so
7ffc34343000-7ffc34345000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
"""  # noqa: W291
SMAPS = """\
00400000-0040b000 r-xp 00000000 fc:00 794418                             /bin/cat
Size:                 44 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                  40 kB
Pss:                  10 kB
Swap:                  0 kB
THPeligible:           0
VmFlags: rd ex mr mw me dw sd 
014ab000-014cc000 rw-p 00000000 00:00 0                                  [heap]
Size:                132 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:                  12 kB
Pss:                  12 kB
Swap:                  8 kB
THPeligible:           1
VmFlags: rd wr mr mw me ac sd 
"""  # noqa: W291


def read(text, **options):
    return importers.read(text.encode("utf-8", "surrogateescape"), source="x", **options)


def slowly(text):
    """Read by lines what `read` would read at once."""
    found = format_registry.read(b"\n" + text.encode("utf-8", "surrogateescape"), source="x")
    assert tolerant_reader.quick(b"\n" + text.encode("utf-8", "surrogateescape"), "x") is None
    return found


def refusal_of(text):
    """Give the sentence with which a text is refused; empty if it is read."""
    try:
        read(text)
    except InputError as error:
        return str(error)
    return ""


# ---------------------------------------------------------------- the fast reader and the patient one agree


@pytest.mark.parametrize("text", [MAPS, SMAPS], ids=["maps", "smaps"])
def test_both_readers_agree(text):
    assert tolerant_reader.quick(text.encode(), "x") == slowly(text) == read(text)


def test_both_readers_agree_on_the_running_process():
    for name in ("maps", "smaps"):
        data = Path(f"/proc/self/{name}").read_bytes()
        quickly = tolerant_reader.quick(data, "x")
        assert quickly is not None
        assert quickly == slowly(data.decode("utf-8", "surrogateescape"))


_names = st.text(st.characters(exclude_characters="\n\0\r", codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: not name[-1].isspace() and name[0] not in "([" and "..." not in name and "…" not in name
)
_counts = st.sampled_from([0, 4, 8, 2048, 99999])
_records = st.lists(
    st.tuples(
        st.sampled_from(["r-xp", "rw-p", "---p", "rw-s", "r--s"]),
        st.one_of(
            st.just(""), st.just("[heap]"), _names.map("/{}".format), _names.map("/{} (deleted)".format)
        ),
        st.lists(_counts, min_size=3, max_size=3),
        st.sampled_from(["rd wr", "rd", "", "ht ?? sd"]),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=times(60), deadline=None)
@given(_records, st.permutations(["Rss", "Pss", "NewThing"]))
def test_both_readers_agree_on_any_listing(records, keys):
    text = "".join(
        f"{0x1000 * index:08x}-{0x1000 * index + 0x1000:08x} {perms} 00000000 08:01 {bool(name):d} {name}\n"
        "Size:   4 kB\n"
        + "".join(f"{key}:      {count} kB\n" for key, count in zip(keys, counts, strict=True))
        + f"VmFlags: {flags} \n"
        for index, (perms, name, counts, flags) in enumerate(records, 1)
    )

    assert tolerant_reader.quick(text.encode(), "x") == slowly(text)


_numbers = st.integers(0, 1 << 64) | st.integers(0, 1 << 48).map(lambda number: number << 12 & (1 << 48) - 1)


@settings(max_examples=times(100), deadline=None)
@given(
    st.lists(st.tuples(_numbers, _numbers), min_size=1, max_size=8),
    st.lists(st.sampled_from(["{:08x}", "{:012x}", "{:016x}", "{:017x}"]), min_size=1, max_size=3),
)
def test_bounds_are_read_however_many_digits_they_have(bounds, widths):
    numbers = [width.format(number) for number, width in zip(chain(*bounds), cycle(widths), strict=False)]
    text = "".join(
        f"{start}-{end} rw-p 00000000 00:00 0\n"
        for start, end in zip(numbers[::2], numbers[1::2], strict=True)
    )

    read = fast_reader.parse([text.encode()], source="x").mappings

    assert [mapping[:2] for mapping in read] == bounds


@settings(max_examples=times(100), deadline=None)
@given(st.text(st.sampled_from("0f4-:rwxps /[]x\n\t> R:sk(B"), max_size=120))
def test_any_text_is_read_or_refused(text):
    assert "\n" not in refusal_of(text)


@settings(max_examples=times(60), deadline=None)
@given(st.data())
def test_a_listing_with_a_hole_is_read_or_refused(data):
    text = data.draw(st.sampled_from([MAPS, SMAPS]))
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    assert "\n" not in refusal_of(text[:start] + text[stop:])


# ---------------------------------------------------------------- what people and programs do to it


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda text: "\n".join(f"> > {line}" for line in text.splitlines()), id="quoted"),
        pytest.param(lambda text: "\n".join(f"\t{line}" for line in text.splitlines()), id="indented"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="crlf"),
        pytest.param(lambda text: f"user@host:~$ cat /proc/7/maps\n{text}user@host:~$ \n", id="prompts"),
        pytest.param(lambda text: f"Hello,\n\n~~~\n{text}~~~\n\nany idea?\n", id="fenced"),
        pytest.param(
            lambda text: "\n".join(" ".join(line.split()) for line in text.splitlines()), id="squeezed"
        ),
        pytest.param(lambda text: "\n\n".join(text.splitlines()), id="blank-lines"),
        pytest.param(lambda text: "\ufeff" + text, id="byte-order-mark"),
        pytest.param(lambda text: text.replace("    ", "\xa0 \xa0 "), id="no-break-spaces"),
    ],
)
@pytest.mark.parametrize("text", [MAPS, SMAPS], ids=["maps", "smaps"])
def test_wrapping_changes_nothing(text, wrap):
    snapshot = read(wrap(text))

    assert snapshot.mappings == read(text).mappings
    assert doubts_inside(snapshot) == ()


def test_utf_16_is_read():
    assert importers.read(MAPS.encode("utf-16"), source="x").mappings == read(MAPS).mappings


def test_names_on_lines_of_their_own_are_joined():
    wrapped = MAPS.replace("fc:01 1180217                    /lib", "fc:01 1180217\n/lib")

    snapshot = read(wrapped)

    assert snapshot.mappings == read(MAPS).mappings
    assert "line 6: a name on a line of its own was joined to the line before it" in snapshot.origin.doubts


def test_lines_left_out_are_said():
    lines = MAPS.splitlines()

    snapshot = read("\n".join([*lines[:3], "[...]", *lines[5:]]))

    assert len(snapshot.mappings) == 5
    assert "line 4: rows are missing: the listing is truncated here" in snapshot.origin.doubts


def test_remarks_between_lines_are_said():
    lines = MAPS.splitlines()

    assert (
        "line 4: not part of a listing, ignored"
        in read("\n".join([*lines[:3], "look: the heap", *lines[3:]])).origin.doubts
    )


def test_a_name_cut_short_is_said():
    assert "line 5: the name was cut short" in read(MAPS.replace("gnu/ld-2.19.so", "gnu/l...")).origin.doubts


def test_a_torn_last_line_is_said():
    assert "line 7: not read, expected START-END" in read(MAPS[:-60]).origin.doubts[-1]


def test_a_torn_record_is_unknown_where_it_is_silent():
    snapshot = read(SMAPS[: SMAPS.rindex("Swap:")])

    assert snapshot.total("rss") == 52 * KIB
    assert snapshot.total("swap") is None
    assert "line 10: does not report all that other mappings do: that is unknown" in snapshot.origin.doubts


def test_two_processes_without_anything_between():
    text = MAPS + MAPS.replace("00400000-0040b000", "00400000-0040c000")

    with pytest.raises(InputError, match=r"holds 2 listings: #1 lines 1-7 .*, #2 lines 8-14"):
        read(text)
    assert read(text, choice=2).mappings[0].size == 48 * KIB


@pytest.mark.parametrize(
    "command", ["# cat /proc/12727/maps", "==> /proc/12727/maps <==", "$ grep . /proc/12727/smaps | less"]
)
def test_the_command_above_tells_the_process(command):
    text = f"{command}\n{MAPS}{command.replace('12727', '12728')}\n{MAPS.replace('00400000', '00401000')}"

    assert [read(text, choice=number).process.pid for number in (1, 2)] == [12727, 12728]
    assert read(text, choice=2).origin.doubts == ()


def test_a_rollup_after_smaps_is_another_listing():
    rollup = "00400000-ffffffffff601000 ---p 00000000 00:00 0                          [rollup]\nRss:                  52 kB\n"

    assert read(SMAPS + rollup, choice=2).rollup == {"rss": 52 * KIB}
    assert read(SMAPS + rollup, choice=1).total("rss") == 52 * KIB


# ---------------------------------------------------------------- kernels


def test_what_smaps_does_not_report_is_unknown():
    snapshot = read(SMAPS)

    assert snapshot.total("rss") == 52 * KIB
    assert snapshot.total("private_dirty") is None
    assert snapshot.host.page_size == 4 * KIB


def test_page_sizes_that_are_not_the_hosts_are_kept():
    huge = SMAPS.replace(
        "KernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:                  12",
        "KernelPageSize:     2048 kB\nMMUPageSize:        2048 kB\nRss:                  12",
    )

    snapshot = read(huge)

    assert snapshot.host.page_size == 4 * KIB
    assert [snapshot.attribute(m, "kernel_page_size") for m in snapshot.mappings] == [4 * KIB, 2048 * KIB]


@pytest.mark.parametrize(
    ("line", "value", "counts"),
    [
        ("FutureHuge:           12 kB", 12 * KIB, True),
        ("FutureHuge:           12 MB", None, True),
        ("FutureHuge:           12", 12, False),
        ("FutureHuge:           yes", "yes", False),
        ("FutureHuge:           99999999999999999999 kB", None, True),
    ],
)
def test_keys_of_kernels_to_come_are_kept_with_what_their_unit_means(line, value, counts):
    snapshot = read(SMAPS.replace("THPeligible:           1\n", f"THPeligible:           1\n{line}\n"))

    assert ("future_huge" in snapshot.origin.counters) is counts
    assert snapshot.mappings[1].values["future_huge"] == value
    assert snapshot.mappings[0].values["future_huge"] is None


def test_androids_name_lines_name_what_has_no_name():
    text = SMAPS.replace(
        "                                  [heap]\n", "\nName:           [anon:libc_malloc]\n"
    )

    heap = read(text).mappings[1]

    assert (heap.path, heap.kind) == ("[anon:libc_malloc]", Kind.ANONYMOUS)


def test_offsets_of_anonymous_memory_in_old_kernels_are_none():
    old = "08164000-0825c000 rw-p 08164000 00:00 0          [heap]\nbffea000-bffff000 rw-p bffffffe9000 00:00 0 \n"

    assert [m.offset for m in read(old).mappings] == [0, 0]


@pytest.mark.parametrize(
    ("name", "path", "deleted"),
    [
        ("/a b (deleted)", "/a b", True),
        ("(deleted)/v/t", "/v/t", True),
        ("/SYSV00000000 (deleted) (shmid=32769)", "/SYSV00000000", True),
        ("/SYSV00000000 (deleted) (hpagesize=262144kB) (shmid=1)", "/SYSV00000000", True),
        ("/a\\012b", "/a\nb", False),
        ("/x(notdeleted)", "/x(notdeleted)", False),
        ("anon_inode:[perf_event]", "anon_inode:[perf_event]", False),
        ("[anon:dalvik-main space (region space)]", "[anon:dalvik-main space (region space)]", False),
        ("/fünf\u2028\x0c\x1b[31m", "/fünf\u2028\x0c\x1b[31m", False),
    ],
)
def test_names(name, path, deleted):
    mapping = read(f"00400000-0040b000 rw-s 00000000 00:04 7 {name}\n").mappings[0]

    assert (mapping.path, mapping.deleted) == (path, deleted)


def test_a_name_that_is_no_utf_8_is_kept_exactly():
    mapping = importers.read(b"> 00400000-0040b000 r--p 00000000 fc:00 7 /\xff\n", source="x").mappings[0]

    assert (mapping.path, mapping.path_hex) == ("/\\xff", "2fff")


def test_bytes_that_are_no_utf_8_fit_into_a_document_everywhere():
    text = SMAPS.replace("THPeligible:           1", "Strange:  \udcff").replace("wr mr", "w\udcfe mr")

    snapshot = read("12:   /bin/\udcff\n" + text)

    assert load(b"".join(dump(snapshot)), source="x") == snapshot
    assert snapshot.mappings[1].values["strange"] == "\\xff"
    assert read(text).mappings == snapshot.mappings


@pytest.mark.parametrize("perms", ["r-xp", "rwxs", "---S", "r--P", "-w-p"])
def test_permissions(perms):
    assert read(f"00400000-0040b000 {perms} 00000000 fc:00 7 /x\n").mappings[0].perms == perms.lower()


def test_devices_are_written_as_the_kernel_does():
    assert read("08048000-08089000 r-xp 00000000 3:1 104219 /bin/tcsh\n").mappings[0].device == "03:01"


@pytest.mark.parametrize(
    "line",
    [
        "7fa7bb75a000-7fa7bb75c000",
        "7fa7bb75c000-7fa7bb75a000 r--p 00000000 00:20 1",
        "7fa7bb75a000-7fa7bb75c000 r--p 000zz000 00:20 1",
        "7fa7bb75a000-7fa7bb75c000 r--p 00000000 00:20 123456789012345678901",
        "7fa7bb75a000-10000000000000001 r--p 00000000 00:20 1",
        "fffffffffffffffff-10000000000000000 r--p 00000000 00:20 1",
        "7fa7bb75a000-7fa7bb75c000 r--p 00000000 00:20 1 /a\0b",
        "7fa7bb75a000 r-xp 00000000 fc:00 794418 /bin/cat",
    ],
)
def test_impossible_lines_are_refused_with_their_number(line):
    with pytest.raises(ListingError, match="x:2: expected START-END PERMS"):
        read(f"\n{line}\n")


def test_overlapping_lines_are_refused_with_both_numbers():
    with pytest.raises(
        ListingError,
        match=r"x:3: expected addresses that line 2 has not taken \(1000-3000\), found '2000-4000'",
    ):
        read(
            "\n1000-3000 r--p 00000000 00:20 1\n2000-4000 r--p 00000000 00:20 1\n".replace(
                "1000-", "1000-", 1
            )
        )


def test_a_name_without_end_is_refused():
    with pytest.raises(ListingError, match="a name of at most"):
        read("> 00400000-0040b000 r--p 00000000 fc:00 7 /" + "x" * 70_000)


def test_a_profile_with_maps_after_binary_data_is_read():
    data = bytes(range(14, 256)) * 20 + b"\n" + MAPS.encode()

    assert importers.read(data, source="x").mappings == read(MAPS).mappings


def test_a_libraries_list_of_gperftools_tells_less():
    snapshot = read(
        "02e00000-02e8a000: /foo/bin (@2a00000)\n7f47a542f000-7f47a5447000: /lib/libpthread-2.15.so\n"
    )

    assert [(m.path, m.offset, m.perms) for m in snapshot.mappings] == [
        ("/foo/bin", 0x2A00000, "????"),
        ("/lib/libpthread-2.15.so", None, "????"),
    ]
    assert snapshot.total("accessible") is None


def test_pasted_smaps_of_another_process_is_read():
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1
    ) as process:
        process.stdout.readline()
        data = Path(f"/proc/{process.pid}/smaps").read_bytes()
        process.communicate(b"\n")
    quoted = b"".join(b"> " + line for line in data.splitlines(keepends=True))

    assert importers.read(quoted, source="x").totals == importers.read(data, source="x").totals


def test_more_mappings_than_any_process_has_are_refused_before_they_are_read() -> None:
    header = b"%x-%x rw-p 00000000 00:00 0 \n"
    data = b"".join([header % (start, start + 1) for start in range(1, 2_000_004, 2)])

    with pytest.raises(ListingError, match=r"^x:1000001: expected at most 1,000,000 mappings"):
        importers.read(data, source="x")


def test_a_name_longer_than_any_path_is_refused() -> None:
    with pytest.raises(ListingError, match="a name of at most"):
        importers.read(b"00001000-00002000 r--p 00000000 08:01 7 /%b\n" % (b"a" * 70_000), source="x")
