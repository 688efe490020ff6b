"""A process that ends, becomes another, forks or hides between any two reads is noticed or read right."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import vmdiff
from tests.acts import Actor, actor
from tests.trust.without_rights import BEGIN
from vmdiff.capture import ProcessFolder, read
from vmdiff.errors import ProcessError
from vmdiff.model import Snapshot

READS = 40  # a reading of the actor takes fewer


def read_while(process: Actor, at: int, deed: Callable[[], None]) -> Snapshot:
    """Read the process, and have the deed done between two reads, the *at*-th and the next."""
    count = 0

    def between() -> None:
        nonlocal count
        count += 1
        if count == at:
            deed()

    with ProcessFolder(process.pid) as folder:
        folder.between_reads = between
        return read(folder)


@pytest.mark.parametrize("at", range(1, READS, 3))
def test_one_that_exits_is_no_short_snapshot(at: int) -> None:
    with actor() as process:
        whole = len(vmdiff.snap(process.pid, owners=False).mappings)

        def exit_() -> None:
            os.kill(process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        try:
            taken = read_while(process, at, exit_)
        except ProcessError as error:
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert len(taken.mappings) == whole  # it was read before it ended


@pytest.mark.parametrize("at", range(1, READS, 3))
def test_one_that_execs_is_one_of_the_two_or_a_doubt(at: int) -> None:
    with actor() as process:
        before = vmdiff.snap(process.pid, owners=False)

        def exec_() -> None:
            process.tell("exec /bin/cat")
            while Path(f"/proc/{process.pid}/comm").read_text() != "cat\n":
                pass

        taken = read_while(process, at, exec_)

    images = {m.path for m in taken.mappings if m.path and m.path.startswith("/") and "bin" in m.path}
    if taken.origin.consistent:
        assert len({Path(path).name for path in images if "lib" not in path}) <= 1
        assert taken.mappings[0].start
    else:
        assert taken.origin.doubts
    assert before.process.name == "acts"


@pytest.mark.parametrize("at", range(1, READS, 5))
def test_one_that_maps_meanwhile_is_read_again(at: int) -> None:
    with actor() as process:
        taken = read_while(process, at, lambda: process.act("block"))

    assert taken.origin.consistent
    assert taken.origin.attempts in (1, 2)


def test_a_process_that_stops_being_dumpable_is_explained() -> None:
    script = "import ctypes, os; os.setuid(65534); ctypes.CDLL(None).prctl(4, 0); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        done = as_nobody("snap", str(process.pid))
        process.kill()

    assert done.returncode == 3
    assert "CAP_SYS_PTRACE" in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_users_process_is_refused_with_the_way_out() -> None:
    with actor() as process:
        done = as_nobody("snap", str(process.pid))

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"vmdiff: process {process.pid} belongs to another user; try sudo, or grant CAP_SYS_PTRACE\n"
    )


def as_nobody(*words: str, within: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """Run a command line as a user without rights, by way of the command *within*."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    script = f"{BEGIN}os.setgroups([]); os.setgid(65534); os.setuid(65534); main({list(words)})"
    return subprocess.run([*within, sys.executable, "-c", script], capture_output=True, text=True)


def test_hidden_processes_look_like_none() -> None:
    hiding = ("unshare", "-m", "sh", "-c", 'mount -t proc -o hidepid=2 none /proc && exec "$@"', "sh")
    with actor() as process:
        done = as_nobody("snap", str(process.pid), within=hiding)

    assert done.returncode == 3
    assert (
        done.stderr == f"vmdiff: no process {process.pid} here (it may have ended, or be hidden by hidepid)\n"
    )


def test_few_descriptors_are_enough_or_it_is_said() -> None:
    with actor() as process:
        codes = set()
        for limit in range(3, 12):
            done = subprocess.run(
                [
                    "sh",
                    "-c",
                    f"ulimit -n {limit}; exec {sys.executable} -m vmdiff snap {process.pid} --no-owners",
                ],
                capture_output=True,
                text=True,
            )
            codes.add(done.returncode)
            if done.returncode == 0:
                assert Snapshot.model_validate_json(done.stdout).mappings
            elif done.stderr.startswith("vmdiff: "):
                assert done.returncode in (2, 3)

    assert 0 in codes


def test_interrupted_is_130_and_leaves_nothing(tmp_path: Path) -> None:
    with actor() as process:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        command = [sys.executable, "-m", "vmdiff", "show", str(fifo)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            writer = os.open(fifo, os.O_WRONLY)  # opens when it reads: it is inside the command now
            running.send_signal(signal.SIGINT)
            assert running.stderr
            said = running.stderr.read()
            os.close(writer)
        assert process.pid

    assert running.returncode == 130
    assert "Traceback" not in said
