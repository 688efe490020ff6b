"""Programs that do one thing after another, each told by a line, with a snapshot after each."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import vmdiff
from tests.waiting import until
from vmdiff.model import Snapshot

PROGRAMS = Path(__file__).parent / "programs"
_STILL = 5  # looks in a row that show the same
_TRIES, _LONGEST = 5, 1000  # looks at a process that never rests, such as one that polls


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
        return at_rest(self.pid, **options)

    def between(self, line: str = "", **options: object) -> tuple[Snapshot, Snapshot]:
        """Return snapshots before and after it did something."""
        before = self.snap(**options)
        self.do(line)
        return before, self.snap(**options)

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


def at_rest(pid: int, **options: object) -> Snapshot:
    """Take a snapshot once a process has come to rest, again if it did not stay so: compilers and collectors
    work in the background, and wait for the processor on a busy machine.
    """
    for _ in range(_TRIES):
        before = _resting(pid)
        taken = vmdiff.snap(pid, **options)  # type: ignore[arg-type]
        if taken.origin.consistent and _state(pid) == before:
            return taken
    return taken  # what never rests is looked at as it is


def _resting(pid: int) -> tuple[str, ...] | None:
    """Wait until no thread runs, waits for a processor or faults pages in; return what tells that none did."""
    seen: list[tuple[str, ...] | None] = []

    def rests() -> bool:
        seen.append(_state(pid))
        last = seen[-_STILL:]
        return len(seen) >= _LONGEST or (len(last) == _STILL and None not in last and len(set(last)) == 1)

    until(rests)
    return seen[-1]


def _state(pid: int) -> tuple[str, ...] | None:
    """Return the threads and the faults of a process; None while one runs or waits for a processor."""
    threads = sorted(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    try:
        lines = [Path(f"/proc/{pid}/task/{thread}/stat").read_text() for thread in threads]
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = [line.rpartition(")")[2].split() for line in lines]
    if any(one[0] in "RD" for one in fields):
        return None
    return (*threads, *(one[7] for one in fields))


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
