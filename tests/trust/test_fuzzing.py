"""The targets of the fuzzer, tried without one: on the corpus, on mutations of it, and on what it has found."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS
from tests.draw import mappings, snapshot
from tests.effort import times
from vmdiff import importers
from vmdiff.errors import DocumentError, ListingError
from vmdiff.importers.procfs import fast_reader, tolerant_reader
from vmdiff.storage import json_document

SEEDS = Path(__file__).parent.parent.parent / "fixtures" / "fuzz"
HEADER = b"00001000-00002000 rw-p 00000000 00:00 0 \n"


def seeds_of(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((SEEDS / name).iterdir())]


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name: str) -> None:
    for seed in seeds_of(name):
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=times(25), deadline=None, derandomize=True)
@given(data=st.data())
def test_mutations_of_the_corpus_hold(name: str, data: st.DataObject) -> None:
    """What `make fuzz` does with coverage as its guide, for machines where atheris is not to be had."""
    mutated = bytearray(data.draw(st.sampled_from(seeds_of(name))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated)))
        mutated[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))

    TARGETS[name](bytes(mutated))


def test_an_owner_with_a_key_that_there_is_not_is_refused_with_its_place() -> None:
    text = b"".join(json_document.dump(snapshot(*mappings("a"))))
    broken = text.replace(b'"kind":', b'"owner":{"name":"x","cdrtainty":"certain"},"kind":')

    with pytest.raises(DocumentError, match=r"\$\.mappings\[0\]\.owner\.cdrtainty: "):
        json_document.load(broken, source="x")


def test_flags_that_are_no_utf8_are_kept_printable() -> None:
    listing = fast_reader.parse([HEADER + b"Rss: 4 kB\nVmFlags: rd \xff\n"], source="x")

    assert listing.mappings[0].flags == ("rd", "\\xff")


def test_a_counter_with_something_else_on_its_line_is_unknown_both_ways() -> None:
    data = b"".join(b"%b%b: 4 kB\nPss:  %b\n" % (HEADER, b"Rss", text) for text in (b"4 kB", b"[   4 kB"))
    data = data.replace(b"00001000-00002000", b"00003000-00004000").replace(
        b"00003000-00004000", b"00001000-00002000", 1
    )

    assert tolerant_reader.quick(data, "x") is None
    assert importers.read(data, source="x").mappings[1].values["pss"] is None


def test_a_line_that_is_no_key_is_refused_wherever_its_key_begins() -> None:
    record = HEADER + b"Rss: 4 kB\nBk   4Pss: 4 kB\nVmFlags: rd\n"

    with pytest.raises(ListingError):
        fast_reader.parse([HEADER + b"Rss: 4 kB\nPss: 4 kB\nVmFlags: rd\n" + record], source="x")


def test_a_key_given_twice_is_what_it_was_given_last() -> None:
    listing = fast_reader.parse([HEADER + b"Rss: 4 kB\nRss: 0 kB\nVmFlags: rd\n"], source="x")

    assert dict(listing.mappings[0].values) == {}


def test_a_rollup_of_which_nothing_can_be_read_is_refused() -> None:
    with pytest.raises(ListingError):
        importers.read(b"00400000 rw-s 00000000  00:01    0    [rollup]\n", source="x")


RECORD = HEADER + b"Size: 4 kB\nKernelPageSize: 4 kB\nRss: 4 kB\nVmFlags: rd wr \n"


def test_what_the_kernel_wrote_is_read_quickly() -> None:
    assert tolerant_reader.quick(RECORD, "x") == importers.read(RECORD + b"\n", source="x")


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param(b"00:00", b"0:00eeeeeeeee", id="no-device"),
        pytest.param(b" 0 ", b" 00 ", id="inode-with-zeros"),
        pytest.param(b" 00000000 ", b" %b " % (b"0" * 30), id="endless-offset"),
        pytest.param(b"00001000-", b"00000000000000000001000-", id="address-with-zeros"),
        pytest.param(b" \n", b"   \t /x\n", id="name-after-a-tab"),
        pytest.param(b"Size: 4 kB\n", b"Size: G 4 kB\n", id="size-of-something"),
        pytest.param(b"PageSize: 4 kB", b"PageSize: 0 kB", id="page-size-of-0"),
        pytest.param(b"PageSize: 4 kB", b"PageSize: 04 kB", id="number-with-zeros"),
        pytest.param(b"PageSize: 4 kB", b"PageSize: 4", id="page-size-without-unit"),
        pytest.param(b"PageSize: 4 kB", b"PageSize: 4   kB", id="unit-aside"),
        pytest.param(b"Rss: 4 kB", b"Rss: 4 kB\nKernelPageSize: 8 kB", id="key-twice"),
        pytest.param(b"KernelPage", b"kernelPage", id="key-in-other-letters"),
        pytest.param(b"Size: 4 kB\nKernel", b"size: 8 kB\nKernel", id="size-in-small-letters"),
        pytest.param(b"Size: 4 kB\nKernel", b"SIZE: 8 kB\nKernel", id="size-in-capitals"),
        pytest.param(b"Rss: 4 kB", b"Rss: 99999999999999999999 kB", id="more-than-there-is"),
        pytest.param(b"Rss", b"R" * 70, id="endless-key"),
        pytest.param(b"Rss", b"R" + b"_" * 70 + b"s", id="key-of-underscores"),
        pytest.param(b"VmFlags: ", b"VmFlags:", id="flags-without-blank"),
        pytest.param(b" wr ", b" \x1f ", id="flags-of-control-characters"),
    ],
)
def test_what_no_kernel_writes_is_read_as_the_patient_reader_does(written: bytes, instead: bytes) -> None:
    assert written in RECORD
    data = RECORD.replace(written, instead, 1)
    quickly = tolerant_reader.quick(data, "x")

    assert quickly is None or quickly == importers.read(data + b"\n", source="x")
