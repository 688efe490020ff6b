"""What recording costs: ``python benchmarks/recording.py [--points N] [--mappings N] [--kills N]``.

In processor seconds a point, as ratio to reading smaps once: a process of some 300 mappings in which nothing
changes, and one in which something does at every point; memory and descriptors early and late. With
``--kills`` the recorder is killed so many times instead, at random moments of a recording that goes on in one
folder: it ends with 1 if a file is damaged or left over, or the process does not run on.
"""

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vmdiff import record, snap
from vmdiff.sources import series
from vmdiff.storage import series_folder

# Its mappings: some of libraries, the rest private ones of two pages, every other one read-only, which keeps
# them apart.
TARGET = """
import mmap, sys
held = []
for at in range(int(sys.argv[1])):
    held.append(mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=3 if at % 2 else 1))
print("ready", flush=True)
for line in sys.stdin:
    for block in held[1::8]:
        if at % 2:
            block.madvise(mmap.MADV_DONTNEED)
        else:
            block[0] = block[4096] = 1
    at += 1
    print("done", flush=True)
"""


class Step:
    """A pace without waiting: each wait lets the target move, if it is to."""

    def __init__(self, target: subprocess.Popen[str], *, moves: bool) -> None:
        self._target = target
        self._moves = moves
        self._time = 0.0

    def now(self) -> float:
        return self._time

    def wait(self, seconds: float) -> None:
        self._time += seconds
        if self._moves:
            print("step", file=self._target.stdin, flush=True)
            self._target.stdout.readline()


def seconds(times: int, work) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def read_smaps(pid: int) -> None:
    descriptor = os.open(f"/proc/{pid}/smaps", os.O_RDONLY)
    while os.read(descriptor, 16 << 10):
        pass
    os.close(descriptor)


def held() -> tuple[int, int]:
    """Give the resident bytes and the open descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize(), sum(1 for _ in Path("/proc/self/fd").iterdir())


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--points", type=int, default=1000)
    options.add_argument("--mappings", type=int, default=240)
    options.add_argument("--kills", type=int, default=0)
    asked = options.parse_args()
    command = [sys.executable, "-c", TARGET, str(asked.mappings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
        target.stdout.readline()
        if asked.kills:
            with tempfile.TemporaryDirectory() as folder:
                kill(target, folder, asked.kills)
            target.kill()
            return
        count = len(snap(target.pid).mappings)
        smaps = seconds(50, lambda: read_smaps(target.pid))
        looked = seconds(20, lambda: snap(target.pid))
        print(f"{count} mappings; smaps read in {smaps * 1000:.2f} ms, snapshot in {looked * 1000:.1f} ms")
        for moves in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                measure(target, folder, asked.points, smaps, moves=moves)
        target.kill()


def measure(target: subprocess.Popen[str], folder: str, points: int, smaps: float, *, moves: bool) -> None:
    recorded = record(target.pid, folder, every=1, count=points, pacer=Step(target, moves=moves))
    began, looks, early = time.process_time(), 0, (0, 0)
    for at, point in enumerate(recorded):
        looks += point.looked is not None
        if at == points // 10:
            early = held()
    each = (time.process_time() - began) / points
    late = held()
    print(
        f"{'moving' if moves else 'still'}: {each * 1000:.2f} ms a point, {each / smaps:.1f}x reading"
        f" smaps, {each:.2%} of a core at one a second; {point.written / points:.0f} bytes a point;"
        f" owners looked for {looks} times; memory {early[0] >> 20} -> {late[0] >> 20} MiB,"
        f" descriptors {early[1]} -> {late[1]}"
    )


def kill(target: subprocess.Popen[str], folder: str, times: int) -> None:
    """Kill the recorder: while it starts each fifth time, else within a moment of a new point."""
    chosen, command = random.Random(times), [sys.executable, "-m", "vmdiff", "record", str(target.pid)]
    began = 0  # recordings that had written
    for turn in range(times):
        before = len(series_folder.points(folder))
        with subprocess.Popen([*command, "-o", folder, "--every", "10ms"]) as recorder:
            while turn % 5 and len(series_folder.points(folder)) == before and recorder.poll() is None:
                time.sleep(0.01)
            time.sleep(chosen.uniform(0, 0.3 if turn % 5 else 1))
            recorder.kill()
        found = series_folder.points(folder)
        began += len(found) > before
        left = {entry.name for entry in Path(folder).iterdir()} - {path.name for _, path in found}
        print("step", file=target.stdin, flush=True)
        if left or target.stdout.readline() != "done\n":
            sys.exit(f"left over: {sorted(left)}; the process: {target.poll()}")
    whole = sum(1 for _ in series([folder]))  # opens every point, or says which is damaged
    numbers = [number for number, _ in series_folder.points(folder)]
    if numbers != list(range(whole)):
        sys.exit(f"{whole} points are whole, and these are there: {numbers}")
    print(f"killed {times} times, {began} of them after it had written: {whole} points, all whole")


if __name__ == "__main__":
    main()
