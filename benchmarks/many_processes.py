"""What a set of many processes costs, beside smem: ``python -m benchmarks.many_processes [COUNT]``.

Half of the processes are of a small C program, half of Python, all forked and idle. vmdiff and smem read
the same ones in turns; the seconds are the processor's (user and system), the least of each, since what
disturbs a run only makes it slower. smem reads smaps of each process and keeps sums; ``--detail totals``
answers the same question, ``--no-owners`` keeps every mapping, and the default mode finds whose the memory
is. The peak of memory is shown for other counts, too: it grows by what the document needs for a process.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.run import Row, installed, table

HERE = Path(__file__).parent
COUNT, TIMES = 500, 5
NAME = "vmdiff-many-processes"  # a word of their command lines, by which smem is told which are meant
MODES = {
    "totals": ("--detail", "totals"),
    "maps, no owners": ("--detail", "maps", "--no-owners"),
    "no owners": ("--no-owners",),
    "default": (),
}

# Starts as many processes of the C program as of its own, by forks; all end with its standard input.
PARENT = """
import os, subprocess, sys
program, half, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
others = subprocess.Popen([program, str(half), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
others.stdout.readline()
reader, writer = os.pipe()
for number in range(1, half):
    if os.fork() == 0:
        os.close(writer)
        others.stdin.close()
        own = [str(one) for one in range(2000 + number % 50 * 10)]
        os.read(reader, 1)
        os._exit(0)
print("ready", flush=True)
sys.stdin.read()
"""


class Spent(NamedTuple):
    """What a command took: seconds of the processor, its peak of memory and what it printed, in bytes."""

    seconds: float
    peak: int
    printed: int


@contextmanager
def processes(program: Path, count: int) -> Iterator[int]:
    """Yield the root of so many processes."""
    words = [sys.executable, "-c", PARENT, program, str(count // 2), NAME]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as root:
        assert root.stdin
        assert root.stdout
        assert root.stdout.readline() == "ready\n"
        yield root.pid
        root.stdin.close()


def spent(command: Sequence[object], folder: Path) -> Spent:
    """Run a command and return what it took."""
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen([str(word) for word in command], stdout=printed)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command} ended with {process.returncode}")
        return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10, printed.tell())


def in_turns(commands: dict[str, Sequence[object]], folder: Path, times: int) -> dict[str, Spent]:
    """Run commands in turns; return the least of each."""
    taken = [{name: spent(command, folder) for name, command in commands.items()} for _ in range(times)]
    return {name: min(one[name] for one in taken) for name in commands}


def rows(vmdiff: Path, program: Path, count: int, folder: Path) -> Iterator[Row]:
    """Yield what each mode takes of as many processes, and of fewer and more."""
    smem = shutil.which("smem")
    if smem is None:
        raise SystemExit("smem is not installed")
    for number in (count, count // 5, count * 2):
        with processes(program, number) as root:
            commands: dict[str, Sequence[object]] = {
                name: (vmdiff, "snap", f"tree:{root}", *options) for name, options in MODES.items()
            }
            commands["smem"] = (smem, "-P", NAME)
            found = in_turns(commands, folder, TIMES if number == count else 1)
        peer = found.pop("smem")
        for name, mine in found.items() if number == count else ():
            bound = 1.0 if name == "totals" else None
            detail = f"{mine.seconds:.2f} s against {peer.seconds:.2f} s"
            yield Row(f"{number} processes, {name}", mine.seconds / peer.seconds, "x smem", bound, detail)
        for name, mine in found.items():
            detail = f"the document has {mine.printed / 1e6:.1f} MB"
            yield Row(f"peak memory of {number} processes, {name}", mine.peak / 1e6, " MB", None, detail)


def main() -> int:
    count = int(sys.argv[1]) if sys.argv[1:] else COUNT
    with tempfile.TemporaryDirectory(prefix="vmdiff-bench-") as name:
        folder = Path(name)
        program = folder / "idle"
        subprocess.run(["gcc", "-O1", "-o", program, HERE / "idle.c"], check=True)
        found = list(rows(installed(folder) / "vmdiff", program, count, folder))
    print(table(found))
    return any(row.holds is False for row in found)


if __name__ == "__main__":
    sys.exit(main())
