"""What changes the whole machine: it runs alone, and is put back however the test ends."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

_LOCKS = Path(tempfile.gettempdir()) / f"vmdiff-tests-{os.getuid() if hasattr(os, 'getuid') else 0}"


@contextlib.contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Run the block beside others, or *alone* on this machine, whatever runs its tests here.

    The gate is held while waiting, so that one that wants to be alone is not overtaken for ever.
    """
    if fcntl is None:
        yield
        return
    _LOCKS.mkdir(mode=0o700, exist_ok=True)
    with (_LOCKS / "gate").open("w") as gate, (_LOCKS / "machine").open("w") as machine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def afterwards(*command: object) -> Iterator[None]:
    """Run a command after the block, even if this process is killed: a shell waits for its end."""
    script = 'cat >/dev/null; exec "$@"'
    words = ["sh", "-c", script, "afterwards", *map(str, command)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True):
        yield


@contextlib.contextmanager
def changed(path: Path, value: str) -> Iterator[None]:
    """Change a setting of this machine for the block."""
    if not path.exists():
        pytest.skip(f"this kernel has no {path}")
    before = path.read_text().strip()
    with afterwards("sh", "-c", 'echo "$1" >"$2"', "restore", before, path):
        path.write_text(value)
        yield
    assert path.read_text().strip() == before
