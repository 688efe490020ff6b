"""A Python that takes snapshots all day grows in nothing; `benchmarks/long_life.py` does it 10,000 times."""

import gc
import os
from pathlib import Path

import vmdiff
from tests.acts import actor
from tests.effort import times

TIMES = times(150)
SLACK = 2 << 20  # bytes; a leak of one small snapshot each time would be twice that, in CI ten times


def private() -> int:
    gc.collect()
    taken = vmdiff.snap(os.getpid(), owners=False)
    return sum(taken.total(name) or 0 for name in ("private_clean", "private_dirty"))


def test_hundreds_of_snapshots_leave_no_descriptor_and_no_memory() -> None:
    with actor() as process:
        for _ in range(TIMES):
            vmdiff.snap(process.pid)
        descriptors, memory = len(list(Path("/proc/self/fd").iterdir())), private()
        for number in range(TIMES):
            vmdiff.snap(process.pid, freeze=number % 10 == 0)
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        assert private() <= memory + SLACK
