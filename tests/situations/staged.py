"""Programs that do one thing after another, each told by a line, with a snapshot after each."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import vmdiff
from vmdiff.model import Snapshot

PROGRAMS = Path(__file__).parent / "programs"


class Staged:
    """A program that says ``ready``, then reads lines and says ``done``; *account* is what it says besides."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid
        self.account = ""
        self.children: list[int] = []
        self._wait("ready")

    def do(self, line: str = "") -> None:
        """Have it do something; it is done when this returns."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        self._wait("done")

    def snap(self, **options: object) -> Snapshot:
        return vmdiff.snap(self.pid, **options)  # type: ignore[arg-type]

    def between(self, line: str = "") -> tuple[Snapshot, Snapshot]:
        """Return snapshots before and after it did something."""
        before = self.snap()
        self.do(line)
        return before, self.snap()

    def _wait(self, word: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(word):
                return
            if line.startswith("account "):
                self.account = line.removeprefix("account ").strip()
            elif line.startswith("child "):
                self.children.append(int(line.split()[1]))
        raise AssertionError(f"it ended before it said {word}")


@contextmanager
def staged(command: Sequence[object], **environment: str) -> Iterator[Staged]:
    with subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment or None,
    ) as process:
        try:
            yield Staged(process)
        finally:
            process.kill()
            process.communicate()
