"""malloc's memory is what its records bound and count; what only looks like it is not."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machine import changed
from tests.owners.inside.glibcs import RELEASES, Glibc, command
from tests.owners.living import compiled, owned, running, snapshot
from tests.owners.truth import judged, pieces, wrong
from vmdiff import snap
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.owners import Scene
from vmdiff.owners.allocators.glibc_state import LargeBlocks, locate_glibc, read_glibc
from vmdiff.owners.allocators.large_blocks import LargeBlock, believed

PROGRAMS = Path(__file__).parent / "programs"
HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")


@pytest.mark.parametrize(
    "acts", ["t", "i", "r", "b", "bti", "a", "g", "s", "l", "m", "n", "o", "bagslmtir", "bagslmoti"]
)
@pytest.mark.parametrize("options", [(), ("-m32",)], ids=["64", "32"])
def test_only_the_blocks_of_malloc_are_mallocs(acts: str, options: tuple[str, ...]) -> None:
    if options and set(acts) & {"t", "i", "r"}:
        pytest.skip("these lies are for 64 bits")
    with running([compiled(PROGRAMS / "like_malloc.c", *options), acts]) as (process, said):
        seen = owned(process.pid)

    verdicts = judged(seen, said)
    assert wrong(verdicts) == []
    assert [verdict for verdict in verdicts if verdict.word != "right"] == []


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("bits", "acts"), [(64, "bagslmoti"), (32, "bagslmo"), (32, "g"), (32, "l")])
def test_the_blocks_of_other_versions_are_found(release: str, bits: int, acts: str) -> None:
    with running([*command(Glibc(release, bits), "like_malloc.c"), acts]) as (process, said):
        seen = owned(process.pid)
    blocks = [piece for _, _, piece in pieces(seen) if piece and piece.name == "malloc large block"]

    assert [verdict for verdict in judged(seen, said) if verdict.word != "right"] == []
    assert {block.basis for block in blocks} == {"record"}


@pytest.mark.parametrize("acts", ["bmf", "bmomf", "mbmolmf", "bmcm", "bmem", "mbocmefomlm"])
@pytest.mark.parametrize("options", [(), ("-m32",)], ids=["64", "32"])
def test_a_main_arena_without_brk_has_all_of_its_regions(acts: str, options: tuple[str, ...]) -> None:
    with running([compiled(PROGRAMS / "scattered.c", *options), acts]) as (process, said):
        seen = owned(process.pid)
    heap = sum(end - start for start, end, piece in pieces(seen) if piece and piece.name == "malloc heap")

    assert [verdict for verdict in judged(seen, said) if verdict.word != "right"] == []
    assert heap == int(said["arena"][0])


@pytest.mark.parametrize("release", ["trixie", "sid"])  # bullseye's 2.31 has no mallinfo2
def test_the_regions_of_other_versions_are_found(release: str) -> None:
    with running([*command(Glibc(release, 64), "scattered.c"), "mbocmefomlm"]) as (process, said):
        seen = owned(process.pid)
    heap = sum(end - start for start, end, piece in pieces(seen) if piece and piece.name == "malloc heap")

    assert [verdict for verdict in judged(seen, said) if verdict.word != "right"] == []
    assert heap == int(said["arena"][0])


def test_a_fork_has_its_parents_heap_and_what_it_added_itself() -> None:
    with running([compiled(PROGRAMS / "forked_heap.c")]) as (_, said):
        seen = owned(int(said["child"][0]))

    assert len([mapping for mapping in seen.placed if mapping.path == "[heap]"]) > 1
    assert {verdict.word for verdict in judged(seen, said)} == {"right"}


@pytest.mark.changes_machine
@pytest.mark.skipif(not os.access(HUGE_PAGES, os.W_OK), reason="only root may ask for huge pages")
@pytest.mark.parametrize("release", [None, "sid"])
def test_malloc_in_huge_pages_has_its_arenas_and_blocks(release: str | None) -> None:
    tunable = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=2"}
    with changed(HUGE_PAGES, "24"):
        if int(HUGE_PAGES.read_text()) < 24:
            pytest.skip("this machine has no room for huge pages")
        with running(command(Glibc(release, 64), "huge_malloc.c"), **tunable) as (process, said):
            seen = snap(process.pid, inside=True)

    assert [verdict for verdict in judged(seen, said) if verdict.word != "right"] == []
    found = {usage.owner: usage.partial for usage in seen.usage or ()}
    assert found == {"malloc heap": None, "malloc arena": None, "malloc large block": None}


def test_what_a_program_takes_from_brk_without_a_malloc_is_not_mallocs() -> None:
    bare = ("-static", "-nostdlib", "-fno-stack-protector")
    with running([compiled(PROGRAMS / "bare_brk.c", *bare)]) as (process, _):
        seen = owned(process.pid)

    assert [mapping.owner for mapping in seen.mappings if mapping.path == "[heap]"] == [None]


def blocks(sizes: Sequence[int]) -> list[LargeBlock]:
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size)
    return [LargeBlock(*bounds) for bounds in pairwise(ends)]


@given(st.lists(st.integers(1, 50), max_size=20))
def test_blocks_that_add_up_are_all_believed(sizes: list[int]) -> None:
    found = blocks(sizes)

    assert believed(found, LargeBlocks(len(sizes), sum(sizes))) == tuple(found)
    assert believed(found, LargeBlocks(len(sizes) + 1, sum(sizes) + 7)) is None, (
        "one is missing: another may be false"
    )


def test_what_makes_the_sum_too_large_is_left_out_if_it_can_be_told() -> None:
    found = blocks([3, 5, 8, 21])

    assert believed(found, LargeBlocks(3, 16)) == tuple(found[:3])
    assert believed(found, LargeBlocks(2, 8)) == tuple(found[:2])
    assert believed(blocks([3, 5, 5]), LargeBlocks(2, 8)) is None
    assert believed(found, LargeBlocks(3, 17)) is None


def test_a_process_that_ended_once_its_malloc_was_found_has_no_arenas() -> None:
    with running([compiled(Path(__file__).parent / "programs" / "touched_later.c")]) as (process, _):
        seen = snapshot(process.pid)
        with LiveMemory(process.pid, mappings=seen.mappings) as memory:
            place = locate_glibc(Scene(seen, memory))
            assert read_glibc(Scene(seen, memory), place) is not None
            process.kill()
            process.wait()

            assert place.main is not None
            assert read_glibc(Scene(seen, memory), place) is None
