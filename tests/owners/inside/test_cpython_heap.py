"""CPython's arenas are read as `sys._debugmallocstats` prints them."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.owners.inside.looking import accessible, whole
from tests.owners.inside.reading import read_inside
from tests.owners.living import compiled, running, wait_until_waiting
from tests.owners.lying import lied_to
from tests.owners.real import absent
from tests.owners.test_python import interpreter
from vmdiff.owners.inside import WHOLE, Budget
from vmdiff.owners.inside.cpython_heap import cpython

VERSIONS = [(3, minor) for minor in range(9, 15)]
PROGRAMS = Path(__file__).parent / "programs"
BUSY = """
import os, signal, sys
objects = [object() for _ in range(100_000)]
texts = [str(number) for number in range(200_000)]
tables = [{number: number} for number in range(20_000)]
del objects[::2], texts[50_000:150_000], tables[::3]
os.write(1, b"")
sys._debugmallocstats()
sys._debugmallocstats()  # the first call may have changed what it counts
os.write(1, b"ready\\n")
signal.pause()
"""
# class, block size, pools, blocks in use, free blocks
CLASS = re.compile(r"^ +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)


@contextmanager
def busy(program: str, said: Path, code: str = BUSY) -> Iterator[int]:
    """Run a Python program that waits in the kernel when it is ready; its standard error goes to *said*."""
    with running(["sh", "-c", 'exec "$0" -c "$1" 2>"$2"', program, code, said]) as (process, _):
        wait_until_waiting(process.pid, 1)
        yield process.pid


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))
def test_every_size_is_as_the_interpreter_counts_it(version: tuple[int, int], tmp_path: Path) -> None:
    program = interpreter(version)
    if program is None:
        pytest.skip("this version of Python is not here")
    with busy(program, tmp_path / "said") as pid:
        (usage,) = read_inside(pid, cpython)
        memory = accessible(pid, "python arena")
    said = (tmp_path / "said").read_text().rpartition("Small block threshold")[2]
    figures = {
        name: int(value.replace(",", ""))
        for name, value in re.findall(r"^(.+?) += +([\d,]+)$", said, re.MULTILINE)
    }
    unused = next(value for name, value in figures.items() if "unused pools" in name)
    arenas = next(value for name, value in figures.items() if "bytes/arena" in name)

    assert usage.partial is None
    assert usage.in_use == figures["# bytes in allocated blocks"]
    assert usage.free == figures["# bytes in available blocks"] + unused
    assert whole(usage) == arenas == memory
    assert list(usage.sizes) == [
        (int(size), int(used), int(free)) for _, size, _, used, free in CLASS.findall(said)
    ]


def test_without_arenas_there_is_nothing_to_say(tmp_path: Path) -> None:
    code = "import os, signal; os.write(1, b'ready\\n'); signal.pause()"
    with running(["env", "PYTHONMALLOC=malloc", sys.executable, "-c", code]) as (process, _):
        wait_until_waiting(process.pid, 1)
        assert read_inside(process.pid, cpython) == []


def test_a_library_that_is_only_mapped_has_no_arenas() -> None:
    library = next(Path(sys.base_prefix, "lib").glob("libpython3.*.so.1.0"), None)
    if library is None:
        absent("this Python has no shared library")
    with running([compiled(PROGRAMS / "load_only.c", "-ldl"), library]) as (process, _):
        assert read_inside(process.pid, cpython) == []


def test_more_pools_than_the_budget_allows_are_unknown_with_the_reason(tmp_path: Path) -> None:
    with busy(sys.executable, tmp_path / "said") as pid:
        (usage,) = read_inside(pid, cpython, Budget(walk=0, steps=1, seconds=None))

    assert usage.in_use is None
    assert "--inside" in (usage.partial or "")


def test_forged_records_give_sums_that_fit_or_none(tmp_path: Path) -> None:
    with busy(sys.executable, tmp_path / "said") as pid:
        for scene, usages in lied_to(pid, lambda scene: cpython(scene, WHOLE)):
            memory = sum(mapping.size or 0 for mapping in scene.mappings)
            for usage in usages:
                assert (
                    usage.in_use is None or usage.in_use + (usage.free or 0) + (usage.overhead or 0) <= memory
                )


def test_a_process_without_python_is_not_looked_at() -> None:
    with running(["sh", "-c", "echo ready; read line"]) as (process, _):
        assert read_inside(process.pid, cpython) == []
