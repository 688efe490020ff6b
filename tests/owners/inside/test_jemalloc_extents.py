"""What is read of jemalloc from outside equals its own statistics, to the byte."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.owners.inside.glibcs import PROGRAMS, Glibc, command
from tests.owners.inside.looking import accessible, at_rest, inside, of, whole
from tests.owners.living import compiled, running
from tests.owners.real import library
from vmdiff.model import Usage
from vmdiff.owners.inside import Budget

SOURCE = "jemalloc_stats.c"


def built(*options: str) -> list[Path | str]:
    return [compiled(PROGRAMS / SOURCE, *options)]


def newest() -> list[Path | str]:
    """Return what runs the program with jemalloc 5.3.1 or later, which has large blocks of whole pages."""
    return command(Glibc("sid", 64), SOURCE, "libjemalloc.so.2")


def looked_at(
    program: list[Path | str], *arguments: object, **environment: str
) -> tuple[Usage, dict[str, int]]:
    with running([*program, *arguments], **environment) as (process, said):
        at_rest(process.pid)
        (usage,) = of(inside(process.pid), "jemalloc")
        extents = accessible(process.pid, "jemalloc", label=None)
    assert usage.partial is not None or whole(usage) + (usage.reserved or 0) == extents
    return usage, {name: int(values[0]) for name, values in said.items()}


def check(usage: Usage, said: dict[str, int]) -> None:
    assert usage.partial is None
    assert usage.in_use == said["allocated"]
    unused = sum(size * free for size, _, free in usage.sizes)
    assert usage.in_use + unused + (usage.overhead or 0) == said["active"]
    assert (usage.free or 0) - (usage.releasable or 0) == unused
    assert usage.reserved == said["retained"]
    assert sum(size * used for size, used, _ in usage.sizes) == usage.in_use


@pytest.mark.parametrize("seed", range(5))
def test_every_byte_is_where_the_statistics_have_it(seed: int) -> None:
    library("libjemalloc.so")
    check(*looked_at(built("-ljemalloc"), 30_000, 10 + 200 * seed, seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_byte_is_where_the_newest_has_it(seed: int) -> None:
    usage, said = looked_at(newest(), 30_000, 10 + 200 * seed, seed)
    check(usage, said)
    assert (usage.source, usage.certainty) == ("jemalloc 5.3.1 extent records", "certain")


def test_a_program_that_has_it_built_in_is_read_too() -> None:
    built_in = str(library("libjemalloc.a"))
    check(*looked_at(built(built_in, "-lm", "-ldl", "-lstdc++"), 30_000, 300, 7))


SETTINGS = ("narenas:1,dirty_decay_ms:0", "retain:false", "tcache:false,narenas:8")


@pytest.mark.parametrize("settings", SETTINGS)
def test_settings_change_nothing_of_that(settings: str) -> None:
    library("libjemalloc.so")
    check(*looked_at(built("-ljemalloc"), 20_000, 200, 3, MALLOC_CONF=settings))


@pytest.mark.parametrize("settings", [*SETTINGS, "cache_oblivious:false", "disable_large_size_classes:false"])
def test_settings_change_nothing_of_the_newest(settings: str) -> None:
    check(*looked_at(newest(), 20_000, 200, 3, MALLOC_CONF=settings))


def test_too_many_extents_for_the_time_are_unknown_and_not_none() -> None:
    with running([*built("-ljemalloc"), 30_000, 500, 1]) as (process, _):
        (usage,) = of(inside(process.pid, Budget(walk=0, steps=10, seconds=None)), "jemalloc")

    assert (usage.in_use, usage.free) == (None, None)
    assert "--inside" in (usage.partial or "")


@pytest.mark.parametrize("program", [lambda: built("-ljemalloc"), newest], ids=["", "newest"])
def test_another_malloc_has_no_usage_of_glibcs(program: Callable[[], list[Path | str]]) -> None:
    with running([*program(), 10_000, 500, 1]) as (process, _):
        assert {one.owner for one in inside(process.pid)} == {"jemalloc"}


@pytest.mark.parametrize("name", ["libtcmalloc_minimal.so.4", "libmimalloc.so.2"])
def test_an_allocator_that_is_not_read_is_unknown_at_the_most(name: str, tmp_path: Path) -> None:
    (tmp_path / "program.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
        "int main(void) { for (int i = 0; i < 9999; i++) *(volatile char *)malloc(100) = 1;"
        ' puts("ready"); fflush(stdout); pause(); }'
    )
    subprocess.run(["gcc", "-o", tmp_path / "program", tmp_path / "program.c"], check=True)
    with running([tmp_path / "program"], LD_PRELOAD=str(library(name))) as (process, _):
        assert all(one.in_use is None for one in inside(process.pid) if one.owner.startswith("malloc"))
