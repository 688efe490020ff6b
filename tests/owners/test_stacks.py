"""A stack pointer proves a stack only within the bounds of one; records and guards give those."""

import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.owners.living import compiled, owned, owner_at, running, wait_until_waiting
from tests.owners.real import program
from tests.owners.truth import judged
from vmdiff.model import Part, Snapshot

PROGRAMS = Path(__file__).parent / "programs"
MUSL = """
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
static void *waiting(void *nothing) {
    char local = 0;
    printf("stack %lx %ld\\n", (unsigned long)&local, (long)syscall(SYS_gettid));
    puts("ready");
    fflush(stdout);
    pause();
    return nothing;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, waiting, 0);
    pause();
}
"""


@pytest.fixture(scope="module")
def stacks() -> Iterator[tuple[Snapshot, dict[str, list[str]]]]:
    with running([compiled(PROGRAMS / "stacks.c")]) as (process, said):
        yield owned(process.pid), said


def told(said: dict[str, list[str]], word: str) -> list[tuple[int, int]]:
    return [(int(address, 16), int(tid)) for address, tid in map(str.split, said.get(word, []))]


def test_stacks_side_by_side_are_told_apart(stacks: tuple[Snapshot, dict[str, list[str]]]) -> None:
    seen, said = stacks
    if "guarded" not in said:
        pytest.skip("this kernel has no light guards")
    parts = [owner_at(seen, address) for address, _ in sorted(told(said, "guarded"))]

    assert [part.tid for part in parts if isinstance(part, Part)] == [
        tid for _, tid in sorted(told(said, "guarded"))
    ]
    assert {(part.name, part.basis) for part in parts if part} == {("thread stack", "record")}
    for below, above in pairwise(parts):
        assert isinstance(below, Part)
        assert isinstance(above, Part)
        assert above.start - below.end == 4096, "the guard is between them"


def test_a_stack_that_the_program_gave_is_known_by_its_record(
    stacks: tuple[Snapshot, dict[str, list[str]]],
) -> None:
    seen, said = stacks
    ((address, tid),) = told(said, "given")
    owner = owner_at(seen, address)

    assert owner is not None
    assert (owner.name, owner.tid, owner.certainty) == ("thread stack", tid, "certain")


def test_memory_that_fibers_run_on_is_no_thread_stack(stacks: tuple[Snapshot, dict[str, list[str]]]) -> None:
    seen, said = stacks
    for address, _ in told(said, "fiber"):
        assert owner_at(seen, address) is None
    for address, tid in told(said, "own"):
        owner = owner_at(seen, address)
        assert owner is not None
        assert (owner.name, owner.tid, owner.basis) == ("thread stack", tid, "record")


def test_a_thread_of_musl_is_known_by_its_record(tmp_path: Path) -> None:
    if shutil.which("musl-gcc") is None:
        pytest.skip("musl is not here")
    source = tmp_path / "musl.c"
    source.write_text(MUSL)
    subprocess.run(["musl-gcc", "-static", "-o", tmp_path / "musl", source], check=True)
    with running([tmp_path / "musl"]) as (process, said):
        wait_until_waiting(process.pid, 2)
        seen = owned(process.pid)
        ((address, tid),) = told(said, "stack")
        owner = owner_at(seen, address)

        assert owner is not None
        assert (owner.name, owner.tid, owner.basis) == ("thread stack", tid, "record")
        assert [m.owner.tid for m in seen.mappings if m.owner and m.owner.name == "guard page"] == [tid]


def test_threads_of_another_pid_namespace_are_known_by_their_ids_there() -> None:
    apart = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no pid namespace can be made here")
    with running([*apart, compiled(PROGRAMS / "ground.c")]) as (process, said):
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        wait_until_waiting(int(child), 4)  # the main thread and three of four
        seen = owned(int(child))
        threads = {thread.name: thread.tid for thread in seen.process.threads or ()}
        stacks = [owner_at(seen, int(line.split()[0], 16)) for line in said["stack"]]

    assert {owner.name for owner in stacks if owner} == {"thread stack"}
    named = [owner for owner in stacks if owner and owner.tid]
    assert len(named) == 4
    assert all(owner.tid == threads[owner.label] for owner in named)
    pieces = [piece for m in seen.mappings if m.owner for piece in (m.owner.parts or (m.owner,))]
    assert [piece.name for piece in pieces if piece.label == "main thread"] == ["loader"]


@pytest.mark.parametrize("acts", ["j", "J", "s", "m", "d", "f", "F", "a", "jJsmdFa"])
@pytest.mark.parametrize("library", ["glibc", "musl"])
def test_only_the_stacks_of_living_threads_are_thread_stacks(library: str, acts: str) -> None:
    if library == "musl":
        program("musl-gcc")
        acts = acts.translate(str.maketrans("", "", "fF"))
        built = compiled(PROGRAMS / "user_stacks.c", "-static", "-DNO_FIBERS", compiler="musl-gcc")
    else:
        built = compiled(PROGRAMS / "user_stacks.c")
    with running([built, acts]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert [verdict for verdict in verdicts if verdict.word != "right"] == []


def test_a_program_with_musl_in_its_name_is_not_taken_for_one_that_uses_musl(tmp_path: Path) -> None:
    named = tmp_path / "x86_64-linux-musl" / "musl-program"
    named.parent.mkdir()
    shutil.copy(compiled(PROGRAMS / "user_stacks.c"), named)
    with running([named, "sJa"]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert [verdict for verdict in verdicts if verdict.word != "right"] == []


def test_the_main_thread_of_a_process_that_a_thread_forked_has_that_threads_stack() -> None:
    with running([compiled(PROGRAMS / "forked.c")]) as (_, said):
        seen = owned(int(said["child"][0]))

    assert [verdict for verdict in judged(seen, said) if verdict.word != "right"] == []
    for word in ("main", "other"):
        ((address, tid),) = told(said, word)
        owner = owner_at(seen, address)
        assert owner is not None
        assert (owner.tid, owner.basis) == (tid, "record")


@pytest.mark.parametrize("acts", ["f", "F", "a", "sJ"])
def test_seen_from_another_pid_namespace_fibers_are_no_threads_either(acts: str) -> None:
    apart = ["unshare", "--pid", "--fork", "--kill-child"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no pid namespace can be made here")
    with running([*apart, compiled(PROGRAMS / "user_stacks.c"), acts]) as (process, said):
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        verdicts = judged(owned(int(child)), said)

    assert [verdict for verdict in verdicts if verdict.word != "right"] == []
