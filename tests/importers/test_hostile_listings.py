"""Listings come from strangers: whatever a text holds, it is read or refused, in time that grows with its length."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff import importers
from vmdiff.errors import InputError, ListingError, VmdiffError
from vmdiff.storage import json_document

SEEDS = Path(__file__).parent.parent.parent / "fixtures" / "fuzz"
LISTINGS = [
    path
    for reader in ("crash-maps", "debuggers", "java", "pmap", "proc-text")
    for path in sorted((SEEDS / reader).iterdir())
]
HEADS = {
    "vmmap": "Process: a [1]\nREGION TYPE  START - END  [ VSIZE  RSDNT  DIRTY   SWAP] PRT/MAX SHRMOD PURGE    REGION DETAIL\n",
    "vmmap-summary": "REGION TYPE   VIRTUAL RESIDENT DIRTY SWAP VOLATILE NONVOL EMPTY REGION\n",
    "procstat": "  PID              START                END PRT    RES PRES REF SHD FLAG  TP PATH\n",
    "gdb": "process 1\nMapped address spaces:\n\nStart Addr  End Addr  Size  Offset Perms objfile\n",
    "system-map": "1:\nMemory mappings:\nfrom               to                        vsize prot  rss hugetlb pgsz notes info file\n",
    "hs-err": "# A fatal error has been detected by the Java Runtime Environment:\nDynamic libraries:\n",
    "glibc-abort": "*** Error in `x': free(): 0x1 ***\n======= Memory map: ========\n",
    "sanitizer": "==1==ERROR: AddressSanitizer: x\n==1==Process memory map follows:\n",
    "tombstone": "*** *** *** *** *** *** *** *** ***\npid: 1, tid: 2, name: x  >>> y <<<\nmemory map (3 entries):\n",
}
ROWS = {
    "vmmap": "MALLOC_TINY  {0:x}-{1:x} [ 8K 4K 4K 0K] rw-/rwx SM=PRV  thread 1",
    "vmmap-summary": "MALLOC_TINY  8K 4K 4K 0K 0K 0K 0K {2}",
    "procstat": " 912 0x{0:x} 0x{1:x} rw- 1 1 1 0 C---- vn /bin/x",
    "gdb": "0x{0:x} 0x{1:x} 0x2000 0x0 rw-p /bin/x",
    "system-map": "0x{0:016x}-0x{1:016x} 8192 rw-p 4096 0 4K com STACK-{2}-x -",
    "hs-err": "{0:x}-{1:x} rw-p 00000000 00:00 0 [heap]",
    "glibc-abort": "{0:x}-{1:x} rw-p 00000000 00:00 0 /bin/x",
    "sanitizer": "\t0x{0:012x}-0x{1:012x}\t/bin/x",
    "tombstone": "    00000000'{0:08x}-00000000'{3:08x} rw-         0      2000  /bin/x (BuildId: 00)",
}
NUMBERS = [
    0,
    1,
    0xFFF,
    0x1000,
    0x7FFF7000,
    1 << 32,
    1 << 63,
    (1 << 64) - 0x1000,
    (1 << 64) - 1,
    1 << 64,
    1 << 68,
]
EDGES = [
    b"",
    b"-1",
    b"1.5",
    b"kB",
    *(b"%d" % number for number in NUMBERS),
    *(b"%x" % number for number in NUMBERS),
]
FRAGMENTS = st.sampled_from(
    [
        *ROWS.values(),
        *"".join(HEADS.values()).splitlines(),
        "...",
        "\0",
        "\x1b[31m",
        "٣٤",
        "-",
        "TOTAL 1G 1G 1G 1G",
    ]
)


def text_of(known, count):
    starts = [(0x10000000 + index * 0x3000) for index in range(count)]
    rows = [ROWS[known].format(at, at + 0x2000, index, at + 0x1FFF) for index, at in enumerate(starts)]
    return HEADS[known] + "\n".join(rows) + "\n"


def read_or_refuse(data):
    """Do either. An expression that goes back and forth over *data* would run into the limit of the test."""
    with suppress(InputError):
        importers.read(data, source="x")


@pytest.mark.parametrize("known", ROWS)
def test_an_ordinary_listing_of_the_format_is_read_whole(known):
    snapshot = importers.read(text_of(known, 50).encode(), source="x")

    assert len(snapshot.mappings) == 50
    assert snapshot.total("size") == 50 * 0x2000


@pytest.mark.parametrize("known", ROWS)
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda text: text.replace("\n", "\n> "), id="quoted"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="crlf"),
        pytest.param(lambda text: f"```\n{text}```\n", id="fenced"),
        pytest.param(lambda text: "    " + text.replace("\n", "\n    "), id="indented"),
        pytest.param(
            lambda text: f"Hi all,\n\nthis is what I see:\n\n$ some command 812\n{text}\nThanks,\nx",
            id="in-a-mail",
        ),
    ],
)
def test_what_mail_does_to_a_listing_is_undone(known, wrap):
    plain, wrapped = (
        importers.read(text.encode(), source="x") for text in (text_of(known, 20), wrap(text_of(known, 20)))
    )

    assert [m[:3] for m in wrapped.mappings] == [m[:3] for m in plain.mappings]


@pytest.mark.parametrize("known", ROWS)
def test_lines_that_were_left_out_are_said_with_their_place(known):
    lines = text_of(known, 20).splitlines()
    lines.insert(-10, "[... 120 more lines ...]")

    snapshot = importers.read("\n".join(lines).encode(), source="x")

    assert (
        f"line {len(lines) - 10}: rows are missing: the listing is truncated here" in snapshot.origin.doubts
    )
    assert len(snapshot.mappings) == 20


@pytest.mark.parametrize("known", ROWS)
@settings(max_examples=times(40), deadline=None)
@given(data=st.data())
def test_a_damaged_listing_is_read_or_refused(known, data):
    lines = HEADS[known].splitlines()
    for index in range(data.draw(st.integers(0, 6))):
        low, high = data.draw(st.sampled_from(NUMBERS)), data.draw(st.sampled_from(NUMBERS))
        lines.append(ROWS[known].format(low, high, index, high))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(lines)))
        lines.insert(at, data.draw(FRAGMENTS))
    text = "\n".join(lines)
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.text(max_size=6)) + text[at + data.draw(st.integers(0, 6)) :]

    with suppress(VmdiffError):
        snapshot = importers.read(text.encode(errors="surrogatepass"), source="x")
        assert snapshot.model_dump_json()


@pytest.mark.parametrize("known", ROWS)
@pytest.mark.parametrize("filler", [" ", "0x", "1 ", "[", "-", "*** ", "0-"])
def test_endless_lines_cost_no_more_than_their_length(known, filler):
    body = filler * (40_000 // len(filler))
    row = ROWS[known].format(0x1000, 0x2000, 1, 0x1FFF)
    text = HEADS[known] + "".join(f"{row[:cut]}{body}\n" for cut in range(0, len(row), 9))

    read_or_refuse(text.encode())


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.name)
@settings(max_examples=times(15), deadline=None)
@given(data=st.data())
def test_a_word_that_goes_on_and_on_is_read_or_refused(path, data):
    """Longer than a number may be (4,300 digits in Python), than a name, than a fuzzer's input."""
    lines = path.read_bytes().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    word = data.draw(st.sampled_from(sorted(set(re.findall(rb"\w+|\s+|\W", lines[at]))) or [b" "]))
    longer = data.draw(st.sampled_from((5_000, 70_000))) // len(word) + 1
    lines[at] = lines[at].replace(word, word * longer, 1)

    read_or_refuse(b"\n".join([*lines, b""]))


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.name)
@settings(max_examples=times(30), deadline=None)
@given(data=st.data())
def test_whatever_a_number_is_what_was_read_can_be_saved_and_opened(path, data):
    lines = path.read_bytes().splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    numbers = list(re.finditer(rb"(?<![A-Za-z])[0-9a-f]*[0-9][0-9a-f]*", lines[at]))
    if not numbers:
        return
    found = data.draw(st.sampled_from(numbers))
    lines[at] = lines[at][: found.start()] + data.draw(st.sampled_from(EDGES)) + lines[at][found.end() :]

    try:
        snapshot = importers.read(b"\n".join([*lines, b""]), source="x")
    except VmdiffError:
        return
    assert json_document.load(b"".join(json_document.dump(snapshot)), source="again") == snapshot


@pytest.mark.parametrize(
    "line",
    ["Name:{}[anon:x] y", "Rss:{}4 kB x", "VmFlags: rd{}mr \x01{}x", "2000-3000: /x{}y (@0)", "2000-3000{}x"],
)
def test_blanks_are_passed_over_once(line):
    row = "1000-2000 rw-p 00000000 00:00 0\n"
    text = row + line.replace("{}", " " * 1_000_000) + "\n"

    read_or_refuse(text.encode())  # a square of the number would be hours


def test_a_process_with_a_name_that_no_document_can_hold_is_refused():
    text = f"1680:   {'x' * 70_000}\n0000000000400000     24K r-x-- sleep\n total 24K\n"

    with pytest.raises(InputError, match=r"^x: name: .*65536"):
        importers.read(text.encode(), source="x")


def test_numbers_longer_than_python_reads_are_unknown():
    maps = "1000-2000 rw-p 00000000 00:00 0\n{}VmFlags: rd\n"
    pmap = (SEEDS / "pmap" / "wide").read_text()
    digits = "1" * 5_000

    for counter in ("Rss", "KernelPageSize", "THPeligible"):
        read = importers.read(maps.format(f"{counter}: {digits} kB\n").encode(), source="x")
        assert not any(read.mappings[0].values.values())
    read = importers.read(re.sub(r"1$", digits, pmap, count=1, flags=re.MULTILINE).encode(), source="x")
    assert read.mappings[1].values["thp_eligible"] is None


def test_what_is_said_of_many_lines_is_said_once():
    snapshot = importers.read((text_of("gdb", 2) + "...\n" * 1_000 + text_of("gdb", 0)).encode(), source="x")

    assert len([doubt for doubt in snapshot.origin.doubts if "truncated" in doubt]) == 1


def test_a_counter_without_a_number_is_unknown():
    record = "{:x}000-{:x}000 rw-p 00000000 00:00 0\nRss: {} kB\nNew: {} kB\nVmFlags: rd\n"
    text = record.format(1, 2, 4, 8) + record.format(2, 3, "", "")

    first, second = importers.read(text.encode(), source="x").mappings

    assert (first.values["rss"], first.values["new"]) == (4096, 8192)
    assert (second.values["rss"], second.values["new"]) == (None, None)


def test_an_offset_beyond_the_last_is_no_offset():
    row = "0x{:x} 0x{:x} 0x1000 0x{:x} rw-p /bin/x\n"
    text = HEADS["gdb"] + row.format(0x1000, 0x2000, 0) + row.format(0x2000, 0x3000, 1 << 64)

    snapshot = importers.read(text.encode(), source="x")

    assert [mapping.start for mapping in snapshot.mappings] == [0x1000]
    assert any(doubt.startswith("line 6: not read") for doubt in snapshot.origin.doubts)


def test_a_name_is_as_long_as_it_is_written():
    text = HEADS["glibc-abort"].encode() + b"1000-2000 rw-p 00000000 00:00 0 /" + b"\xff" * 60_000 + b"\n"

    with pytest.raises(ListingError, match="a name of at most 65,536 characters"):
        importers.read(text, source="x")
