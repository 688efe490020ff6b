"""Figures, times, owners and facts in words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.comparison.differing_facts import FactChange
from vmdiff.model import Mapping, Owner, Part, kind_of
from vmdiff.model import owner as owned_by
from vmdiff.report import wording
from vmdiff.report.view.fact_words import Fact, facts


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0402, "40 ms"),
        (8.21, "8.2 s"),
        (200, "3 min 20 s"),
        (18_120, "5 h 2 min"),
        (40 * 3600, "40 h 0 min"),
        (12 * 86_400 + 5, "12 days"),
    ],
)
def test_a_stretch_of_time_is_as_exact_as_is_useful(seconds, expected):
    assert wording.span(seconds) == expected


def test_a_moment_says_its_zone():
    noon = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)

    assert wording.moment(noon) == "2026-11-22 12:00:00 UTC"
    assert wording.moment(noon.astimezone(timezone(timedelta(hours=2)))) == "2026-11-22 14:00:00 +0200"


@pytest.mark.parametrize(
    ("count", "plain", "signed", "cell"),
    [
        (None, "?", "?", "?"),
        (0, "0", "0", ""),
        (4096, "4 KiB", "+4 KiB", "+4 KiB"),
        (-4096, "-4 KiB", "-4 KiB", "-4 KiB"),
    ],
)
def test_unknown_is_never_blank_and_zero_is_in_tables(count, plain, signed, cell):
    assert (wording.size(count), wording.signed(count), wording.cell(count, sign=True)) == (
        plain,
        signed,
        cell,
    )


@given(st.text(max_size=500), st.integers(3, 100))
def test_a_shortened_text_fits_and_keeps_its_end(text, longest):
    cut = wording.shorten(text, longest)

    assert len(cut) == min(longest, len(text))
    assert cut[-1:] == text[-1:]


PARTS = tuple(
    Part(at * 4096, (at + 1) * 4096, name, "certain", "record", "")
    for at, name in enumerate(("bss", "python arena", "python arena", "malloc large block", "a", "b", "c"))
)


def test_owners_of_one_mapping_are_named_by_their_share():
    mixed = Owner("mixed", parts=PARTS)

    assert wording.owner_words(mixed) == "python arena + a + 4 more"
    assert (
        wording.evidence(mixed)
        == "of it 8 KiB python arena, 4 KiB bss, 4 KiB malloc large block, 4 KiB a and 2 more"
    )
    assert wording.evidence(owned_by("bss", "elf", "the\nheader")) == "seen: the\\x0aheader"
    assert wording.evidence(None) == ""


@pytest.mark.parametrize(
    ("path", "owner", "expected"),
    [
        (None, None, "anonymous"),
        (None, owned_by("jvm heap", "record", ""), "jvm heap"),
        ("[heap]", owned_by("malloc heap", "name", ""), "[heap]"),
        ("/lib/libc.so.6", owned_by("relro", "elf", "", label="libc.so.6"), "/lib/libc.so.6: relro"),
        ("/dev/zero", owned_by("shared anonymous", "name", ""), "shared anonymous"),
        ("/dev/zero", None, "/dev/zero"),
        ("/memfd:x", owned_by("memfd", "name", "", label="x"), "/memfd:x"),
        ("[anon:a\x1b]", owned_by("named", "name", "", label="a\x1b"), "[anon:a\\x1b]"),
    ],
)
def test_a_mapping_is_called_by_what_says_most(path, owner, expected):
    mapping = Mapping(0, 4096, "rw-p", kind_of(path, "rw-p"), path=path, owner=owner)

    assert wording.title(mapping) == expected


def test_several_mappings_are_named_once_each():
    heap, none = Mapping(0, 1, "rw-p", path="[heap]"), Mapping(1, 2, "rw-p")
    other = Mapping(2, 3, "rw-p", path="/a")

    assert wording.titles([heap, heap]) == "[heap]"
    assert wording.titles([heap, none]) == "[heap] + anonymous"
    assert wording.titles([heap, none, other]) == "[heap] + 2 others"
    assert wording.place([Mapping(None, None, "rw-p")]) == ""


def test_facts_are_written_for_people():
    changes = [
        FactChange("limits.stack", 8 << 20, "unlimited"),
        FactChange("limits.open_files", 1024, 20000),
        FactChange("cgroup", None, "/a\nb"),
        FactChange("minor_faults", 1, 2),
        FactChange("threads.7", None, "worker"),
        FactChange("threads.8", None, "worker"),
        FactChange("threads.9", "old", None),
        FactChange("threads.1", "a", "b"),
    ]

    assert facts(changes) == (
        Fact("limits.stack", "8,192 KiB", "unlimited"),
        Fact("limits.open files", "1,024", "20,000"),
        Fact("cgroup", "", "/a\\x0ab"),
        Fact("threads started", "", "2 (worker)"),
        Fact("threads ended", "1 (old)", ""),
        Fact("thread renamed", "a", "b"),
    )


def test_threads_of_another_process_are_told_by_name():
    changes = [
        FactChange("pid", 1, 2),
        FactChange("threads.1", "main", None),
        FactChange("threads.2", None, "main"),
        FactChange("threads.3", None, "main"),
        FactChange("threads.4", "old", None),
    ]

    assert facts(changes) == (Fact("threads started", "", "1 (main)"), Fact("threads ended", "1 (old)", ""))
