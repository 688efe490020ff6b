"""Whether the process that is followed is still there."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import until
from vmdiff.recording.followed import follow

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes a live process")

LARGE = "held = b'x' * (256 << 20); print('ready', flush=True); import signal; signal.pause()"


def has_no_memory(pid: int) -> bool:
    try:
        return not Path(f"/proc/{pid}/maps").read_bytes()
    except ProcessLookupError:
        return True


def test_a_process_whose_pages_are_being_freed_has_ended() -> None:
    """That comes before it is a zombie, and takes a tenth of a second of a large one."""
    with subprocess.Popen([sys.executable, "-c", LARGE], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            followed = follow(process.pid)
            assert followed.lives()
        finally:
            process.kill()
        until(lambda: has_no_memory(process.pid))
        assert not followed.lives()
