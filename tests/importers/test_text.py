"""What mail and issue trackers do to a text is undone, and listings are told from each other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmdiff.errors import InputError
from vmdiff.importers.numbers import amount, hexadecimal, kilobytes
from vmdiff.importers.pasted.lines import cut_into_lines, decode, is_elision
from vmdiff.importers.pasted.prefixes import unquote
from vmdiff.importers.sections import LineRole, Mark, find_sections


def unwrap(text, source):
    return unquote(text, cut_into_lines(text, source))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("a b", id="as-it-is"),
        pytest.param("> a b", id="quoted"),
        pytest.param(">> > a b", id="quoted-thrice"),
        pytest.param("&gt; a b", id="quoted-in-html"),
        pytest.param("    a b", id="code-block"),
        pytest.param("\ta b", id="tab"),
        pytest.param(">\ta b", id="quoted-tab"),
        pytest.param("\xa0 a b", id="no-break-space"),
        pytest.param("a b\r", id="carriage-return"),
        pytest.param("\ra b", id="carriage-return-before"),
        pytest.param("\ufeffa b", id="byte-order-mark"),
    ],
)
def test_wrapping_comes_off(line):
    assert [each.text for each in unwrap(f"{line}\n{line}\n", "x")] == ["a b", "a b"]


def test_lines_keep_the_numbers_of_the_text():
    assert [line.number for line in unwrap("a\n\n> b", "x")] == [1, 2, 3]


@pytest.mark.parametrize("ending", ["\f", "\x85", "\u2028", "\v"])
def test_only_a_newline_ends_a_line(ending):
    assert len(unwrap(f"a{ending}b\n", "x")) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_are_told_by_marks_and_zeros(encoding):
    text = "00400000-0040b000 r-xp 00000000 fc:00 794418 /bin/cät\n"

    assert decode(text.encode(encoding), "x") == text


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_bytes_that_are_no_text_survive(data):
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) and 0 not in data:
        assert decode(data, "x").encode("utf-8", "surrogateescape") == data


@pytest.mark.parametrize(
    ("text", "elision"),
    [
        *((text, True) for text in ("...", "… … …", "[snip]", "<12 more lines>", ".....")),
        *((text, False) for text in ("", "----", "no more mappings here", "a" * 500)),
    ],
)
def test_an_elision_is_told_from_other_lines(text, elision):
    assert is_elision(text) is elision


def _mark(text: str) -> Mark | None:
    """A toy format: ``H`` header, ``T`` total, a number a row, ``9`` the last row of an address space."""
    if text == "H":
        return Mark(LineRole.BEGIN)
    if text == "T":
        return Mark(LineRole.END)
    return Mark(LineRole.ROW, int(text), "last" if text == "9" else "") if text.isdigit() else None


@pytest.mark.parametrize(
    ("drawing", "sections"),
    [
        pytest.param("H 1 2 3 T", ["H 1 2 3 T"], id="one"),
        pytest.param("x H 1 2 x", ["H 1 2"], id="prose-around"),
        pytest.param("H 1 2 H 1 2", ["H 1 2", "H 1 2"], id="two-headers"),
        pytest.param("1 2 T 3 4 T", ["1 2 T", "3 4 T"], id="two-totals"),
        pytest.param("1 2 x 3 4", ["1 2 x 3 4"], id="a-remark-between"),
        pytest.param("1 2 x 1 2", ["1 2", "1 2"], id="prose-between"),
        pytest.param("1 2 ... 4", ["1 2 ... 4"], id="cut"),
        pytest.param("1 2 3 1 2 3", ["1 2 3", "1 2 3"], id="the-addresses-start-over"),
        pytest.param("3 4 9 5 6 9", ["3 4 9", "5 6 9"], id="the-address-space-was-complete"),
        pytest.param("3 4 9 5 6", ["3 4 9 5 6"], id="a-displaced-row"),
        pytest.param("4 2 3", ["4 2 3"], id="unsorted"),
        pytest.param("4 3 T H", ["4 3 T H"], id="sorted-with-its-header"),
        pytest.param("1 1 2 2", ["1 1 2 2"], id="each-row-twice"),
        pytest.param("H T", ["H T"], id="no-rows"),
        pytest.param("H x", [], id="a-header-alone"),
        pytest.param("T T T", ["T", "T", "T"], id="totals-alone"),
        pytest.param("x y", [], id="nothing"),
    ],
)
def test_listings_are_told_from_each_other(drawing, sections):
    lines = unwrap(drawing.replace(" ", "\n"), "x")

    found = [" ".join(line.text for line in lines[a:b]) for a, b in find_sections(lines, _mark)]

    assert found == sections


def test_a_text_of_too_many_lines_is_refused():
    with pytest.raises(InputError, match="more lines"):
        unwrap("\n" * 6_000_001, "x")


@pytest.mark.parametrize(
    ("read", "text", "number"),
    [
        (hexadecimal, "7f00", 0x7F00),
        (hexadecimal, "0xFF", 255),
        (hexadecimal, "1" + "0" * 16, 1 << 64),
        (hexadecimal, "f" * 17, None),
        (hexadecimal, "", None),
        (kilobytes, "132", 132 << 10),
        (kilobytes, "132K", 132 << 10),
        (kilobytes, "132 kB", 132 << 10),
        (kilobytes, "9" * 20, None),
        (kilobytes, "9" * 5000, None),
        (kilobytes, "-", None),
        (kilobytes, "1.5", None),
        (amount, "1232", (1232, False)),
        (amount, "4K", (4096, False)),
        (amount, "1.5M", (1536 << 10, True)),
        (amount, "1.1G", ((11 << 30) // 10, True)),
        (amount, "9E9", None),
        (amount, "99999999E", None),
    ],
)
def test_numbers_are_read_or_unknown(read, text, number):
    assert read(text) == number
