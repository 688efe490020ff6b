"""What `vmdiff leaks` finds, how long it takes, and that it leaves the process alone.

python benchmarks/leaks.py planted         programs that know what they lost, by language and allocator
python benchmarks/leaks.py peers           valgrind and LeakSanitizer on the same programs
python benchmarks/leaks.py speed MIB SIZE  a heap of so many MiB in blocks of SIZE bytes
python benchmarks/leaks.py innocent PID... real programs: what is called lost of them
python benchmarks/leaks.py killed COUNT    kills of vmdiff at random moments: the process always runs on
"""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmdiff.leaks.find_leaks import find_leaks

PROGRAMS = Path(__file__).parent.parent / "tests" / "leaks" / "programs"
RUST = ["rustc", "--edition=2021"]
PLANTED = [
    ("C, glibc", ["gcc", "-O0"], "planted.c", []),
    ("C, glibc, stripped", ["gcc", "-O0", "-s"], "planted.c", []),
    ("C, glibc, 32 bits", ["gcc", "-O0", "-m32"], "planted.c", []),
    ("C, jemalloc", ["gcc", "-O0"], "planted.c", ["-ljemalloc"]),
    ("C, jemalloc, stripped", ["gcc", "-O0", "-s"], "planted.c", ["-ljemalloc"]),
    ("C, musl", ["musl-gcc", "-O0"], "planted.c", []),
    ("C++, glibc", ["g++", "-O0", "-pthread"], "planted.cc", []),
    ("C++, glibc, stripped, threads", ["g++", "-O0", "-pthread", "-s"], "planted.cc", ["threads"]),
    ("C++, jemalloc", ["g++", "-O0", "-pthread"], "planted.cc", ["-ljemalloc"]),
    ("C++, jemalloc, stripped, threads", ["g++", "-pthread", "-s"], "planted.cc", ["-ljemalloc", "threads"]),
    ("Rust, glibc", RUST, "planted.rs", []),
    ("Rust, glibc, stripped", [*RUST, "-Cstrip=symbols"], "planted.rs", []),
]  # fmt: skip


def main() -> None:
    actions = {"planted": planted, "peers": peers, "speed": speed, "innocent": innocent, "killed": killed}
    if len(sys.argv) < 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](*sys.argv[2:])


@contextmanager
def built(compiler: list[str], source: str, *more: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "planted"
        subprocess.run([*compiler, "-o", program, PROGRAMS / source, *more], check=True)
        yield program


@contextmanager
def running(*command: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def planted() -> None:
    print("| program | lost | found | not lost, called so | stood still |\n|---|---:|---:|---:|---:|")
    for name, compiler, source, more in PLANTED:
        if shutil.which(compiler[0]) is None:
            print(f"| {name} | no {compiler[0]} here | | | |")
            continue
        libraries = [word for word in more if word.startswith("-l")]
        words = [word for word in more if not word.startswith("-l")]
        with built(compiler, source, *libraries) as program, running(program, *words) as (process, said):
            report, lost = find_leaks(process.pid), int(said)
        found = min(report.lost.blocks, lost)
        still = f"{(report.frozen_seconds or 0) * 1000:.0f} ms"
        share, more_than = f"{found / lost:.2%}", report.lost.blocks - found
        print(f"| {name} | {lost:,} | {found:,} ({share}) | {more_than:,} | {still} |")


def peers() -> None:
    print("| program | planted | vmdiff | valgrind | LeakSanitizer |\n|---|---:|---:|---:|---:|")
    for name, compiler, source in (("C", "gcc", "planted.c"), ("C++", "g++", "planted.cc")):
        options = [compiler, "-O0", "-g", "-pthread"]
        with built(options, source) as program:
            with running(program) as (process, said):
                ours = find_leaks(process.pid).lost.blocks
            valgrind = told("valgrind", "--leak-check=full", "--leak-resolution=low", program)
        with built([*options, "-fsanitize=leak"], source) as program:
            sanitizer = told(program)
        lost = [
            re.search(rf"{kind} lost: [\d,]+ bytes in ([\d,]+) blocks", valgrind)
            for kind in ("definitely", "indirectly")
        ]
        theirs = sum(int(one[1].replace(",", "")) for one in lost if one)
        count = re.search(r"leaked in (\d+) allocation", sanitizer)
        print(f"| {name} | {said} | {ours:,} | {theirs:,} | {int(count[1]) if count else 0:,} |")


def told(*command: object) -> str:
    environment = os.environ | {"ENDS": "1"}
    done = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)
    return done.stderr


HEAP = """
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
struct node { struct node *next; };
static struct node *head;
int main(int count, char **words) {
    size_t total = atol(words[1]) << 20, size = atol(words[2]), lost = 0;
    for (size_t done = 0, i = 0; done < total; done += size + 8, i++) {
        struct node *n = malloc(size);
        if (i % 10) { n->next = head; head = n; } else { n->next = 0; lost++; }
    }
    printf("%zu\\n", lost);
    fflush(stdout);
    pause();
}
"""


def speed(mib: str = "1024", size: str = "120") -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "heap.c"
        source.write_text(HEAP)
        subprocess.run(["gcc", "-O1", "-o", source.with_suffix(""), source], check=True)
        with running(source.with_suffix(""), mib, size) as (process, said):
            began, used = time.perf_counter(), time.process_time()
            report = find_leaks(process.pid)
            seconds, processor = time.perf_counter() - began, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{mib} MiB in {report.searched.blocks:,} blocks of {size}: {seconds:.1f} s, {processor:.1f} s of a"
          f" processor, stood still {report.frozen_seconds:.2f} s, peak {peak:,} MiB;"
          f" {report.lost.blocks:,} of {said} lost blocks found")  # fmt: skip


def innocent(*pids: str) -> None:
    print(
        "| program | blocks | bytes | called lost | share of bytes | stood still |"
        "\n|---|---:|---:|---:|---:|---:|"
    )
    for pid in pids:
        report = find_leaks(int(pid))
        share = report.lost.bytes / report.searched.bytes if report.searched.bytes else 0
        print(
            f"| {report.process.name} | {report.searched.blocks:,} | {report.searched.bytes:,}"
            f" | {report.lost.blocks:,} blocks, {report.lost.bytes:,} B | {share:.4%}"
            f" | {(report.frozen_seconds or 0) * 1000:.0f} ms |"
        )
        for one in report.searched.not_[:-1]:
            print(f"  not searched: {one}")


def killed(count: str = "100") -> None:
    """Kill vmdiff at random moments; after each the program's threads must go on counting."""
    chance, ended, while_held = random.Random(19), 0, 0
    with (
        built(["g++", "-O0", "-pthread"], "planted.cc") as program,
        running(program, "threads") as (process, _),
    ):
        for number in range(int(count)):
            command = [sys.executable, "-m", "vmdiff", "leaks", str(process.pid)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as leaks:
                if number % 2:  # in the time that it holds the process, which is a small part of all
                    await_state(process.pid, "t", leaks)
                time.sleep(chance.uniform(0, 0.2 if number % 2 else 1.5))
                while_held += state(process.pid) == "t"
                ended += leaks.poll() is not None
                leaks.send_signal(signal.SIGKILL)
            before = runs(process.pid)
            while state(process.pid) in {"t", "T"} or runs(process.pid) == before:
                time.sleep(0.001)  # hangs here, for all to see, if it does not run on
    print(
        f"{count} kills, {while_held} while the process was held, {ended} after vmdiff had ended:"
        " it ran on each time"
    )


def await_state(pid: int, wanted: str, run: subprocess.Popen[bytes]) -> None:
    while state(pid) != wanted and run.poll() is None:
        time.sleep(0.0005)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def runs(pid: int) -> int:
    """How often its threads were put on a processor."""
    return sum(int(one.read_text().split()[2]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat"))


if __name__ == "__main__":
    main()
