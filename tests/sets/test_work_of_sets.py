"""A set costs what its processes cost: nothing grows with their number but the set itself."""

import os
import tracemalloc
from collections import Counter

from tests.sets import families
from tests.work import assert_linear, lines
from vmdiff import sources
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.process_set import read_set
from vmdiff.capture.process_tree import Chosen, choose
from vmdiff.model import Snapshot
from vmdiff.storage import set_document


def test_twice_the_processes_are_twice_the_work_and_the_memory() -> None:
    with families.tree(17) as root:
        pids = [str(pid) for pid in families.pids_of(root)[1:]]  # all but the first are alike
        sources.snap_set(pids[:1])  # what is loaded once

        def work(count: int) -> int:
            return lines(lambda: sources.snap_set(pids[:count]))

        def peak(count: int) -> int:
            tracemalloc.start()
            try:
                sources.snap_set(pids[:count])
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

        assert_linear(work, 8)
        assert_linear(peak, 8)


def test_one_process_is_open_at_a_time() -> None:
    """A machine may have more processes than files may be open."""
    most: Counter[int] = Counter()
    with families.tree(24) as root:
        every = choose([f"tree:{root}"]).processes
        for count in (12, 24):

            def taken(folder: ProcessFolder, count: int = count) -> Snapshot:
                most[count] = max(most[count], len(os.listdir("/proc/self/fd")))  # noqa: PTH208
                return read(folder, detail="maps")

            read_set(Chosen(every[:count], None), taken, freeze=False, limit=None)
    assert most[12] == most[24]


def test_a_number_that_was_given_anew_meanwhile_is_missing() -> None:
    with families.tree(2) as root:
        found = choose([f"tree:{root}"])
        late = found.processes[0]._replace(start_ticks=1)
        taken = read_set(Chosen((late, found.processes[1]), None), read, freeze=False, limit=None)
    assert [one.process.pid for one in taken.members] == [found.processes[1].pid]
    assert [(one.pid, "another has its number" in one.reason) for one in taken.missing] == [(late.pid, True)]


def test_a_set_is_written_a_process_at_a_time() -> None:
    with families.tree(24) as root:
        pids = [str(pid) for pid in families.pids_of(root)]
        longest = [
            max(map(len, set_document.dump(sources.snap_set(pids[:count], owners=False))))
            for count in (12, 24)
        ]
    assert longest[1] <= 1.1 * longest[0]
