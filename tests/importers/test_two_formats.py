"""Two listings of one process in two formats compare as equal where both speak."""

import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest

from tests.waiting import until_asleep
from vmdiff import importers
from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import compare
from vmdiff.owners import RULES, Scene, assign

SLEEPER = "import mmap; b = mmap.mmap(-1, 1 << 20); b[0] = 1; print(flush=True); input()"
LISTERS = {
    "maps": lambda pid: Path(f"/proc/{pid}/maps").read_bytes(),
    "smaps": lambda pid: Path(f"/proc/{pid}/smaps").read_bytes(),
    **{
        " ".join(("pmap", *options)): lambda pid, options=options: (
            subprocess.run(
                ["pmap", *options, str(pid)], check=True, capture_output=True, env={"LC_ALL": "C.UTF-8"}
            ).stdout
        )
        for options in (
            (),
            ("-p",),
            ("-x",),
            ("-xp",),
            ("-X",),
            ("-XX",),
            ("-XXp",),
            ("-d",),
            ("-q",),
            ("-xq",),
            ("-dq",),
            ("-Xq",),
        )
    },
}


@contextmanager
def sleeper():
    """A process that has mapped something and waits to be told to end."""
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        until_asleep(process.pid)
        yield process.pid
    finally:
        process.communicate(b"\n")


@pytest.fixture(scope="module")
def listings():
    if not shutil.which("pmap"):
        pytest.skip("needs pmap")
    with sleeper() as pid:
        texts = {name: lister(pid) for name, lister in LISTERS.items()}
    return {name: importers.read(text, source=name) for name, text in texts.items()}


@pytest.mark.parametrize(("one", "other"), list(combinations(LISTERS, 2)))
def test_two_listings_of_one_process_are_equal(listings, one, other):
    before, after = (assign(Scene(listings[name]), RULES) for name in (one, other))

    changes = compare(before, after).changes

    # PSS may move when another process starts meanwhile.
    assert [change for change in changes if change.change is not ChangeName.RECOUNTED] == []


@pytest.mark.parametrize(
    ("one", "other"), [("pmap -x", "maps"), ("pmap", "smaps"), ("pmap -d", "pmap -X"), ("pmap -p", "pmap -x")]
)
def test_two_runs_of_one_program_in_two_formats_have_the_same_mappings(listings, one, other):
    with sleeper() as pid:
        another = importers.read(LISTERS[other](pid), source=other)
    before, after = (assign(Scene(each), RULES) for each in (listings[one], another))

    comparison = compare(before, after)

    gone_or_new = {ChangeName.NEW, ChangeName.REMOVED, ChangeName.REPLACED}
    named = [change for change in comparison.changes if change.change in gone_or_new and change.path]
    assert comparison.match == "structure"
    assert named == []


def test_real_listings_of_one_process_are_equal(case):
    before, after = (
        assign(Scene(importers.read(case(name), source=name)), RULES)
        for name in ("pmap-x/kernel5.15-bash-swapped.txt", "pmap-XX/kernel5.15-bash-swapped.txt")
    )

    comparison = compare(before, after)

    assert comparison.match == "address"
    assert comparison.changes == ()
    assert comparison.unchanged == 31
