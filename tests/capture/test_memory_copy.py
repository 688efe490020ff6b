"""The allocators of a frozen process are read from a copy: exact although it never rests."""

from pathlib import Path

import pytest

from tests.owners.living import compiled, running
from tests.waiting import until_asleep
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.capture.memory_copy import CopiedPiece, MemoryCopy, copied
from vmdiff.sources import snap

PROGRAMS = Path(__file__).parents[1] / "owners" / "programs"
CHURNING = PROGRAMS / "churning.c"
CAUGHT_WRITING = PROGRAMS / "caught_writing.c"


def test_a_heap_that_is_never_still_is_exact_once_it_is_frozen() -> None:
    with running([compiled(CHURNING)]) as (process, _):
        for _ in range(5):
            taken = snap(process.pid, inside=True, freeze=True)
            arenas = [usage for usage in taken.usage or () if usage.owner == "malloc arena"]

            assert len(arenas) == 2
            for arena in arenas:
                assert arena.partial is None
                assert sum(size * used for size, used, _ in arena.sizes) == arena.in_use
            assert taken.origin.frozen_seconds is not None


def test_a_thread_that_is_caught_writing_the_records_of_its_heap_is_held_again() -> None:
    with running([compiled(CAUGHT_WRITING)]) as (process, _):
        until_asleep(process.pid)
        taken = snap(process.pid, freeze=True)
        (heap,) = [usage for usage in taken.usage or () if usage.owner == "malloc heap"]

        assert heap.partial is None
        assert heap.in_use is not None


def test_a_heap_that_stays_broken_is_unknown() -> None:
    with running([compiled(CAUGHT_WRITING), "forever"]) as (process, _):
        taken = snap(process.pid, freeze=True)
        (heap,) = [usage for usage in taken.usage or () if usage.owner == "malloc heap"]

        assert heap.partial is not None
        assert heap.in_use is None


def test_a_copy_of_a_running_process_is_none() -> None:
    with running([compiled(CHURNING)]) as (process, _):
        taken = snap(process.pid)
        with LiveMemory(process.pid, mappings=taken.mappings) as memory:
            assert copied(memory, taken) is None


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0x1000, 4, b"abcd"),
        (0x1002, 4, b"cd\0\0"),
        (0x1004, 8, bytes(8)),
        (0x100A, 4, None),
        (0x100C, 2, None),
    ],
)
def test_pieces_are_read_as_one(start: int, length: int, expected: bytes | None) -> None:
    class Nothing(LiveMemory):
        def read(self, address: int, length: int) -> bytes | None:  # noqa: ARG002
            raise AssertionError("the copy has it")

    pieces = [
        CopiedPiece(0x1000, 0x1004, b"abcd"),
        CopiedPiece(0x1004, 0x100C, b""),
        CopiedPiece(0x100C, 0x1010, None),
    ]
    with Nothing(1) as live:
        assert MemoryCopy(live, pieces).read(start, length) == expected
