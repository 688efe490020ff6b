"""Compare snapshots of memory that the kernel merges and splits, and hold owners to the programs' accounts.

``python benchmarks/unchanged_memory.py [PAIRS]``: PAIRS pairs (200 unless said otherwise) of redis after
DEL, of jemalloc after 15 of 16 blocks were freed, of a program that grows by numpy arrays, and of a JVM. No
owner may move by more than the program's own account of it moved; an owner that the program has no account
of must not move by more than a few pages. The account is read before and after each snapshot.
"""

import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from vmdiff import Snapshot, compare, snap

PROGRAMS = Path(__file__).parent / "programs"
KIB, MIB = 1 << 10, 1 << 20
SLACK = 64 * KIB  # stacks, and what a step of the program itself takes of other memory

# (owner, counter) -> bytes, at the least and at the most.
Account = dict[tuple[str, str], tuple[int, int]]


class Subject(NamedTuple):
    """A program under test: *step* makes it do something, *account* is what it says of its memory."""

    pid: int
    step: Callable[[random.Random], object]
    account: Callable[[], Account]


class Moment(NamedTuple):
    """A snapshot between two readings of the program's account."""

    taken: Snapshot
    accounts: tuple[Account, Account]


class Excess(NamedTuple):
    """A movement of an owner beyond its account."""

    owner: str
    counter: str
    moved: int | None
    account: int


@contextmanager
def talking(words: Sequence[object], folder: Path) -> Iterator[tuple[int, Callable[[str], str]]]:
    """Run a program that answers every line with a line."""
    with subprocess.Popen(
        [str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        stdin, stdout = pipes(process)

        def ask(line: str) -> str:
            stdin.write(line + "\n")
            stdin.flush()
            return stdout.readline()

        try:
            yield process.pid, ask
        finally:
            process.kill()


def pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert process.stdin
    assert process.stdout
    return process.stdin, process.stdout


def of_jemalloc(allocated: int, resident: int, mapped: int, retained: int) -> Account:
    """Return the account of jemalloc's statistics; *resident* is the most that may be (jemalloc(3))."""
    return {("jemalloc", "size"): exactly(mapped + retained), ("jemalloc", "rss"): (allocated, resident)}


def exactly(amount: int) -> tuple[int, int]:
    return amount, amount


@contextmanager
def holes(folder: Path, seed: int) -> Iterator[Subject]:
    """Run a program that frees 15 of 16 blocks of jemalloc, which unmaps them."""
    program = folder / "holes"
    subprocess.run(["gcc", "-O1", PROGRAMS / "holes.c", "-o", program, "-ljemalloc"], check=True)
    command = ["env", "MALLOC_CONF=retain:false,dirty_decay_ms:0", program, seed]
    with talking(command, folder) as (pid, ask):
        yield Subject(
            pid,
            lambda draw: ask(draw.choice(["fill", "fill", "holes", "purge", "drop"])),
            lambda: of_jemalloc(*map(int, ask("").split())),
        )


@contextmanager
def redis(folder: Path, seed: int) -> Iterator[Subject]:
    """Run a redis that gets and deletes keys."""
    path = folder / f"redis-{seed}.sock"
    options = {"port": "0", "save": "", "jemalloc-bg-thread": "no", "enable-debug-command": "yes"}
    words = [word for name in options for word in (f"--{name}", options[name])]
    command = ["redis-server", *words, "--unixsocket", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process, ExitStack() as stack:
        stack.callback(process.kill)
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        while connection.connect_ex(str(path)):
            assert process.poll() is None, "redis-server ended"
            time.sleep(0.05)
        answers = stack.enter_context(connection.makefile("rb"))

        def ask(line: str) -> bytes:
            connection.sendall(line.encode() + b"\r\n")
            head = answers.readline()
            return answers.read(int(head[1:]) + 2) if head[:1] == b"$" else head

        yield Subject(process.pid, lambda draw: redis_step(ask, draw), lambda: redis_account(ask))


def redis_step(ask: Callable[[str], bytes], draw: random.Random) -> None:
    names = [f"k{number}" for number in range(8)]
    if draw.random() < 0.5:
        ask(f"DEBUG POPULATE {draw.randrange(1, 4000)} {draw.choice(names)} {draw.randrange(16, 4096)}")
    elif draw.random() < 0.8:
        name = draw.choice(names)
        keys = [f"{name}:{number}" for number in range(4000) if number % 16]
        for first in range(0, len(keys), 500):
            ask("DEL " + " ".join(keys[first : first + 500]))
    else:
        ask(draw.choice(["MEMORY PURGE", "FLUSHALL SYNC"]))


def redis_account(ask: Callable[[str], bytes]) -> Account:
    text = ask("MEMORY MALLOC-STATS").decode()
    found = re.search(r"Allocated: (\d+), .*resident: (\d+), mapped: (\d+), retained: (\d+)", text)
    assert found, text[:200]
    return of_jemalloc(*map(int, found.groups()))


@contextmanager
def arrays(folder: Path, seed: int) -> Iterator[Subject]:
    """Run a Python program that grows by numpy arrays."""
    words = ["env", "OPENBLAS_NUM_THREADS=1", sys.executable, PROGRAMS / "arrays.py", seed]
    with talking(words, folder) as (pid, ask):

        def account() -> Account:
            large, heaps, count = map(int, ask("").split())
            return {
                ("malloc large block", "size"): exactly(large),
                ("malloc heap", "size"): exactly(heaps),
                ("python arena", "size"): exactly(count * MIB),
            }

        account()  # once it answers it has begun
        yield Subject(pid, lambda draw: ask(draw.choice(["grow", "grow", "drop", "objects"])), account)


@contextmanager
def jvm(folder: Path, seed: int) -> Iterator[Subject]:
    """Run a JVM that grows and collects, and tells what native memory tracking counts."""
    subprocess.run(["javac", "-d", folder, PROGRAMS / "Growing.java"], check=True)
    options = [
        "-Xmx256m",
        "-XX:+UseG1GC",
        "-XX:NativeMemoryTracking=summary",
        "-XX:ReservedCodeCacheSize=64m",
    ]
    with talking(["java", *options, "-cp", folder, "Growing", seed], folder) as (pid, ask):
        ask("grow")  # "ready" is the answer to this, and each step's "done" that to the next
        yield Subject(
            pid, lambda draw: ask(draw.choice(["grow", "grow", "drop", "thread"])), lambda: jvm_account(pid)
        )


# Not of threads: the C library keeps the stacks of some that ended, which the JVM no longer counts.
_TRACKED = {"Java Heap": "jvm heap", "Code": "jvm code cache", "Metaspace": "jvm metaspace"}


def jvm_account(pid: int) -> Account:
    command = ["jcmd", str(pid), "VM.native_memory", "summary", "scale=KB"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"-\s+([\w ]+?) \(reserved=\d+KB, committed=(\d+)KB\)", text)
    return {
        (_TRACKED[name], "accessible"): exactly(int(committed) * KIB)
        for name, committed in found
        if name in _TRACKED
    }


class Case(NamedTuple):
    """A program, and whether its account is of all owners that it has."""

    name: str
    run: Callable[[Path, int], AbstractContextManager[Subject]]
    is_whole: bool = True


CASES = (
    Case("redis after DEL", redis),
    Case("jemalloc, 15 of 16 blocks freed", holes),
    Case("numpy arrays", arrays),
    Case("JVM", jvm, is_whole=False),
)


def moment(subject: Subject) -> Moment:
    before = subject.account()
    taken = snap(subject.pid)
    return Moment(taken, (before, subject.account()))


def allowed(before: Moment, after: Moment, key: tuple[str, str]) -> int | None:
    """Return by how much an owner may have moved, None where the program has no account of it."""
    if key not in before.accounts[0]:
        return None
    pairs = [(old[key], new[key]) for old in before.accounts for new in after.accounts]
    return max(max(abs(new[1] - old[0]), abs(new[0] - old[1])) for old, new in pairs)


def excesses(before: Moment, after: Moment, *, is_whole: bool) -> Iterator[Excess]:
    """Yield the owners that moved by more than their account, or without one."""
    for group in compare(before.taken, after.taken).grouped("owner"):
        for counter in ("size", "accessible", "rss"):
            moved = group.totals[counter].delta
            account = allowed(before, after, (group.name, counter))
            if account is None and (not is_whole or group.name in {owner for owner, _ in before.accounts[0]}):
                continue
            if moved is None or abs(moved) > (account or 0) + SLACK:
                yield Excess(group.name, counter, moved, account or 0)


def measure(case: Case, pairs: int, folder: Path) -> tuple[int, int, Counter[str]]:
    """Return how many pairs there were, in how many the kernel's mappings changed, and what went beyond."""
    draw = random.Random(7)
    beyond: Counter[str] = Counter()
    changed = 0
    with case.run(folder, 7) as subject:
        before = moment(subject)
        for number in range(pairs):
            for _ in range(draw.randrange(1, 4)):
                subject.step(draw)
            after = moment(subject)
            bounds = [[m.range for m in one.taken.placed] for one in (before, after)]
            changed += bounds[0] != bounds[1]
            for found in excesses(before, after, is_whole=case.is_whole):
                beyond[f"{found.owner} {found.counter}"] += 1
                print(f"{case.name}, pair {number}: {found}", file=sys.stderr)
            before = after
    return pairs, changed, beyond


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print("| program | pairs | mappings moved | an owner moved beyond its account |\n|---|--:|--:|---|")
    failed = False
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="vmdiff-unchanged-") as name:
            count, changed, beyond = measure(case, pairs // len(CASES), Path(name))
        failed |= bool(beyond)
        told = ", ".join(f"{what}: {times}" for what, times in beyond.items()) or "never"
        print(f"| {case.name} | {count} | {changed} | {told} |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
