"""Plant one thing more in another run of Python, node, a JVM and redis: does comparing show just that?

``python benchmarks/plants_in_runtimes.py``: 46 plants, each in a run of its own under address space layout
randomisation. The group is right if the owners that the plant is of grew by exactly its size; the rows are
right if of these owners only new and grown ones changed in size, by as much. What a runtime's own heaps do
differs from run to run and is not looked at.
"""

import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from vmdiff import Change, Comparison, Snapshot, compare, snap

PROGRAMS = Path(__file__).parent / "programs"
KIB, MIB, PAGE = 1 << 10, 1 << 20, 4096
BLOCK = frozenset({"malloc large block"})
STACK = frozenset({"thread stack", "guard page"})
FILE = frozenset({"(file)"})
JEMALLOC = frozenset({"jemalloc"})
REDIS = ("redis-server", "--port", "0", "--save", "", "--enable-debug-command", "yes")


class Run(NamedTuple):
    """A snapshot of a program, and what its allocator says that it has from the kernel, if it does."""

    taken: Snapshot
    account: int | None = None


class Plant(NamedTuple):
    """What is planted: the program's words for it, whose memory it is, its bytes where they are known."""

    program: str
    words: tuple[str, ...]
    owners: frozenset[str]
    size: int | None


def whole(size: int) -> int:
    return -(-size // PAGE) * PAGE


def plants(folder: Path) -> Iterator[Plant]:
    """Yield 16 plants in Python, 8 in node, 11 in a JVM and 11 in redis."""
    for number in range(3):
        size = (number + 3) * 711 * KIB
        file = folder / f"file-{number}"
        file.write_bytes(bytes(size))
        yield Plant("python", (f"b{size}",), BLOCK, whole(size + 17))
        yield Plant("python", (f"n{size}",), BLOCK, whole(size + 16))
        yield Plant("python", (f"m{size}",), frozenset({"(anonymous)"}), whole(size))
        yield Plant("python", (f"s{size}",), frozenset({"(shared-memory)", "shared anonymous"}), whole(size))
        yield Plant("python", (f"f{file}",), FILE, whole(size))
        yield Plant("java", (f"f{file}",), FILE, whole(size))
        yield Plant("java", ("t",) * (number + 1), STACK, (number + 1) * MIB)
    yield Plant("python", ("t",), STACK, 8 * MIB + PAGE)
    for number in range(5):
        size = (number + 2) * 1913 * KIB
        yield Plant("java", (f"d{size}",), BLOCK, whole(size + 16))
    for number in range(6):
        size = (number + 2) * 1517 * KIB
        yield Plant("node", (f"b{size}",), BLOCK, whole(size + 16))
    yield Plant("node", ("w",), STACK, 4 * MIB + PAGE)
    yield Plant("node", ("w", "w"), STACK, 2 * (4 * MIB + PAGE))
    for number in range(3):
        yield Plant("redis", ("--io-threads", str(number + 2)), STACK, (number + 1) * (8 * MIB + PAGE))
    for number in range(8):
        yield Plant("redis", (str((number + 1) * 517), "3000"), JEMALLOC, None)


@contextmanager
def running(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def taken(program: str, words: tuple[str, ...], folder: Path) -> Run:
    """Run a program with what is planted; look at it once it has it."""
    if program == "redis":
        return of_redis(words, folder)
    java = ["java", "-Xmx64m", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", str(folder), "Planted"]
    commands = {
        "python": ["env", "OPENBLAS_NUM_THREADS=1", sys.executable, str(PROGRAMS / "planted.py")],
        "node": ["node", str(PROGRAMS / "planted.js")],
        "java": java,
    }
    with running([*commands[program], *words]) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return Run(at_rest(process.pid))


def at_rest(pid: int) -> Snapshot:
    """Take snapshots until two in a row have the same mappings: runtimes go on for a while."""
    last = snap(pid)
    for _ in range(20):
        time.sleep(0.3)
        found = snap(pid)
        if [m.range for m in found.placed] == [m.range for m in last.placed]:
            return found
        last = found
    return last


def of_redis(words: tuple[str, ...], folder: Path) -> Run:
    path = folder / "redis.sock"
    path.unlink(missing_ok=True)
    options = words if words[:1] == ("--io-threads",) else ()
    with (
        running([*REDIS, "--unixsocket", str(path), *options]) as process,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        while connection.connect_ex(str(path)):
            assert process.poll() is None, "redis-server ended"
            time.sleep(0.05)
        answers = connection.makefile("rb")
        if words and not options:
            connection.sendall(f"DEBUG POPULATE {words[0]} k {words[1]}\r\n".encode())
            assert answers.readline() == b"+OK\r\n"
        return with_account(process.pid, connection, answers)


def with_account(pid: int, connection: socket.socket, answers: IO[bytes]) -> Run:
    """Take a snapshot around which jemalloc's account did not change: redis has work of its own."""

    def account() -> int:
        connection.sendall(b"MEMORY MALLOC-STATS\r\n")
        text = answers.read(int(answers.readline()[1:]) + 2).decode()
        found = re.search(r"mapped: (\d+), retained: (\d+)", text)
        assert found
        return int(found[1]) + int(found[2])

    before = account()
    for _ in range(20):
        found, after = snap(pid), account()
        if before == after:
            break
        before = after
    return Run(found, after)


def group_is_right(found: Comparison, plant: Plant, size: int | None) -> bool:
    deltas = {group.name: group.totals["size"].delta or 0 for group in found.grouped("owner")}
    planted = sum(delta for name, delta in deltas.items() if name in plant.owners)
    return planted > 0 and size in {None, planted}


def rows_are_right(found: Comparison, plant: Plant, size: int | None) -> bool:
    rows = [change for change in found.changes if change.delta["size"] and owner_of(change) in plant.owners]
    planted = sum(change.delta["size"] or 0 for change in rows)
    return {str(row.change) for row in rows} <= {"new", "grown"} and planted > 0 and size in {None, planted}


def owner_of(change: Change) -> str:
    return change.owner.name if change.owner else f"({change.kind})"


def main() -> None:
    groups = rows = count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["javac", "-d", folder, PROGRAMS / "Planted.java"], check=True)
        bare = {program: taken(program, (), folder) for program in ("python", "node", "java", "redis")}
        for plant in plants(folder):
            run, without = taken(plant.program, plant.words, folder), bare[plant.program]
            size = plant.size
            if plant.owners is JEMALLOC and run.account is not None and without.account is not None:
                size = run.account - without.account
            found = compare(without.taken, run.taken)
            told = group_is_right(found, plant, size), rows_are_right(found, plant, size)
            count, groups, rows = count + 1, groups + told[0], rows + told[1]
            if not all(told):
                print(f"{plant.program} {' '.join(plant.words)}, {size}: group and rows right: {told}")
                moved = [(g.name, g.totals["size"].delta) for g in found.grouped("owner")]
                print("   ", [(name, delta) for name, delta in moved if delta])
                changes = ((str(c.change), owner_of(c), c.delta["size"]) for c in found.changes)
                print("   ", [row for row in changes if row[2] and row[1] in plant.owners])
    print(f"{count} plants: the group is right {groups} times, the rows {rows} times")
    sys.exit(groups < count or rows * 46 < count * 40)


if __name__ == "__main__":
    main()
