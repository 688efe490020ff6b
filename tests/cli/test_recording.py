"""`vmdiff record`: quiet when piped, whole when killed, gone on with when started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import pytest

from tests.recording.programs import obedient
from tests.waiting import until
from vmdiff import sources
from vmdiff.storage import json_document, series_folder


def test_it_is_quiet_and_its_points_open_anywhere(vmdiff, tmp_path):
    with obedient() as program:
        outcome = vmdiff("record", program.pid, "-o", tmp_path / "r", "--every", "1ms", "--count", 3)

    assert outcome == (0, "", "")
    assert vmdiff("compare", f"{tmp_path / 'r'}#0", f"{tmp_path / 'r'}#2").code == 0
    assert vmdiff("convert", f"{tmp_path / 'r'}#2", "-o", tmp_path / "x.json").code == 0
    assert sources.load(tmp_path / "x.json") == sources.load(f"{tmp_path / 'r'}#2")


@pytest.mark.parametrize(
    "words",
    [["--every", "0"], ["--every", "soon"], ["--for", "1fortnight"], ["--when", "x"], ["--moved", "?"]],
)
def test_what_is_wrong_is_said_before_anything_is_made(words, vmdiff, tmp_path):
    with obedient() as program:
        outcome = vmdiff("record", program.pid, "-o", tmp_path / "r", *words)

    assert outcome.code == 2
    assert not (tmp_path / "r").exists()


def test_a_process_that_cannot_be_observed_is_exit_status_3(vmdiff, tmp_path):
    assert vmdiff("record", "name:vmdiff-nobody", "-o", tmp_path / "r").code == 3


def start(pid, folder):
    command = [sys.executable, "-m", "vmdiff", "record", str(pid), "-o", folder, "--every", "1ms"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def has_points_or_ended(recorder, folder, count):
    return len(series_folder.points(folder)) >= count or recorder.poll() is not None


def test_killed_at_any_moment_it_leaves_whole_files_and_a_running_process(tmp_path):
    with obedient() as program:
        for kills in range(1, 6):
            recorder = start(program.pid, tmp_path)
            until(partial(has_points_or_ended, recorder, tmp_path, 7 * kills))
            recorder.kill()
            _, said = recorder.communicate()
            assert recorder.returncode == -signal.SIGKILL, said
            for name, data in series_folder.documents(tmp_path):
                json_document.load(data, source=name)
        program.grow(1)  # it does as it is told still

    assert len(series_folder.points(tmp_path)) >= 35


def test_interrupted_it_ends_with_130(tmp_path):
    with obedient() as program:
        recorder = start(program.pid, tmp_path)
        until(lambda: series_folder.points(tmp_path) or recorder.poll() is not None)
        recorder.send_signal(signal.SIGINT)
        recorder.communicate()

    assert recorder.returncode == 130


def shown(terminal):
    """Return all that is written to a terminal until its other side is closed."""
    told = b""
    with contextlib.suppress(OSError):  # EIO
        while some := os.read(terminal, 65536):
            told += some
    os.close(terminal)
    return told


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")
def test_the_end_of_the_process_is_said_above_the_table_and_not_amid_it(tmp_path):
    terminal, side = os.openpty()
    command = [sys.executable, "-m", "vmdiff", "record", "-o", tmp_path, "--every", "1ms", "--until-exit"]
    with obedient() as program:
        recorder = subprocess.Popen(
            [*command, str(program.pid)], stdout=side, stderr=side, env=os.environ | {"TERM": "xterm"}
        )
        os.close(side)
        until(partial(has_points_or_ended, recorder, tmp_path, 2))
        program.end()
        told = shown(terminal)
    before, _, after = told.rpartition(f"vmdiff: process {program.pid} (vmdiff-obeys) ended".encode())

    assert recorder.wait() == 0
    assert before.endswith(b"\x1b[2K")  # a line that was erased before
    assert b"latest points" in after


# Run a command on a file system of so many KiB, and copy out what is on it, which goes with the namespace.
FULL = """
mount -t tmpfs -o size="$1" none "$2" || exit 99
kept=$3; disk=$2; shift 3
"$@"; status=$?
cp -r "$disk" "$kept" && exit $status
"""


@pytest.mark.skipif(
    bool(os.geteuid()) or shutil.which("unshare") is None, reason="mounting a small disk needs root"
)
@pytest.mark.parametrize("size", ["64k", "128k"])
def test_a_full_disk_ends_it_with_one_line_and_what_was_written_is_whole(size, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with obedient() as program:
        command = [sys.executable, "-m", "vmdiff", "record", str(program.pid), "-o", disk / "r"]
        private = ["unshare", "--mount", "sh", "-c", FULL, "sh", size, disk, tmp_path / "kept"]
        done = subprocess.run([*private, *command, "--every", "1ms"], capture_output=True, text=True)
        program.grow(1)  # it does as it is told still

    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.endswith("No space left on device; nothing was written")
    assert f"{disk}/r/" in line
    kept = tmp_path / "kept" / "r"
    written = [json_document.load(data, source=name) for name, data in series_folder.documents(kept)]
    assert len(written) >= 2
    assert [number for number, _ in series_folder.points(kept)] == list(range(len(written)))
    assert len(list(kept.iterdir())) == len(written)
