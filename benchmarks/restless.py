"""Snapshots of processes whose 8 threads map and unmap as fast as they can, held to what is promised of them.

``python benchmarks/restless.py frozen|logged|killed [COUNT]``

``frozen``: each with --freeze is consistent; prints the longest stop. ``logged``: each without it that is
called consistent shows a layout that the process's own log has within the reading. ``killed``: vmdiff killed
by SIGKILL at random moments of freezing and writing leaves the process running, its output whole or absent.
"""

import contextlib
import mmap
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import vmdiff

PROGRAMS = Path(__file__).parent.parent / "fixtures" / "programs"
THREADS = 8
PAGE, SLOTS, APART = 4096, 64, 1 << 20
HEAD, ENTRY = 16, 4
LOG = 512 << 20  # bytes

Slots = list[tuple[int, int]]


@contextlib.contextmanager
def running(name: str, size: int) -> Iterator[tuple[int, mmap.mmap]]:
    """Run a program that shares a file with us; give its pid and the file."""
    with tempfile.TemporaryDirectory() as folder:
        shared, program = Path(folder) / "shared", Path(folder) / name
        subprocess.run(["gcc", "-O1", "-pthread", "-o", program, PROGRAMS / f"{name}.c"], check=True)
        with shared.open("w+b") as file:
            file.truncate(size)
            view = mmap.mmap(file.fileno(), size)
            command = [str(program), str(shared), str(THREADS)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                try:
                    assert process.stdout
                    assert process.stdout.readline() == "ready\n"
                    yield process.pid, view
                finally:
                    process.kill()


def number(view: mmap.mmap, at: int = 0) -> int:
    return int.from_bytes(view[at : at + 8], "little")


def moves(view: mmap.mmap, within: float = 10.0) -> bool:
    """Wait until the process has counted on."""
    start, late = number(view), time.monotonic() + within
    while number(view) == start:
        if time.monotonic() > late:
            return False
        time.sleep(0.0005)
    return True


def frozen(count: int) -> bool:
    with running("restless", PAGE) as (pid, view):
        taken = [vmdiff.snap(pid, owners=False, freeze=True).origin for _ in range(count)]
        runs_on = moves(view)
    consistent = sum(bool(origin.consistent) and not origin.doubts for origin in taken)
    stops = sorted(origin.frozen_seconds or 0.0 for origin in taken)
    print(
        f"frozen: {consistent} of {count} consistent; stops: median {stops[count // 2] * 1000:.1f} ms,"
        f" longest {stops[-1] * 1000:.1f} ms; runs on: {runs_on}"
    )
    return consistent == count and runs_on


def seen(taken: "vmdiff.Snapshot", ground: int) -> Slots:
    """Give what a snapshot shows of the slots, as the log has it: pages, and whether they can be written."""
    slots: Slots = [(0, 0)] * SLOTS
    for m in taken.mappings:
        if m.start is not None and m.end is not None and ground <= m.start < ground + SLOTS * APART:
            slots[(m.start - ground) // APART] = ((m.end - m.start) // PAGE, int(m.perms[1] == "w"))
    return slots


class Log:
    """The process's own record, followed up to where it has been asked."""

    def __init__(self, view: mmap.mmap) -> None:
        self._view = view
        self._slots: Slots = [(0, 0)] * SLOTS
        self._at = 0

    def had(self, wanted: Slots, first: int, last: int) -> bool:
        """Say whether the layout was *wanted* after one of the changes from *first* to *last*.

        The next reading may begin before the last change of this one is logged: what is kept is *first*.
        """
        while self._at < first:
            self._apply(self._at, self._slots)
            self._at += 1
        slots = list(self._slots)
        wrong = {slot for slot in range(SLOTS) if slots[slot] != wanted[slot]}
        at = first
        while wrong and at < last:
            slot = self._apply(at, slots)
            (wrong.discard if slots[slot] == wanted[slot] else wrong.add)(slot)
            at += 1
        return not wrong

    def _apply(self, at: int, slots: Slots) -> int:
        slot, pages, write = self._view[HEAD + at * ENTRY : HEAD + at * ENTRY + 3]
        slots[slot] = (pages, write if pages else 0)
        return slot


def logged(count: int) -> bool:
    consistent = existed = moved = 0
    with running("logged", LOG) as (pid, view):
        log = Log(view)
        ground = number(view, 8)
        readings = []
        for _ in range(count):
            first = number(view)
            taken = vmdiff.snap(pid, owners=False)
            last = number(view) + 1  # the change under way is logged after it is made
            if taken.origin.consistent:
                readings.append((seen(taken, ground), first, last))
        moves(view)
        for slots, first, last in readings:
            consistent += 1
            existed += log.had(slots, first, last)
            moved += last - first > 1
        changes = number(view)
    print(
        f"logged: {consistent} of {count} called consistent, {existed} of these existed within their reading,"
        f" though in {moved} it had moved meanwhile; {changes:,} changes in all"
    )
    return existed == consistent


def killed(count: int) -> bool:
    draw = random.Random(7)
    whole = absent = stopped = 0
    with running("restless", PAGE) as (pid, view), tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "x.json"
        command = [
            sys.executable,
            "-m",
            "vmdiff",
            "snap",
            str(pid),
            "--freeze",
            "--no-owners",
            "-o",
            str(output),
        ]
        for _ in range(count):
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                wait_until_traced(pid, process)
                time.sleep(draw.uniform(0, 0.12))  # freezing, reading, writing and leaving take about so long
                process.kill()
            stopped += not moves(view)
            if output.exists():
                assert vmdiff.load(output).mappings
                whole += 1
                output.unlink()
            else:
                absent += 1
            assert not list(Path(folder).iterdir())
    print(
        f"killed: {count} times; the process stood still after {stopped};"
        f" output whole {whole}, absent {absent}"
    )
    return stopped == 0


def wait_until_traced(pid: int, by: "subprocess.Popen[bytes]") -> None:
    """Wait until vmdiff has seized the process, or has ended."""
    while by.poll() is None and "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text():
        pass


def main(words: Sequence[str]) -> int:
    parts = {"frozen": (frozen, 1000), "logged": (logged, 1000), "killed": (killed, 200)}
    part, usual = parts[words[0]]
    return 0 if part(int(words[1]) if len(words) > 1 else usual) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
