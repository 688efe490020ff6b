"""Forged records lead nowhere: no crash, no hang, no claim beyond a mapping, no certain nonsense."""

import os
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.owners.counting import Counting
from tests.owners.living import compiled, owner_at, running, snapshot
from tests.work import assert_linear, lines
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Snapshot
from vmdiff.owners import RULES, Scene, assign

PROGRAMS = Path(__file__).parent / "programs"
MOST_PLACES = 20_000  # that are read in a process of forged records


def test_forged_records_are_not_believed(tmp_path: Path) -> None:
    program = shutil.copy(compiled(PROGRAMS / "forged.c"), tmp_path / "python3")
    with running([program]) as (process, said):
        seen = snapshot(process.pid)
        with Counting(process.pid, mappings=seen.mappings) as memory:
            found = assign(Scene(seen, memory), RULES)

    assert memory.places < MOST_PLACES
    for line in said["lie"]:
        owner = owner_at(found, int(line, 16))
        assert owner is None or owner.certainty == "likely"
    for mapping in found.mappings:
        for part in mapping.owner.parts if mapping.owner else ():
            assert (mapping.start or 0) <= part.start < part.end <= (mapping.end or 0)
    assert Snapshot.model_validate_json(found.model_dump_json()) == found


def test_without_permission_shapes_remain_and_a_doubt_says_so() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs another user")
    with running([compiled(PROGRAMS / "ground.c")]) as (process, said):
        seen = as_nobody(snapshot(process.pid), process.pid)
        stack = owner_at(seen, int(said["stack"][0].split()[0], 16))
        heap = owner_at(seen, int(said["heap"][0].split()[0], 16))
        arena = owner_at(seen, int(said["arena"][0].split()[0], 16))
        blocks = [owner_at(seen, int(line.split()[0], 16)) for line in said["block"]]

    assert stack is not None
    assert (stack.name, stack.certainty, stack.tid) == ("thread stack", "likely", None)
    assert heap is not None
    assert (heap.name, heap.certainty) == ("malloc heap", "certain")
    assert arena is not None
    assert (arena.name, arena.certainty) == ("malloc arena", "likely")
    assert blocks == [None] * len(blocks)
    assert any("no permission for" in doubt and "memory" in doubt for doubt in seen.origin.doubts)


def as_nobody(seen: Snapshot, pid: int) -> Snapshot:
    """Look for owners as a user who may not look into the process."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        with LiveMemory(pid, mappings=seen.mappings) as memory, os.fdopen(sender, "wb") as out:
            pickle.dump(assign(Scene(seen, memory), RULES), out)
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as answer:
        data = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    found = pickle.loads(data)  # noqa: S301  # written by our own child
    assert isinstance(found, Snapshot)
    return found


def test_a_process_that_ends_meanwhile_has_no_owners_by_record() -> None:
    with running([compiled(PROGRAMS / "ground.c")]) as (process, _):
        seen = snapshot(process.pid)
        with LiveMemory(process.pid, mappings=seen.mappings) as memory:
            process.kill()
            process.wait()
            found = assign(Scene(seen, memory), RULES)

    assert all(m.owner is None or m.owner.basis in {"name", "shape"} for m in found.mappings)


def test_twice_the_mappings_are_twice_the_work_and_few_more_calls(tmp_path: Path) -> None:
    source = tmp_path / "many.c"
    source.write_text(MANY)
    subprocess.run(["gcc", "-o", tmp_path / "many", source], check=True)
    calls = []

    def work(count: int) -> int:
        with running([tmp_path / "many", count]) as (process, _), ProcessFolder(process.pid) as folder:
            seen = read(folder)
            with Counting(process.pid, mappings=seen.mappings) as memory:
                executed = lines(lambda: assign(Scene(seen, memory), RULES))
        calls.append(memory.calls)
        return executed

    assert_linear(work, 4_000)
    assert calls[1] < 1_000  # places are asked for together


MANY = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int words, char **word) {
    long size = 32 * 4096L;
    for (int i = 0; i < atoi(word[1]); i++) {
        int perms = PROT_READ | PROT_WRITE | (i % 2 ? PROT_EXEC : 0);
        char *page = mmap(0, size, perms, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return 1;
        page[0] = 1;
    }
    puts("ready");
    fflush(stdout);
    pause();
}
"""
