"""A real process that does to its memory what it is told, one act at a time."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.owners.living import compiled

SOURCE = Path(__file__).parent.parent / "fixtures" / "programs" / "acts.c"


class Actor:
    """The process, and how to tell it what to do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def act(self, word: str, argument: object = None) -> None:
        """Have it done; it is when this returns."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{word}\n" if argument is None else f"{word} {argument}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == f"{word}\n"

    def tell(self, line: str) -> None:
        """Say something that it will not answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """End it and wait until it has."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def actor(*options: str) -> Iterator[Actor]:
    """Run the program; it ends with the block."""
    with subprocess.Popen(
        [compiled(SOURCE, *options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Actor(process)
        finally:
            process.kill()
