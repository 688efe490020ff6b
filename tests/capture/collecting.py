"""A process that stands still, and what the collector prints of it by any shell and any set of tools."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vmdiff import sources
from vmdiff.capture.collector_script import collector
from vmdiff.model import Snapshot


@contextmanager
def sleeper() -> Iterator[int]:
    """Yield a process that waits for its standard input."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        assert process.stdin
        process.stdin.close()


def bundle_of(pids: Sequence[int], folder: Path, shell: Sequence[str] = ("sh",), path: str = "") -> bytes:
    """Run the collector in a shell; *path* replaces PATH."""
    script = folder / "collector"
    script.write_text(collector() if not path else collector().replace("PATH=$PATH:", "PATH=$PATH#"))
    environment = {"PATH": path or os.environ["PATH"]}
    words = [shutil.which(shell[0]) or shell[0], *shell[1:]]
    return subprocess.run(
        [*words, str(script), *map(str, pids)], env=environment, stdout=subprocess.PIPE, check=True
    ).stdout


def agreeing(look: Callable[[], object], pid: int) -> tuple[Snapshot, Snapshot]:
    """Read a process from afar and directly, until both have as much of it.

    The kernel takes pages of files away from who does not use them, at any time.
    """
    while True:
        found, direct = look(), sources.snap(pid, owners=False)
        assert isinstance(found, Snapshot)
        if found.totals["rss"] == direct.totals["rss"]:
            return found, direct
