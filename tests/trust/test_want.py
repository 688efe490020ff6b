"""Where something is wanting -- memory, a clock that runs forwards -- it is said, or makes no difference."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import vmdiff
from tests.draw import mappings, snapshot

MIB = 1 << 20


def with_memory(room: int, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that may have *room* bytes of address space."""
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}));"
        f" import sys; sys.argv[1:] = {[str(word) for word in words]!r}; from vmdiff.cli import main; main()"
    )
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.json"
    vmdiff.save(snapshot(*mappings("ab" * 40_000)), path)
    return path


def test_out_of_memory_is_one_line_and_2(many: Path, tmp_path: Path) -> None:
    said = set()
    for room in range(60, 200, 20):
        done = with_memory(room * MIB, "convert", many, "-o", tmp_path / f"{room}.json")
        said.add((done.returncode, done.stderr))
        written = list(tmp_path.iterdir())
        assert [path.name for path in written] == ([f"{room}.json"] if done.returncode == 0 else [])
        for path in written:
            path.unlink()

    assert (2, "vmdiff: out of memory\n") in said


def test_a_clock_that_was_set_back_reads_sensibly(tmp_path: Path) -> None:
    times = (datetime(2026, 5, 5, 12, tzinfo=UTC), datetime(2026, 5, 5, 11, 59, 30, tzinfo=UTC))
    for name, taken_at in zip(("before", "after"), times, strict=True):
        taken = snapshot(*mappings("ab1")).model_copy(update={"taken_at": taken_at})
        vmdiff.save(taken, tmp_path / f"{name}.json")
    command = [sys.executable, "-m", "vmdiff", "compare", tmp_path / "before.json", tmp_path / "after.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "2026-05-05 12:00:00 UTC" in done.stdout
    assert "after” was taken 30 s EARLIER" in " ".join(done.stdout.split())
