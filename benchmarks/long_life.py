"""Take many snapshots of one process in one Python, and watch this Python with vmdiff meanwhile.

``python benchmarks/long_life.py [COUNT]``: 10,000 unless told otherwise. Prints descriptors and private
memory after a tenth of them and at the end; ends with 1 if either grew.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import vmdiff

SLACK = 1 << 20  # bytes; malloc's and Python's arenas breathe


def state() -> tuple[int, int]:
    """Give this process's open descriptors and private bytes."""
    taken = vmdiff.snap(os.getpid(), owners=False)
    private = sum(taken.total(name) or 0 for name in ("private_clean", "private_dirty"))
    return len(list(Path("/proc/self/fd").iterdir())), private


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with subprocess.Popen(["/bin/sleep", "36000"]) as process:
        try:
            began = time.perf_counter()
            for _ in range(count // 10):
                vmdiff.snap(process.pid)
            early = state()
            for _ in range(count - count // 10):
                vmdiff.snap(process.pid)
            late = state()
        finally:
            process.kill()
    seconds = time.perf_counter() - began
    print(f"{count} snapshots in {seconds:.0f} s, {seconds / count * 1000:.1f} ms each")
    print(f"descriptors {early[0]} -> {late[0]}, private {early[1] >> 10} KiB -> {late[1] >> 10} KiB")
    return 0 if late[0] <= early[0] and late[1] <= early[1] + SLACK else 1


if __name__ == "__main__":
    sys.exit(main())
