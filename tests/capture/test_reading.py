"""A process that ends, changes or moves while it is being read is noticed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import vmdiff
from tests.acts import actor
from tests.owners.living import compiled, running
from vmdiff.capture import ProcessFolder, read
from vmdiff.elf import note_entries
from vmdiff.errors import ProcessError
from vmdiff.importers.procfs.smaps_rollup import with_gap
from vmdiff.model import Mapping, Origin, Snapshot

FLIP = Path(__file__).parent.parent.parent / "fixtures" / "programs" / "flip.c"


def test_the_folder_stays_the_process_when_it_is_gone() -> None:
    with actor() as process:
        folder = ProcessFolder(process.pid)
        process.end()
    with folder, pytest.raises(ProcessError, match="no process"):
        read(folder)


BECOMES = """
import os, sys
print("ready", flush=True)
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
"""


def test_a_process_that_becomes_another_program_is_noticed() -> None:
    """Also where it is the same program again, with the same arguments, in the same process."""
    with running([sys.executable, "-uc", BECOMES]) as (process, _), ProcessFolder(process.pid) as folder:
        identity = folder.identity()
        assert folder.was(identity)
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert not folder.was(identity)


def test_only_a_frozen_process_is_shown_as_it_was_at_one_instant() -> None:
    """One page goes to and fro between two places, which a reading may find in both or in neither."""
    with subprocess.Popen([compiled(FLIP), "300"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            places = {int(word, 16) for word in process.stdout.readline().split()}
            frozen = [vmdiff.snap(process.pid, owners=False, freeze=True) for _ in range(20)]
            running_on = [vmdiff.snap(process.pid, owners=False) for _ in range(20)]
        finally:
            process.kill()

    assert all(one.origin.consistent for one in frozen)
    assert {len(places & {m.start for m in one.mappings}) for one in frozen} == {1}
    for one in running_on:  # what is called consistent claims no more than that no change was seen
        assert one.origin.consistent or any("moved" in doubt for doubt in one.origin.doubts)


def test_a_process_that_turned_zombie_is_no_empty_snapshot() -> None:
    with actor() as process, ProcessFolder(process.pid) as folder:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessError, match="zombie"):
            read(folder)


def test_a_cheap_reading_is_announced_when_the_walk_would_be_long() -> None:
    said: list[str] = []
    with actor() as process:
        vmdiff.snap(process.pid, owners=False, notify=said.append)

    assert said == []


def test_a_layout_that_never_holds_still_is_a_doubt() -> None:
    with actor() as process, ProcessFolder(process.pid) as folder:
        folder.between_reads = lambda: process.act("block")  # 16 MiB more of addresses
        taken = read(folder)

    assert not taken.origin.consistent
    assert taken.origin.attempts == 3
    assert any("moved" in doubt for doubt in taken.origin.doubts)


@pytest.mark.parametrize("name", ["stat", "status", "cgroup", "auxv", "smaps_rollup"])
def test_what_the_kernel_writes_as_one_record_is_read_at_once_and_whole(name: str) -> None:
    reads: list[None] = []
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        with ProcessFolder(process.pid) as folder:
            folder.between_reads = lambda: reads.append(None)
            found = folder.contents(name)
        whole = Path(f"/proc/{process.pid}/{name}").read_bytes()
        process.kill()

    assert len(reads) == 1
    assert found.count(b"\n") == whole.count(b"\n")  # figures may move meanwhile
    assert found[:7] == whole[:7]


def test_threads_of_a_process_are_read_as_the_process() -> None:
    with actor() as process:
        process.act("thread")
        tid = max(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())
        taken = vmdiff.snap(tid, owners=False)

    assert taken.process.pid == process.pid


@pytest.mark.parametrize(
    ("stated", "doubts"),
    [
        (724_992, ("the mappings' resident sizes add up to 708 KiB less than the kernel's own total",)),
        (0, ()),
        (-4096, ("the mappings' resident sizes add up to 4 KiB more than the kernel's own total",)),
    ],
)
def test_what_the_mappings_miss_of_the_kernels_total_is_said_for_people(
    stated: int, doubts: tuple[str, ...]
) -> None:
    mapping = Mapping(0x1000, 0x200000, "rw-p", values={"rss": 1 << 20})
    taken = Snapshot(
        origin=Origin(source="test", counters=("rss",)),
        rollup={"rss": (1 << 20) + stated},
        mappings=(mapping,),
    )

    assert with_gap(taken).origin.doubts == doubts


def test_build_ids_are_those_of_the_files() -> None:
    with ProcessFolder(os.getpid()) as folder:
        stated = {m.path: m.build_id for m in read(folder, detail="maps").mappings if m.path and m.build_id}

    assert stated == {path: _noted_build_id(Path(path).read_bytes()) for path in stated}


def _noted_build_id(data: bytes) -> str:
    found = note_entries.build_id(lambda at, length: data[at : at + length], loaded=False)
    assert found is not None
    return found.hex()
