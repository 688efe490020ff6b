"""musl's malloc has as many blocks in use as the program counts, each large enough and hardly larger."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.owners.inside.glibcs import PROGRAMS
from tests.owners.inside.looking import accessible, at_rest, inside, whole
from tests.owners.living import owned, running
from tests.owners.lying import Lying
from tests.owners.real import absent
from vmdiff.owners import Scene
from vmdiff.owners.inside import WHOLE, look_inside


@functools.cache
def program(*options: str) -> Path:
    if shutil.which("musl-gcc") is None:
        absent("musl-gcc is not installed")
    built = Path(tempfile.mkdtemp(prefix="vmdiff-owners-")) / "mallocs"
    subprocess.run(["musl-gcc", "-O1", *options, "-o", built, PROGRAMS / "musl_mallocs.c"], check=True)
    return built


@pytest.mark.needs_program("musl-gcc")
@pytest.mark.parametrize("options", [(), ("-static",)])
@pytest.mark.parametrize("seed", range(5))
def test_every_block_is_counted(options: tuple[str, ...], seed: int) -> None:
    with running([program(*options), 20_000, 10 + 200 * seed, seed]) as (process, said):
        at_rest(process.pid)
        (usage,) = inside(process.pid)  # and nothing is said of glibc's malloc
        groups = accessible(process.pid, "musl malloc")

    blocks, size = (int(said[name][0]) for name in ("blocks", "bytes"))
    assert usage.partial is None
    # What the loader found between segments of libraries, it donated: less than a page each.
    assert 0 <= whole(usage) - groups < (1 if "-static" in options else 4 * 4096)
    assert usage.blocks is not None
    assert 0 <= usage.blocks - blocks <= 4  # what the library itself allocates
    assert size < (usage.in_use or 0) < size * 1.2 + 32 * blocks
    assert sum(slot * used for slot, used, _ in usage.sizes) == usage.in_use
    assert sum(slot * free for slot, _, free in usage.sizes) == usage.free


@pytest.mark.needs_program("musl-gcc")
def test_lies_end_in_unknowns() -> None:
    with running([program(), 5_000, 300, 1]) as (process, _):
        seen = owned(process.pid)
        for seed in range(40):
            with Lying(process.pid, seed) as memory:
                look_inside(Scene(seen, memory), WHOLE)
