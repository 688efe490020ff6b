"""A document and what is kept of it beside its keyframe: the same bytes come back, or an error."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.errors import InputError
from vmdiff.storage import point_delta

documents = st.lists(st.sampled_from([b"", b"a", b"bb", b"ccc 1", b"ccc 2"]), max_size=12).map(b"\n".join)


def encoded(document: bytes, keyframe: bytes) -> bytes:
    return point_delta.Keyframe("k", keyframe).delta_of(document)


@given(documents, documents)
def test_what_is_written_is_read_back(document: bytes, keyframe: bytes) -> None:
    delta = point_delta.Keyframe("0.json.gz", keyframe).delta_of(document)

    assert point_delta.is_delta(delta)
    assert point_delta.keyframe_of(delta, source="x") == "0.json.gz"
    assert point_delta.decoded(delta, keyframe, source="x") == document


def test_equal_lines_cost_nothing_and_similar_ones_little() -> None:
    lines = [b'{"start":"%x","rss":%d}' % (at << 12, at * 4096) for at in range(300)]
    moved = [line.replace(b"4096", b"8192") if at % 50 == 0 else line for at, line in enumerate(lines)]

    assert len(encoded(b"\n".join(moved), b"\n".join(lines))) < 150


def test_another_keyframe_is_refused() -> None:
    delta = encoded(b"a\nb", b"a")

    with pytest.raises(InputError, match="its keyframe k is another by now"):
        point_delta.decoded(delta, b"c", source="x")


@given(st.integers(0, 200), st.integers(0, 255))
def test_damage_is_an_error_or_the_same_document(place: int, letter: int) -> None:
    keyframe = b"\n".join(b"line %d" % at for at in range(40))
    document = keyframe.replace(b"line 7", b"line seven")
    delta = bytearray(encoded(document, keyframe))
    delta[place % len(delta)] = letter

    try:
        found = point_delta.decoded(bytes(delta), keyframe, source="x")
    except InputError:
        return
    # A head that was damaged may name other lines: zlib checks its own part, and the snapshot is checked when read.
    assert len(found) < 10 * len(document)


def test_a_comma_that_became_a_digit_is_an_error() -> None:
    delta = encoded(b"a\nb\nc\nd", b"a\nx\nc\nd")
    damaged = delta.replace(b",", b"0", 1)

    assert damaged != delta
    with pytest.raises(InputError, match="damaged"):
        point_delta.decoded(damaged, b"a\nx\nc\nd", source="x")


def test_a_bomb_of_copies_is_refused() -> None:
    keyframe = b"\n" * 100_000
    head = point_delta.MAGIC + b"k %08x " % zlib.crc32(keyframe) + b",".join([b"0:0:100000"] * 100) + b"\n"
    packed = zlib.compressobj(zdict=b"\n")

    with pytest.raises(InputError, match="no snapshot"):
        point_delta.decoded(head + packed.compress(b"") + packed.flush(), keyframe, source="x")
