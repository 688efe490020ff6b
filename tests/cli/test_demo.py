"""The demo plays four acts on a real process, keeps its snapshots and nothing else."""

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff as library
from tests.cli.conftest import Run
from vmdiff.cli.demo import BLOCK, FILE
from vmdiff.model import Kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the demo watches /proc")

KIB = 1 << 10
LEFT = (
    256 * KIB
)  # malloc's top may have that much in memory already (M_TRIM_THRESHOLD and M_TOP_PAD, mallopt(3))


def test_four_acts_show_what_each_did(vmdiff: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    played = vmdiff("demo")

    assert (played.code, played.err) == (0, "")
    assert re.findall(r"Act \d of 4: (.*)", played.out) == [
        "paused",
        "a block on the heap",
        "a file mapped",
        "the file read",
    ]
    (folder,) = tmp_path.iterdir()
    assert f"The snapshots stay in {folder}:" in played.out
    paused, allocated, mapped, read = (library.load(path) for path in sorted(folder.iterdir()))

    block = library.compare(paused, allocated)
    # The pages of libraries come and go with the other processes that use them: the heap is its own.
    (heap,) = [change for change in block.changes if change.kind is Kind.HEAP]
    assert BLOCK - LEFT <= heap.delta["size"] < BLOCK + LEFT
    assert BLOCK // 2 - LEFT <= heap.delta["rss"] + (heap.delta["swap"] or 0) < BLOCK * 3 // 4
    (file,) = [change for change in library.compare(allocated, mapped).changes if change.change == "new"]
    assert file.delta["size"] == FILE
    assert file.delta["rss"] <= FILE // 100
    (caught_up,) = [c for c in library.compare(mapped, read).changes if c.path == file.path]
    assert (str(caught_up.change), caught_up.after[0].values["rss"]) == ("resident", FILE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with _playing(tmp_path) as demo:
        demo.send_signal(number)
        status = demo.wait(timeout=30)

    assert status == 130
    assert list(tmp_path.iterdir()) == []


def test_even_a_killed_demo_leaves_no_process_and_no_large_file(tmp_path: Path) -> None:
    with _playing(tmp_path) as demo:
        child = int(Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text())
        ending = os.pidfd_open(child)
        demo.kill()
        ended, _, _ = select.select([ending], [], [], 30)
        os.close(ending)

    assert ended
    assert list(tmp_path.glob("*.data")) == []


@contextlib.contextmanager
def _playing(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the demo until it shows its first act; it cannot get to the last one, for nobody reads it."""
    script = "import sys; from vmdiff.cli import main; main(['demo'])"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=writing, stderr=subprocess.DEVNULL, env=environment
    ) as demo:
        os.close(writing)
        try:
            assert os.read(reading, 10)
            yield demo
        finally:
            os.close(reading)
            demo.kill()
