"""What is read of glibc's malloc from outside equals its own account, to the byte."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.effort import times
from tests.owners.inside.glibcs import EVERY, PROGRAMS, Glibc, command
from tests.owners.inside.looking import accessible, ask, at_rest, inside, many_times, of, whole
from tests.owners.living import compiled, running
from vmdiff.model import Usage
from vmdiff.owners.inside import Budget
from vmdiff.sources import snap

ARENAS = ("malloc heap", "malloc arena")
LISTS = Budget(walk=0, steps=None, seconds=None)


@pytest.mark.parametrize("glibc", EVERY, ids=lambda glibc: f"{glibc.release or 'own'}-{glibc.bits}")
def test_every_byte_is_where_mallinfo_has_it(glibc: Glibc) -> None:
    for seed in range(5):
        for threads in range(8):
            check(
                command(glibc, "mallocs.c"),
                blocks=1500,
                threads=threads,
                kept=200 * (seed + 1) - 190,
                seed=seed,
            )


def check(program: list[Path | str], blocks: int, threads: int, kept: int, seed: int) -> None:
    with running([*program, blocks, threads, kept, seed]) as (process, _):
        at_rest(process.pid)
        found = inside(process.pid)
        said = ask(process, "i")

    arenas = of(found, *ARENAS)
    assert len(arenas) <= 1 + threads  # 32-bit programs share arenas above two for each processor
    assert {one.partial for one in arenas} == {None}
    assert sum(one.free or 0 for one in arenas) == said["free"]
    assert sum(beside_free(one) for one in arenas) == said["used"]
    assert sum(beside_free(one) + (one.free or 0) for one in arenas) == said["arena"]
    (large,) = of(found, "malloc large block")
    assert (large.in_use, large.blocks) == (said["large"], said["large_blocks"])


def beside_free(usage: Usage) -> int:
    """Add up what mallinfo2 calls used."""
    assert usage.in_use is not None
    return usage.in_use + (usage.cached or 0) + (usage.overhead or 0)


@pytest.mark.parametrize("glibc", EVERY, ids=lambda glibc: f"{glibc.release or 'own'}-{glibc.bits}")
def test_the_lists_of_free_blocks_show_the_same_as_a_walk(glibc: Glibc) -> None:
    with running([*command(glibc, "mallocs.c"), 20_000, 3, 100, 1]) as (process, _):
        at_rest(process.pid)
        found = inside(process.pid)
        walked, listed = of(found, *ARENAS), of(inside(process.pid, LISTS), *ARENAS)
        memory = {owner: accessible(process.pid, owner) for owner in (*ARENAS, "malloc large block")}

    figures = ("owner", "label", "tid", "in_use", "free", "cached", "overhead", "releasable", "reserved")
    for one, other in zip(walked, listed, strict=True):
        assert [getattr(one, name) for name in figures] == [getattr(other, name) for name in figures]
        assert (other.blocks, other.sizes, other.partial) == (None, (), None)
    assert {owner: whole(*of(found, owner)) for owner in memory} == memory


@pytest.mark.parametrize("glibc", EVERY, ids=lambda glibc: f"{glibc.release or 'own'}-{glibc.bits}")
def test_what_can_be_released_is_what_malloc_trim_returns(glibc: Glibc) -> None:
    for blocks, threads, kept in ((2_000, 0, 500), (40_000, 2, 100), (100_000, 1, 20)):
        with running([*command(glibc, "mallocs.c"), blocks, threads, kept, 7]) as (process, _):
            at_rest(process.pid)
            found = of(inside(process.pid), *ARENAS)
            returned = ask(process, "t")["returned"]

        promised = sum(one.releasable or 0 for one in found)
        assert abs(promised - returned) <= max(returned // 100, 128 << 10)


def test_the_sizes_add_up_to_what_is_in_use_and_free() -> None:
    with running([*command(Glibc(None, 64), "mallocs.c"), 20_000, 1, 100, 1]) as (process, _):
        at_rest(process.pid)
        arenas = of(inside(process.pid), *ARENAS)

    for one in arenas:
        assert sum(size * used for size, used, _ in one.sizes) == one.in_use
        assert sum(used for _, used, _ in one.sizes) == one.blocks
        top = (one.free or 0) - sum(size * free for size, _, free in one.sizes)
        assert 0 <= top <= (one.free or 0)


def test_an_arena_with_one_thread_has_its_id() -> None:
    with running([*command(Glibc(None, 64), "mallocs.c"), 1000, 3, 100, 1]) as (process, _):
        at_rest(process.pid)
        arenas = of(inside(process.pid), "malloc arena")
        threads = {int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir()}

    assert {one.tid for one in arenas} == threads - {process.pid}
    assert {one.label for one in arenas} == {"arena 1", "arena 2", "arena 3"}


def test_a_heap_that_is_never_still_has_right_figures_or_none(tmp_path: Path) -> None:
    """Two threads hold half of 20,000 blocks of 16 to 415 bytes and replace them all the time."""
    with running([compiled(PROGRAMS / "churning.c")]) as (process, _):
        for found in many_times(process.pid, times(200)):
            for one in of(found, "malloc arena"):
                assert one.partial
                if one.in_use is not None and one.blocks is not None:
                    assert 2_000_000 < one.in_use < 3_400_000
                    assert one.free is not None
                    assert 8_000 < one.blocks < 12_000


UNTOUCHED = """
#include <stdio.h>
#include <stdlib.h>
#include <malloc.h>
#include <unistd.h>
int main(void) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    for (int i = 0; i < 100; i++) calloc(1, 1 << 20);  // the pages of the heap stay untouched
    if (fork() == 0) pause();
    puts("ready"); fflush(stdout); pause();
}
"""


def test_looking_touches_no_page_and_unshares_none(tmp_path: Path) -> None:
    (tmp_path / "untouched.c").write_text(UNTOUCHED)
    with running([compiled(tmp_path / "untouched.c", "-w", "-O0")]) as (process, _):
        at_rest(process.pid)
        (child,) = map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        at_rest(child)  # what it still writes to is no longer shared with its parent
        before = pages(process.pid)
        (heap,) = of(inside(process.pid), *ARENAS)
        after = pages(process.pid)
        os.kill(child, signal.SIGKILL)

    assert (heap.in_use or 0) >= 100 << 20
    assert before == after


def pages(pid: int) -> dict[str, int]:
    """Return what is resident, private and swapped of a process."""
    taken = snap(pid, owners=False)
    return {name: taken.total(name) or 0 for name in ("rss", "private_dirty", "shared_dirty", "swap")}


STATIC = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 10000; i++) *(volatile char *)malloc(100) = 1;
    puts("ready"); fflush(stdout); pause();
}
"""


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    (folder / "program.c").write_text(STATIC)
    subprocess.run(["gcc", "-static", "-o", folder / "program", folder / "program.c"], check=True)
    return folder / "program"


def test_a_static_program_is_read_by_its_symbol(static: Path) -> None:
    with running([static]) as (process, _):
        at_rest(process.pid)
        (heap,) = of(inside(process.pid), *ARENAS)

    assert heap.in_use is not None
    assert 10_000 * 112 <= heap.in_use < 10_000 * 112 + 65_536
    assert (112, 10_000) in [(size, used) for size, used, _ in heap.sizes]


def test_a_static_program_without_symbols_is_read_or_unknown(static: Path, tmp_path: Path) -> None:
    subprocess.run(["strip", "-o", tmp_path / "stripped", static], check=True)
    with running([static]) as (process, _), running([tmp_path / "stripped"]) as (stripped, _):
        at_rest(process.pid)
        at_rest(stripped.pid)
        known, heap = (of(inside(one.pid), *ARENAS)[0] for one in (process, stripped))

    assert heap.sizes in {known.sizes, ()}
    assert heap.partial or heap.sizes


def test_a_heap_of_another_allocator_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "program.c").write_text(OWN_BRK)
    program = compiled(tmp_path / "program.c", "-static", "-nostdlib")
    process = subprocess.Popen([program])
    try:
        at_rest(process.pid)
        (heap,) = of(inside(process.pid), *ARENAS)
    finally:
        process.kill()
        process.wait()

    assert (heap.in_use, heap.free, heap.releasable, heap.blocks) == (None, None, None, None)
    assert "another allocator" in (heap.partial or "")


OWN_BRK = """
static long call(long number, long argument) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
    return result;
}
void _start(void) {
    char *start = (char *)call(12, 0);
    call(12, (long)start + (1 << 20));
    for (int i = 0; i < 1 << 20; i += 4096) start[i] = 1;
    for (;;) call(34, 0);
}
"""


BROKEN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words) {
    char *first = malloc(1000), *second = malloc(1000);
    for (int i = 0; i < 100; i++) malloc(1000);
    if (count > 1) memset(first, 0x41, 1008 + 64);  // over the header of the next block
    puts("ready"); fflush(stdout); pause();
}
"""


def test_a_heap_that_is_broken_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "broken.c").write_text(BROKEN)
    program = compiled(tmp_path / "broken.c", "-w", "-O0")
    with running([program]) as (process, _):
        at_rest(process.pid)
        (whole,) = of(inside(process.pid), *ARENAS)
    with running([program, "break"]) as (process, _):
        at_rest(process.pid)
        (broken,) = of(inside(process.pid), *ARENAS)

    assert whole.in_use is not None
    assert whole.partial is None
    assert (broken.in_use, broken.free, broken.blocks, broken.sizes) == (None, None, None, ())
    assert broken.partial
