"""A copy on write of a real process is a difference to scripts, and a process that did nothing is none."""

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.situations.catalogue import c_program
from tests.situations.staged import Staged, at_rest, staged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes live processes")


def taken(vmdiff: Run, process: Staged, file: Path) -> Path:
    """Save a snapshot by the command line, once the process has come to rest."""
    at_rest(process.pid)
    assert vmdiff("snap", process.pid, "-o", file).code == 0
    return file


def test_a_copy_on_write_of_220_mib_is_a_difference(vmdiff: Run, tmp_path: Path) -> None:
    with staged([c_program(), "forked", tmp_path]) as process:
        process.do()  # fills 220 MiB
        process.do()  # forks
        before = taken(vmdiff, process, tmp_path / "before.json")
        process.do()  # writes to all of it
        after = taken(vmdiff, process, tmp_path / "after.json")
    asked = vmdiff("compare", before, after, "--exit-code", "--format", "text")

    assert asked.code == 1
    assert "private +220 MiB: copied on write since a fork (likely)" in asked.out
    assert vmdiff("compare", before, after, "--fail-on", "private > +190MiB").code == 1
    assert vmdiff("compare", before, after, "--fail-on", "rss > +10MiB").code == 0


def test_a_process_that_did_nothing_is_no_difference(vmdiff: Run, tmp_path: Path) -> None:
    with staged([c_program(), "nothing", tmp_path]) as process:
        before = taken(vmdiff, process, tmp_path / "before.json")
        after = taken(vmdiff, process, tmp_path / "after.json")
        asked = vmdiff("compare", before, after, "--exit-code", "--format", "text")

    assert asked.code == 0
    # A neighbour that maps the same library, and starts or ends, moves its PSS: no difference, and no change.
    assert "nothing changed" in asked.out or "resident unchanged\n" in asked.out
