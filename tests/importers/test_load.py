"""A listing of any format is a snapshot to every command, by name, number or standard input."""

import gzip
import io
import sys

import pytest

from vmdiff import sources
from vmdiff.errors import InputError

MAPS = b"00400000-0040b000 r-xp 00000000 fc:00 794418 /bin/cat\n0060a000-0060b000 rw-p 0000a000 fc:00 794418 /bin/cat\n"
OTHER = b"00400000-00401000 r-xp 00000000 fc:00 9 /bin/ls\n"
TWO = MAPS + b"\nthe other one:\n" + OTHER


@pytest.fixture
def file(tmp_path):
    def write(data: bytes, name: str = "a.txt"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_a_listing_is_read_from_a_file(file):
    assert sources.load(file(MAPS)).totals["size"] == 0xC000


def test_a_compressed_listing_is_read(file):
    assert sources.load(file(gzip.compress(MAPS))).totals["size"] == 0xC000


def test_a_listing_is_read_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MAPS)))

    assert sources.load("-").totals["size"] == 0xC000


def test_of_two_listings_one_must_be_chosen(file):
    with pytest.raises(
        InputError, match=r"holds 2 listings: #1 lines 1-2 \(maps or smaps\), #2 line 5 \(maps or smaps\)"
    ):
        sources.load(file(TWO))


@pytest.mark.parametrize(("number", "size"), [(1, 0xC000), (2, 0x1000)])
def test_a_number_chooses_a_listing(file, number, size):
    path = file(TWO)

    assert sources.load(f"{path}#{number}").totals["size"] == size


def test_a_listing_of_standard_input_is_chosen_too(monkeypatch):
    def paste():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TWO)))

    paste()
    assert sources.load("-#2").totals["size"] == 0x1000
    paste()
    with pytest.raises(InputError, match=r"choose one with -- -#NUMBER"):
        sources.load("-")


@pytest.mark.parametrize("number", ["0", "3", "999999999"])
def test_a_number_that_is_not_there_is_refused(file, number):
    with pytest.raises(InputError, match="holds 2 listings"):
        sources.load(f"{file(TWO)}#{number}")


def test_a_file_may_be_called_with_a_number(file):
    assert sources.load(file(MAPS, "a.txt#2")).totals["size"] == 0xC000


@pytest.mark.parametrize("data", [b"", b"\n \n", b"hello\n", bytes(range(256)), b"\x7fELF"])
def test_what_is_no_listing_is_refused_in_one_line(file, data):
    with pytest.raises(InputError) as refusal:
        sources.load(file(data))

    assert "\n" not in str(refusal.value)
