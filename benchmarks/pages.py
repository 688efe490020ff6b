"""What `snap --detail pages` costs, and how large its document and reports are.

    python benchmarks/pages.py [PAGES]        1,048,576 unless said otherwise: 4 GiB of distinct pages

A program writes another number into each of its pages; it is looked at twice, and writes to some between.
Printed are processor seconds (user and system) of each command, and the sizes of what it wrote.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = 4096
PROGRAM = """
import mmap, sys
pages = int(sys.argv[1])
held = mmap.mmap(-1, pages * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(pages): held[at * 4096 : at * 4096 + 8] = at.to_bytes(8, "big")
print(flush=True)
sys.stdin.readline()
for at in range(0, pages, 100): held[at * 4096 + 9] = 1
print(flush=True)
sys.stdin.readline()
"""


def main(pages: int) -> None:
    """Run each command and print a line about it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-c", PROGRAM, str(pages)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            for side in ("before", "after"):
                process.stdout.readline()
                run(folder, f"{side}.json.gz", "snap", str(process.pid), *LOOK)
                process.stdin.write("\n")
                process.stdin.flush()
        run(folder, "show.html", "show", "after.json.gz", "--format", "html")
        run(folder, "compare.txt", "compare", "before.json.gz", "after.json.gz", "--format", "text")
        run(folder, "compare.html", "compare", "before.json.gz", "after.json.gz", "--format", "html")


LOOK = ("--detail", "pages", "--page-key", "pages.key")


def run(folder: Path, written: str, *command: str) -> None:
    """Run vmdiff; print what it took and how large *written* is."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "vmdiff", *command, "-o", written],
        cwd=folder,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = (folder / written).stat().st_size
    print(f"{command[0]:8} {written:16} {seconds:6.1f} s  {size:12,} bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 20)
