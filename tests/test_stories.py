"""What the stories in docs/stories tell happens again."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import vmdiff
from tests.owners.living import compiled
from vmdiff.comparison.compare import Comparison
from vmdiff.findings import find

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "fixtures" / "programs"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes a live process")


class Service:
    """A program that answers each line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def do(self, line: str) -> None:
        """Have a line served; it is when this returns."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline(), f"it ended: {line}"


@contextlib.contextmanager
def service(command: Sequence[object], folder: Path | None = None, **environment: str) -> Iterator[Service]:
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    ) as process:
        try:
            yield Service(process)
        finally:
            process.kill()


def told(comparison: Comparison) -> dict[str, str]:
    return {finding.id: finding.message for finding in find(comparison)}


def clients(**environment: str) -> dict[str, str]:
    """Give what is found when twelve clients come on top of one."""
    with service([compiled(PROGRAMS / "service.c")], **environment) as process:
        process.do("1")
        before = vmdiff.snap(process.pid)
        process.do("12")
        return told(vmdiff.compare(before, vmdiff.snap(process.pid)))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="glibc makes eight arenas for each processor")
def test_the_service_with_many_arenas() -> None:
    assert "malloc has 13 arenas besides its main one, 12 more than before" in clients()["many-arenas"]
    assert "many-arenas" not in clients(MALLOC_ARENA_MAX="2")


@pytest.mark.skipif(importlib.util.find_spec("lmdb") is None, reason="LMDB is not installed")
def test_the_memory_mapped_database(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROGRAMS / "fill_shop.py"], cwd=tmp_path, check=True)
    with service([sys.executable, PROGRAMS / "shop.py"], tmp_path) as process:
        taken = []
        for line in ("nothing", "look", "everything"):
            process.do(line)
            taken.append(vmdiff.snap(process.pid))
    after_all = vmdiff.compare(taken[0], taken[2])

    assert set(told(after_all)) - {"doubts"} == {"file-backed-growth"}
    [change] = [one for one in after_all.changes if one.path and one.path.endswith("data.mdb")]
    assert str(change.change) == "resident"
    assert change.after[0].values["file_size"] == (tmp_path / "orders/data.mdb").stat().st_size


@pytest.mark.parametrize("name", ["service.c"])
def test_a_story_shows_the_program_that_was_run(name: str) -> None:
    program = (PROGRAMS / name).read_text().splitlines()
    shown = "\n".join(f"    {line}".rstrip() for line in program)

    assert shown in (ROOT / "docs/stories/arenas.md").read_text()
