"""The line law: each line of a text that is not blank is a row, known to its reader, or named in a doubt.

Lines of whole listings are dropped, repeated, cut, glued and moved. What is counted afterwards are rows that went
in: each comes out as a mapping, or its line is named, or the text is refused.
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from tests.importers.conftest import CASES
from tests.importers.test_faults import EXTENDED, MAPS, NMT, NMT_RANGES, REGION_SUMMARY, SOLARIS, VMMAP_CSV
from tests.importers.test_hostile_listings import ROWS, text_of
from vmdiff import importers
from vmdiff.errors import InputError

SMAPS = "".join(
    f"{line}\nRss: {n} kB\nPss: {n} kB\nVmFlags: rd mr\n" for n, line in enumerate(MAPS.splitlines(), 4)
)
PROCMAP = "".join(
    f"1c00{n}000-1c00{n}fff       4k 00000000 r-x-Ip+ (rwx) 1/0/0 00:05   25999 - /usr/sbin/procmap\n"
    for n in range(6)
)
SUSE = "".join(
    f"00000000004{n}0000     4K     4K     2K     0K     0K r-xp 0000000000000000 fd:01  /usr/sbin/x\n"
    for n in range(6)
)
# A listing of each format, and what its rows look like.
LISTINGS: dict[str, tuple[str, str]] = {
    **{name: (text_of(name, 6), "") for name in ROWS},
    "maps": (MAPS, r"[0-9a-f]+-[0-9a-f]+ "),
    "smaps": (SMAPS, r"[0-9a-f]+-[0-9a-f]+ "),
    "pmap-x": (EXTENDED, r"0000[0-9a-f]+ +\d"),
    "solaris": (SOLARIS, r"[0-9A-F]{8} +\d"),
    "suse": (SUSE, r"0000[0-9a-f]+ +\d"),
    "procmap": (PROCMAP, r"1c00"),
    "native-memory": (NMT + NMT_RANGES, r"\s*\[0x\w+ - 0x\w+\]"),
    "region-summary": (REGION_SUMMARY, r"(?:MALLOC|Stack|__)"),
    "windows-vmmap": (VMMAP_CSV, r'" *0'),
}


def read(text):
    """Return the snapshot of a text, None if it is refused."""
    try:
        return importers.read(text.encode("utf-8", "surrogateescape"), source="x")
    except InputError:
        return None


def named(snapshot):
    """Return the numbers of the lines that a doubt names; None if a doubt counts some without naming them."""
    numbers = set()
    for doubt in snapshot.origin.doubts:
        found = re.match(r"lines? ([0-9, \-]+(?: and [0-9-]+)?(?: and [0-9,]+ more)?): ", doubt)
        if found is None:
            continue
        if "more" in found[1]:
            return None
        for first, last in re.findall(r"([0-9]+)(?:-([0-9]+))?", found[1]):
            numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def rows_of(name, text):
    """Return the lines of a whole listing that are rows."""
    pattern = LISTINGS[name][1]
    if pattern:
        return [line for line in text.splitlines() if re.match(pattern, line)]
    return text.splitlines()[-6:]


@pytest.mark.parametrize("name", LISTINGS)
def test_a_whole_listing_has_each_row_and_names_no_other_line(name):
    snapshot = read(LISTINGS[name][0])

    assert snapshot is not None
    assert not named(snapshot)
    if name not in {"native-memory", "windows-vmmap"}:  # a range is cut, a region is the sum of its blocks
        assert len(snapshot.mappings) == len(rows_of(name, LISTINGS[name][0]))


@pytest.mark.parametrize("name", LISTINGS)
def test_a_line_that_no_format_knows_is_named_wherever_it_is(name):
    lines = LISTINGS[name][0].splitlines()
    first = 3 if name == "hs-err" else 0  # above its list a log has parts of many kinds
    for at in range(first, len(lines) + 1):
        snapshot = read("\n".join([*lines[:at], "what the reporter thinks", *lines[at:]]))

        assert snapshot is None or at + 1 in (named(snapshot) or {at + 1}), at


def test_prose_behind_one_of_the_longest_rows_does_not_continue_it():
    rows = "".join(
        f"7f00000{n}0000-7f00000{n}8000 r-xp 00000000 08:02 1355{n} /usr/lib64/libexample-{n}.so\n"
        for n in range(5)
    )
    lines = rows.splitlines()
    snapshot = read("\n".join([*lines[:2], "what the reporter thinks", *lines[2:]]))

    assert 3 in named(snapshot)
    assert [mapping.path for mapping in snapshot.mappings] == [
        f"/usr/lib64/libexample-{n}.so" for n in range(5)
    ]


# Formats whose rows are a line each, so that mappings can be counted.
COUNTED = [name for name in LISTINGS if name not in {"native-memory", "windows-vmmap", "smaps", "hs-err"}]


@st.composite
def changed(draw, name):
    """Return the lines of a listing after some changes, and how many of them are rows as they were."""
    text = LISTINGS[name][0]
    rows, lines = set(rows_of(name, text)), text.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["drop", "repeat", "cut", "glue", "move"]))
        if change == "drop" and len(lines) > 2:
            del lines[at]
        elif change == "repeat":
            lines.insert(draw(st.integers(0, len(lines))), lines[at])
        elif change == "cut":
            lines[at] = lines[at][: draw(st.integers(1, max(1, len(lines[at]) - 1)))]
        elif change == "glue" and at + 1 < len(lines):
            lines[at : at + 2] = [f"{lines[at]} {lines[at + 1]}"]
        else:
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
    return lines, rows


@pytest.mark.parametrize("name", COUNTED)
@settings(max_examples=times(60))
@given(data=st.data())
def test_no_row_is_lost_in_silence(name, data):
    lines, rows = data.draw(changed(name))
    snapshot = read("\n".join(lines) + "\n")
    if snapshot is None or (told := named(snapshot)) is None:
        return

    whole = [number for number, line in enumerate(lines, 1) if line in rows]
    assert len(snapshot.mappings) >= len([number for number in whole if number not in told])


# Crash reports have parts of many kinds around their map, which nobody takes for rows.
REPORTS = {"asan", "glibc-abort", "hs_err", "tombstone", "faults"}


@pytest.mark.skipif(CASES is None, reason="no folder of other people's listings beside the project")
def test_in_the_listings_of_others_a_line_that_no_format_knows_is_named_wherever_it_is():
    tried, unnamed = 0, []
    for path in sorted(CASES.rglob("*")):
        if not path.is_file() or REPORTS & set(path.parts) or path.suffix in {".md", ".tsv", ".py"}:
            continue
        data = path.read_bytes()
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        if b"\0" in data or len(data) > 300_000 or read("\n".join(lines)) is None:
            continue
        for at in range(0, len(lines) + 1, max(1, len(lines) // 6)):
            snapshot = read("\n".join([*lines[:at], "what the reporter thinks", *lines[at:]]))
            tried += 1
            if snapshot is not None and at + 1 not in (named(snapshot) or {at + 1}):
                unnamed.append((path.name, at + 1))

    assert tried > 500
    assert unnamed == []
