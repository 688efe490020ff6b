"""Snapshots ride inside a report and come back as they were; nothing else can pose as one."""

import contextlib
import gzip
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.report import pictures
from tests.report.worlds import comparisons
from tests.work import CountingBytes, assert_linear
from vmdiff.errors import DocumentError, InputError
from vmdiff.storage.html_embedding import carried, carry, is_report

HEAD = '<!doctype html><html data-made-by="vmdiff"><title>vmdiff</title>'


def page(*snapshots) -> bytes:
    return (HEAD + carry(snapshots)).encode()


@settings(max_examples=times(25), deadline=None)
@given(comparisons())
def test_both_come_back_as_they_were(comparison) -> None:
    assert carried(page(comparison.before, comparison.after), source="r") == (
        comparison.before,
        comparison.after,
    )


def test_names_cannot_pose_as_a_snapshot_or_end_one() -> None:
    taken = pictures.hostile()

    (read,) = carried(page(taken), source="r")
    assert [mapping.path for mapping in read.mappings[:4]] == [mapping.path for mapping in taken.mappings[:4]]
    assert carry([taken]).count("<") == 2


def test_it_survives_crlf_and_a_browsers_own_spelling() -> None:
    taken = pictures.server()
    data = page(taken).replace(b"data-vmdiff-snapshot>", b'data-vmdiff-snapshot="">').replace(b"\n", b"\r\n")

    assert carried(data, source="r") == (taken,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD.encode(), "no snapshots ride in it"),
        (page(*[pictures.server()] * 3), "more than two ride in it"),
        (page(pictures.server())[:-400], "no snapshots ride in it"),
        (page(pictures.server()).replace(b"H4sI", b"AAAA", 1), "damaged"),
        (page(pictures.server()).replace(b"H4sI", b"=H4s", 1), "damaged"),
    ],
    ids=["none", "three", "cut", "no-gzip", "no-base64"],
)
def test_what_cannot_be_read_back_is_said_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        carried(data, source="r")


def test_a_bomb_is_refused() -> None:
    bomb = gzip.compress(b"[" + bytes(1 << 20) + b"]")
    data = HEAD.encode() + b"<script data-vmdiff-snapshot>" + b64encode(bomb) + b"</script>"

    with pytest.raises(DocumentError):
        carried(data, source="r")
    with pytest.raises(InputError, match="more than 0 MiB"):
        carried(data, source="r", largest=4096)


def test_a_report_is_told_from_other_pages() -> None:
    assert is_report(page(pictures.server()))
    assert not is_report(b"<!doctype html><html><title>about vmdiff</title>")


@pytest.mark.parametrize(
    "piece",
    [
        b"<script data-vmdiff-snapshot ",
        b"data-vmdiff-snapshot",
        b"<script data-vmdiff-snapshot>A",
        b"<script ><data-vmdiff-snapshot>",
    ],
)
def test_a_hostile_page_costs_no_more_than_its_length(piece: bytes) -> None:
    def looked_at(count: int) -> int:
        data = CountingBytes(HEAD.encode() + piece * count)
        with pytest.raises(InputError):
            carried(data, source="r")
        return data.looked_at

    assert_linear(looked_at, 2_000)


@settings(max_examples=times(100))
@given(
    st.lists(
        st.sampled_from(
            [b"<script", b" ", b"data-vmdiff-snapshot", b">", b"QUJD", b"</script>", b"<", b"\n"]
        ),
        max_size=24,
    )
)
def test_whatever_the_page_it_is_read_or_refused(pieces: list[bytes]) -> None:
    with contextlib.suppress(InputError):
        carried(b"".join(pieces), source="r")
