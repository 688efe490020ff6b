"""A frozen process stands still for exactly as long as it is read, and always runs on."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.effort import times
from tests.owners.living import compiled
from tests.waiting import until
from vmdiff.capture import ProcessFolder
from vmdiff.capture.freeze import frozen
from vmdiff.errors import ProcessError

PROGRAMS = Path(__file__).parent.parent.parent / "fixtures" / "programs"


class Restless:
    """A process whose threads map and unmap, and count in a file that it shares with us."""

    def __init__(self, process: subprocess.Popen[str], counter: Path) -> None:
        self.pid = process.pid
        self._counter = counter

    def count(self) -> int:
        return int.from_bytes(self._counter.read_bytes()[:8], "little")

    def runs(self) -> bool:
        """Wait until it has counted on."""
        start = self.count()
        until(lambda: self.count() > start)
        return True


@contextlib.contextmanager
def restless(tmp_path: Path, threads: int = 8) -> Iterator[Restless]:
    counter = tmp_path / "counter"
    counter.write_bytes(bytes(4096))
    command = [str(compiled(PROGRAMS / "restless.c")), str(counter), str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Restless(process, counter)
        finally:
            process.kill()


def test_frozen_snapshots_of_a_restless_process_are_consistent(tmp_path: Path) -> None:
    with restless(tmp_path) as process:
        taken = [vmdiff.snap(process.pid, owners=False, freeze=True) for _ in range(times(60))]
        assert process.runs()

    assert all(one.origin.consistent and one.origin.attempts == 1 for one in taken)
    assert all(one.origin.frozen_seconds for one in taken)
    assert all(one.origin.doubts == () for one in taken)


def test_it_stands_still_inside_and_runs_on_after(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder:
        with frozen(folder) as freeze:
            counts = {process.count() for _ in range(200)}
        assert len(counts) == 1
        assert process.runs()
    assert freeze.seconds > 0


def test_an_exception_lets_it_go(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder:
        with pytest.raises(ZeroDivisionError), frozen(folder):
            1 / 0  # noqa: B018
        assert process.runs()


def test_the_limit_lets_it_go_early_and_says_so(tmp_path: Path) -> None:
    with restless(tmp_path) as process:
        taken = vmdiff.snap(process.pid, owners=False, freeze=True, freeze_limit=0.000001)
        assert process.runs()

    assert any("let go" in doubt for doubt in taken.origin.doubts)


def test_the_limit_ends_whatever_the_reading_is_at(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder:
        with frozen(folder, limit=0.05) as freeze:
            assert process.runs()  # although nothing was read that could have looked at the limit
        assert process.runs()

    assert [doubt for doubt in freeze.doubts if "before the reading was done" in doubt]


def test_within_the_limit_there_is_no_doubt(tmp_path: Path) -> None:
    with restless(tmp_path) as process:
        taken = vmdiff.snap(process.pid, owners=False, freeze=True, freeze_limit=3600)

    assert taken.origin.consistent
    assert taken.origin.doubts == ()


def test_the_exit_status_of_our_own_child_is_left_to_who_waits_for_it() -> None:
    for _ in range(times(60)):
        with subprocess.Popen(["sh", "-c", "read x; exit 7"], stdin=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.close()
            with contextlib.suppress(ProcessError):  # it ends at any moment of being held
                vmdiff.snap(process.pid, owners=False, freeze=True)
            assert process.wait() == 7


def test_our_own_child_may_be_killed_while_it_is_held(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder:
        with frozen(folder):
            os.kill(process.pid, signal.SIGKILL)
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert ended
    assert ended.si_status == signal.SIGKILL


def test_where_no_thread_can_be_had_it_is_said() -> None:
    script = """
import os, resource, subprocess, sys
import vmdiff, vmdiff.capture.freeze, vmdiff.capture.memory_copy  # all that somebody else may not be let see
from vmdiff.errors import ProcessError
with subprocess.Popen(["sleep", "1000"], user=65534 if os.geteuid() == 0 else None) as process:
    vmdiff.snap(os.getpid())
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    try:
        vmdiff.snap(process.pid, owners=False, freeze=True)
    except ProcessError as error:
        print(error)
    finally:
        process.kill()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert "cannot be held still: vmdiff may start no thread here" in done.stdout, done.stderr


def test_who_traces_it_already_is_named(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder, frozen(folder):
        command = [sys.executable, "-m", "vmdiff", "snap", str(process.pid), "--freeze"]
        done = subprocess.run(command, capture_output=True, text=True)

        assert done.returncode == 3
        assert f"process {os.getpid()} traces it already" in done.stderr


def test_a_stopped_process_stays_stopped(tmp_path: Path) -> None:
    with restless(tmp_path) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        taken = vmdiff.snap(process.pid, owners=False, freeze=True)
        counts = {process.count() for _ in range(200)}
        os.kill(process.pid, signal.SIGCONT)
        assert process.runs()

    assert taken.origin.consistent
    assert len(counts) == 1


def test_its_parent_sees_no_stop(tmp_path: Path) -> None:
    with restless(tmp_path) as process:
        vmdiff.snap(process.pid, owners=False, freeze=True)
        seen = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)

    assert seen is None


def test_a_signal_on_its_way_arrives(tmp_path: Path) -> None:
    with restless(tmp_path) as process, ProcessFolder(process.pid) as folder:
        with frozen(folder):
            os.kill(process.pid, signal.SIGTERM)
        assert os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


DIES = """
import os, signal, sys
from vmdiff.cli import main

calls, last = 0, int(sys.argv[1])
def called(frame, event, argument):
    global calls
    if calls or frame.f_code.co_name == "hold":  # from the moment on that the process is held
        calls += 1
    if calls == last:
        os.kill(os.getpid(), signal.SIGKILL)

sys.setprofile(called)
try:
    main(sys.argv[2:])
finally:
    sys.setprofile(None)
    print(calls)
"""


def test_killed_at_any_moment_the_process_runs_on(tmp_path: Path) -> None:
    draw = random.Random(5)
    with restless(tmp_path, threads=2) as process:

        def dies(at: int, output: Path) -> subprocess.CompletedProcess[str]:
            words = ["snap", "--freeze", "--no-owners", "-o", output, process.pid]
            command = [sys.executable, "-c", DIES, at, *words]
            return subprocess.run([str(word) for word in command], capture_output=True, text=True)

        calls = int(dies(-1, tmp_path / "whole.json").stdout)
        for number in range(times(12)):
            output = tmp_path / f"{number}.json"
            killed = dies(draw.randrange(1, calls), output)
            assert killed.returncode in {-signal.SIGKILL, 0}  # the number of calls differs a little
            assert process.runs()
            assert not output.exists() or vmdiff.load(output).mappings


def test_a_process_that_is_gone_cannot_be_held() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        folder = ProcessFolder(process.pid)
        process.kill()
    with folder, pytest.raises(ProcessError), frozen(folder):
        vmdiff.capture.read(folder)


def test_without_freezing_a_restless_process_is_read_all_the_same(tmp_path: Path) -> None:
    """Kernels list a mapping twice that was replaced by a longer one between two pages of text."""
    with restless(tmp_path) as process:
        taken = [vmdiff.snap(process.pid, owners=False) for _ in range(times(100))]

    assert all(one.origin.consistent or one.origin.doubts for one in taken)
