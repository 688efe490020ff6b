"""Bundles: what the collector printed is read as it was, and what is damaged is never other numbers."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.collecting import bundle_of, sleeper
from vmdiff import importers
from vmdiff.errors import InputError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet

PLACES = st.integers(0, 1 << 24)  # modulo the length of what is damaged


class Whole(bytes):
    """A bundle whose repr is short: hypothesis writes it at every failure."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with sleeper() as pid:
        return Whole(bundle_of([pid], tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def uncounted(bundle: bytes) -> bytes:
    """The bundle of a host without tee and wc."""
    return Whole(re.sub(rb"(?m)^(@vmdiff:\w+ end \S+)[- 0-9]*$", rb"\1", bundle))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with sleeper() as one, sleeper() as other:
        return Whole(bundle_of([one, other], tmp_path_factory.mktemp("pair")))


def test_a_bundle_is_read_without_a_doubt(bundle: bytes) -> None:
    snapshot = importers.read(bundle, source="b")
    assert snapshot.origin.doubts == ()
    assert snapshot.origin.consistent
    assert snapshot.rollup
    assert snapshot.total("rss") == snapshot.rollup["rss"]


@pytest.mark.parametrize(
    "dialect", ["quoted", "crlf", "both", "no blanks at line ends", "in a letter", "logged"]
)
def test_a_bundle_pasted_through_a_mail_is_the_same(bundle: bytes, dialect: str) -> None:
    pasted = {
        "quoted": re.sub(rb"(?m)^", b"> ", bundle.rstrip(b"\n")),
        "crlf": bundle.replace(b"\n", b"\r\n"),
        "both": re.sub(rb"(?m)^", b"> > ", bundle.rstrip(b"\n")).replace(b"\n", b"\r\n"),
        "no blanks at line ends": re.sub(rb"(?m) +$", b"", bundle),
        "in a letter": b"Hello,\n\nsee below.\n\n" + bundle + b"\n-- \nA name\n",
        "logged": re.sub(rb"(?m)^", b"2026-11-28 12:00:00 web-0 | ", bundle.rstrip(b"\n")),
    }[dialect]
    assert facts(importers.read(pasted, source="b")) == facts(importers.read(bundle, source="b"))


@given(at=PLACES, counted=st.booleans())
def test_a_bundle_that_is_cut_is_refused_or_doubted(
    bundle: bytes, uncounted: bytes, at: int, counted: bool
) -> None:
    whole = bundle if counted else uncounted
    check(whole[: at % len(whole.rstrip(b"\n"))], whole)


@given(at=PLACES, length=st.integers(1, 60), counted=st.booleans())
def test_lines_that_are_lost_inside_are_noticed(
    bundle: bytes, uncounted: bytes, at: int, length: int, counted: bool
) -> None:
    lines = (bundle if counted else uncounted).splitlines(keepends=True)
    first = at % len(lines)
    check(b"".join(lines[:first] + lines[first + length :]), bundle, counted=counted)


FOREIGN = (
    b"Last login: Sat Nov 28 12:00:00 from 10.0.0.1\n",
    b"Rss:                 999 kB\n",
    b"00400000-00500000 r--p 00000000 00:00 0 \n",
    b"@vmdiff:00000000 end smaps 3 4\n",
    b"@vmdiff:00000000 done 1\n",
    b"VmFlags: rd \n",
    b"\x1b[31mwarning\x1b[0m\n",
)


@given(at=PLACES, line=st.sampled_from(FOREIGN))
def test_foreign_lines_are_noticed(bundle: bytes, at: int, line: bytes) -> None:
    lines = bundle.splitlines(keepends=True)
    at = 1 + at % (len(lines) - 1)
    check(b"".join([*lines[:at], line, *lines[at:]]), bundle)


@given(at=PLACES)
def test_a_byte_that_is_lost_is_noticed(bundle: bytes, at: int) -> None:
    at %= len(bundle)
    check(bundle[:at] + bundle[at + 1 :], bundle)


def check(damaged: bytes, whole: bytes, *, counted: bool = True) -> None:
    """Check that a damaged text has the whole one's numbers or none, and says that it is damaged."""
    expected = importers.read(whole, source="b")
    try:
        found = importers.read(damaged, source="b")
    except InputError:
        return
    if found.origin.detail == "smaps":
        told = [name for name, value in found.totals.items() if value != expected.totals.get(name)]
        assert not told or (not counted and found.origin.doubts), told
    if found.mappings != expected.mappings or found.process != expected.process:
        assert found.origin.doubts or not counted


def facts(snapshot: Snapshot) -> object:
    return (
        snapshot.mappings,
        snapshot.rollup,
        snapshot.host,
        snapshot.process,
        snapshot.taken_at,
        snapshot.origin.consistent,
    )


def test_several_processes_are_a_set(pair: bytes) -> None:
    found = importers.read_set(pair, source="b")
    assert isinstance(found, SnapshotSet)
    assert len(found.members) == 2
    assert found.missing == ()
    quoted = re.sub(rb"(?m)^", b"> ", pair.rstrip(b"\n"))
    again = importers.read_set(quoted, source="b")
    assert again is not None
    assert list(map(facts, again.members)) == list(map(facts, found.members))


@given(at=PLACES)
def test_of_a_set_that_is_cut_the_rest_is_missing(pair: bytes, at: int) -> None:
    first = re.search(rb"(?m)^@vmdiff:\w+ done \d+\n", pair)
    assert first
    cut = first.end() + at % (len(pair.rstrip(b"\n")) - first.end())
    found = importers.read_set(pair[:cut], source="b")
    assert found is not None
    doubted = [one for one in found.members if one.origin.doubts]
    assert found.missing or doubted


def test_what_a_host_does_not_have_is_unknown_and_no_doubt(bundle: bytes) -> None:
    without = re.sub(
        rb"(?m)^(@vmdiff:\w+) file thp\n.*\n\S+ end .*$",
        rb"\1 file thp\n\1 end thp 0 0 unread: cat: /sys/x: No such file or directory",
        bundle,
    )
    found = importers.read(without, source="b")
    assert found.origin.doubts == ()
    assert found.host.transparent_hugepages is None


def test_a_listing_that_may_not_be_read_is_an_error_with_the_reason(bundle: bytes) -> None:
    refused = re.sub(
        rb"(?ms)^(@vmdiff:\w+) file (maps|smaps|maps-again)\n.*?^\S+ end \2 \d+ \d+$",
        rb"\1 file \2\n\1 end \2 0 0 unread: cat: /proc/1/\2: Permission denied",
        bundle,
    )
    with pytest.raises(InputError, match=r"smaps could not be read there: cat: .*: Permission denied"):
        importers.read(refused, source="b")


def test_one_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such process"):
        importers.read(bundle_of([2**22 + 1], tmp_path), source="b")
