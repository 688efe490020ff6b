"""The situations: how each is played, and what its first sentence must say.

A sentence is right if it matches *says*; *account* is what the program says of itself, in its words.
"""

import functools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import vmdiff
from tests.machine import changed
from tests.owners.go_programs import compile_go
from tests.owners.living import compiled
from tests.owners.real import absent, library, program
from tests.situations import servers
from tests.situations.staged import PROGRAMS, Staged, at_rest, staged
from vmdiff.answer import answer, summary
from vmdiff.model import Snapshot
from vmdiff.units import signed

ROOT = Path(__file__).parents[2]


class Played(NamedTuple):
    """What happened: two snapshots (or the same twice for `show`), and the program's own account."""

    before: Snapshot
    after: Snapshot
    account: str = ""

    @property
    def sentence(self) -> str:
        """The first sentence: of the comparison, or of the one snapshot."""
        if self.before is self.after:
            return summary(self.after).sentence
        return answer(vmdiff.compare(self.before, self.after)).sentence


class Situation(NamedTuple):
    title: str
    play: Callable[[Path], Played]
    says: str
    machine: bool = False  # whether it changes the machine, and so runs alone


def size(number: int) -> str:
    """Match a size of about so many MiB: what a runtime adds of its own is up to a fifth."""
    most = number + max(2, number // 5)
    least = number - max(2, number // 10)
    return r"(?:" + "|".join(_spelt(mib) for mib in range(least, most + 1)) + r")"


def _spelt(mib: int) -> str:
    return (
        rf"{mib}(?:\.\d)? MiB"
        + (rf"|{mib},?\d* MiB" if mib >= 1000 else "")
        + (rf"|{(mib << 10) // 1000},\d{{3}} KiB" if mib < 10 else "")
    )


# ---- programs in C


@functools.cache
def c_program() -> Path:
    return compiled(PROGRAMS / "memory.c", "-pthread", "-lrt")


def c(case: str, *, steps: int = 0, account: str = "", inside: bool = False) -> Callable[[Path], Played]:
    """Play a case of memory.c: *steps* before the one that is looked at, with ``snap --inside`` if *inside*."""

    def play(folder: Path) -> Played:
        with staged([c_program(), case, folder]) as process:
            for _ in range(steps):
                process.do()
            return Played(*process.between(inside=inside), account)

    return play


def preloaded(name: str, case: str, account: str) -> Callable[[Path], Played]:
    """Play a case of memory.c with another malloc."""

    def play(folder: Path) -> Played:
        with staged([c_program(), case, folder], LD_PRELOAD=str(library(name))) as process:
            process.do()
            return Played(*process.between(inside=True), account)

    return play


def leak_of_a_size(folder: Path) -> Played:
    with staged([c_program(), "leaks-a-size", folder], BLOCKS="8000") as process:
        return Played(*process.between(inside=True), "8,000 blocks of 4,000 bytes")


def shown(case: str, account: str) -> Callable[[Path], Played]:
    def play(folder: Path) -> Played:
        with staged([c_program(), case, folder]) as process:
            process.do()
            taken = process.snap()
        return Played(taken, taken, account)

    return play


def forked(step: int, *, child: bool = False) -> Callable[[Path], Played]:
    """Play a fork (1), the parent writing to all of it (2), the child's end (3)."""

    def play(folder: Path) -> Played:
        with staged([c_program(), "forked", folder]) as process:
            for _ in range(step):
                process.do()
            who = process.children[0] if child else process.pid
            before = at_rest(who)
            process.do()
            return Played(before, at_rest(who), "220 MiB filled before the fork")

    return play


@contextmanager
def swap_file():
    """Have the machine swap to a file for as long as the block lasts."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "swap"
        with file.open("wb") as room:
            os.posix_fallocate(room.fileno(), 0, 160 << 20)
        file.chmod(0o600)
        try:
            subprocess.run(["mkswap", file], check=True, capture_output=True)
            subprocess.run(["swapon", file], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine does not swap to a file: {error}")
        try:
            yield
        finally:
            subprocess.run(["swapoff", file], check=True)


def swapped(folder: Path) -> Played:
    with swap_file():
        return c("swapped-out", steps=1, account="96 MiB paged out")(folder)


def huge_table(folder: Path) -> Played:
    huge = Path("/proc/sys/vm/nr_hugepages")
    if not os.access(huge, os.W_OK):
        absent("only root may ask for huge pages")
    with changed(huge, "8"):
        if int(huge.read_text()) < 8:
            pytest.skip("this machine has no 16 MiB in one piece each of 2 MiB")
        return c("hugetlb", account="16 MiB in hugetlb pages")(folder)


def restarted(folder: Path) -> Played:
    taken = []
    for blocks in ("1000", "9000"):
        with staged([c_program(), "leaks-a-size", folder], BLOCKS=blocks) as process:
            process.do()
            taken.append(process.snap())
    return Played(taken[0], taken[1], "8,000 blocks of 4,000 bytes more")


def by_pmap(folder: Path) -> Played:
    with staged([c_program(), "own-mapping", folder]) as process:
        listing = folder / "pmap"
        listing.write_text(
            subprocess.run([program("pmap"), "-x", str(process.pid)], capture_output=True, text=True).stdout
        )
        return Played(vmdiff.load(listing), process.snap(), "nothing happened between the two")


# ---- runtimes


def built() -> Path:
    """Return the folder of what was compiled for the tests of this process; it goes with the test run."""
    return Path(tempfile.mkdtemp(prefix="vmdiff-situations-"))


@functools.cache
def java_classes() -> Path:
    folder = built()
    subprocess.run([program("javac"), "-d", folder, PROGRAMS / "Memory.java"], check=True)
    return folder


# A heap that is all there from the beginning: how far a collector lets it grow depends on how long it takes.
WHOLE_HEAP = ("-Xms320m", "-Xmx320m", "-XX:+AlwaysPreTouch")


def java(
    *lines: str, account: str = "", options: tuple[str, ...] = ("-Xmx1g",), inside: bool = False
) -> Callable[[Path], Played]:
    """Play lines of Memory.java; what happens in the last is looked at."""

    def play(_: Path) -> Played:
        with staged([program("java"), *options, "-XX:+UseG1GC", "-cp", java_classes(), "Memory"]) as process:
            return _last(process, lines, account, inside=inside)

    return play


def node(*lines: str) -> Callable[[Path], Played]:
    def play(_: Path) -> Played:
        with staged([program("node"), "--expose-gc", PROGRAMS / "memory.js"]) as process:
            return _last(process, lines, "")

    return play


def python(*lines: str, account: str = "", needs: str = "", inside: bool = False) -> Callable[[Path], Played]:
    def play(folder: Path) -> Played:
        if needs:
            try:
                __import__(needs)
            except ImportError:
                absent(f"{needs} is not installed")
        with staged([sys.executable, PROGRAMS / "memory.py", folder]) as process:
            return _last(process, lines, account, inside=inside)

    return play


def memmap_written(folder: Path) -> Played:
    """Play a file that is written to through its mapping; the kernel may write it to disk at any time."""
    with staged([sys.executable, PROGRAMS / "memory.py", folder]) as process:
        process.do("import-numpy")
        before = process.snap()
        process.do("memmap-written")
        dirty = 0
        while dirty <= 48 << 20:
            process.do("memmap-again")
            after = process.snap()
            dirty = (after.total("shared_dirty") or 0) + (after.total("private_dirty") or 0)
        return Played(before, after, "48 MiB of a file")


def in_namespace(folder: Path) -> Played:
    """Play a program that is process 1 of a pid namespace; it is looked at from inside, then from outside."""
    command = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    program_of_it = [sys.executable, PROGRAMS / "memory.py", folder]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a pid namespace here")
    with staged([*command, *program_of_it]) as process:
        [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        at_rest(int(child))
        enter = ["nsenter", "--target", child, "--pid", "--mount", sys.executable, "-m", "vmdiff"]
        subprocess.run([*enter, "snap", "1", "-o", folder / "inside.json"], check=True, cwd=ROOT)
        process.do("own-mapping")
        return Played(
            vmdiff.load(folder / "inside.json"),
            at_rest(int(child)),
            "48 MiB; 1 inside, another number outside",
        )


def python_types(folder: Path) -> Played:
    with staged([sys.executable, PROGRAMS / "memory.py", folder]) as process:
        process.do("none")
        before = process.snap(inside=True)
        process.do("dicts")
        return Played(before, process.snap(inside=True), "180,000 dicts made")


@functools.cache
def go_program() -> Path:
    return compile_go(program("go"), PROGRAMS, built() / "memory", source="memory.go")


def go(*lines: str) -> Callable[[Path], Played]:
    def play(_: Path) -> Played:
        with staged([go_program()]) as process:
            return _last(process, lines, "")

    return play


def _last(process: Staged, lines: tuple[str, ...], account: str, *, inside: bool = False) -> Played:
    for line in lines[:-1]:
        process.do(line)
    before, after = process.between(lines[-1], inside=inside)
    return Played(before, after, account or process.account)


# ---- servers


def redis_loaded(_: Path) -> Played:
    with servers.redis() as server:
        used, before = server.used(), at_rest(server.pid)
        server.load(400_000)
        return Played(before, at_rest(server.pid), f"used_memory {signed(server.used() - used)}")


def redis_deleted(_: Path) -> Played:
    """Play it with ``snap --freeze``: redis goes on tidying up, and its records with it."""
    with servers.redis() as server:
        server.load(400_000)
        used, before = server.used(), at_rest(server.pid, freeze=True)
        server.delete(1, 360_000)
        used = server.used() - used
        return Played(before, at_rest(server.pid, freeze=True), f"used_memory {signed(used)}")


def memcached_filled(_: Path) -> Played:
    with servers.memcached() as (pid, client):
        before = at_rest(pid)
        stream = client.makefile("rb")
        for at in range(800):
            client.sendall(f"set key{at} 0 0 100000\r\n".encode() + b"x" * 100_000 + b"\r\n")
            assert stream.readline() == b"STORED\r\n"
        return Played(before, at_rest(pid), "800 values of 100,000 bytes")


def postgres_scan(_: Path) -> Played:
    with servers.postgres() as session:
        session.ask(
            "create table t as select n, repeat('x', 500) as x from generate_series(1, 150000) n; select 1"
        )
        before = at_rest(session.pid)
        session.ask("select count(*) from t")
        return Played(before, at_rest(session.pid), "a table of 80 MiB read through shared_buffers")


def postgres_sort(_: Path) -> Played:
    with servers.postgres() as session:
        session.ask("set work_mem = '1GB'; select 1")
        session.ask(
            "begin; declare c cursor for select repeat('x', 300) || n from generate_series(1, 400000) n order by 1; select 1"
        )
        before = at_rest(session.pid)
        session.ask("move 1 in c; select 1")
        return Played(before, at_rest(session.pid), "400,000 texts of 300 bytes sorted in memory")


def postgres_catalogue(_: Path) -> Played:
    every = "do $$ begin for i in 1..5000 loop execute format('{}', i); commit; end loop; end $$; select 1"
    with servers.postgres() as session:
        session.ask(every.format("create table t%s(a int primary key)"))
        session.reconnect()
        before = at_rest(session.pid)
        session.ask(every.format("select count(*) from t%s"))
        return Played(before, at_rest(session.pid, inside=True), "5,000 tables and their indexes read")


def redis_restarted(_: Path) -> Played:
    taken = []
    for _ in range(2):
        with servers.redis() as server:
            server.load(100_000)
            taken.append(at_rest(server.pid))
    return Played(taken[0], taken[1], "100,000 keys each time")


def nginx_clients(_: Path) -> Played:
    with servers.nginx() as server:
        before = at_rest(server.pid)
        server.connect(600)
        return Played(before, at_rest(server.pid), f"{server.reading()} requests being read, 12 KiB of each")


SITUATIONS = (
    Situation("C: nothing happens", c("nothing", steps=1, account="nothing"), r"^(nothing changed|resident unchanged)"),
    Situation("C: 50 MiB mapped and filled by itself", c("own-mapping", account="50 MiB"), rf"^resident \+{size(50)}: mapped by the program itself \+{size(50)}"),
    Situation("C: 50 MiB of its own unmapped, 2.4 MiB malloced", c("own-freed-and-little-malloced", steps=1, account="-50 MiB, +2.4 MiB"), rf"^resident -{size(48)}: mapped by the program itself -{size(50)}"),
    Situation("C: a mapped file of 100 MiB is deleted", c("deleted-file", steps=1, account="100 MiB deleted"), r"^resident unchanged.*data \(100 MiB\) was deleted and is still mapped"),
    Situation("C: memfd of 60 MiB", c("memory-file", account="60 MiB"), rf"^resident \+{size(60)}: memfd \+{size(60)}"),
    Situation("C: memfd of 60 MiB, open and not mapped", c("open-memory-file", account="60 MiB in no mapping"), rf"^resident unchanged.*open memfds that are not mapped \+{size(60)}"),
    Situation("C: POSIX shared memory of 40 MiB", c("posix-shared", account="40 MiB"), rf"^resident \+{size(40)}: posix shared memory \+{size(40)}"),
    Situation("C: System V shared memory of 30 MiB", c("sysv-shared", account="30 MiB"), rf"^resident \+{size(30)}: sysv shared memory \+{size(30)}"),
    Situation("C: 64 MiB in transparent huge pages", c("huge-pages", account="64 MiB"), rf"^resident \+{size(64)}: mapped by the program itself \+{size(64)} \(in huge pages\)"),
    Situation("C: 16 MiB of hugetlb pages", huge_table, rf"^resident \+{size(16)}: mapped by the program itself \+{size(16)} \(in hugetlb pages\)", machine=True),
    Situation("C: 96 MiB go to swap", swapped, rf"^resident -{size(96)}: .*; swap \+{size(96)} \(swapped out, not freed\)", machine=True),
    Situation("C: 96 MiB freed lazily (MADV_FREE)", c("freed-lazily", steps=1, account="96 MiB freed"), rf"^resident (unchanged|-).*{size(96)} more is freed \(MADV_FREE\)"),
    Situation("C: a fork shares 220 MiB, parent", forked(1), rf"^private -{size(220)}: became shared with a child \(fork\)"),
    Situation("C: the parent writes to it, parent", forked(2), rf"^private \+{size(220)}: copied on write since a fork"),
    Situation("C: the parent writes to it, child", forked(2, child=True), rf"^private \+{size(220)}: no longer shared: another process copied it on write, or ended"),
    Situation("C: the child ends, and nothing was written", forked(3), r"^(nothing changed|resident unchanged)"),
    Situation("C: 12 threads malloc 16 MiB each", c("arenas", account="192 MiB in 12 threads"), rf"^resident \+{size(195)}: malloc arena \+{size(195)} \(1[12] more arenas\)"),
    Situation("C: 20,000 alike mappings (show)", shown("many-alike", "20,000 times 1 MiB, of which 4 KiB"), r"resident: mapped by the program itself 78\.\d MiB"),
    Situation("C: two runs, one leaks 8,000 blocks of 4,000 bytes", restarted, rf"^another run: resident \+{size(31)}: malloc heap \+{size(31)}"),
    Situation("C: 64 MiB of small blocks freed, but the last", c("all-but-the-last", steps=1, account="60 MiB freed", inside=True), rf"^resident (unchanged|-[\d.,]+ [KM]iB: malloc heap).*in use -{size(62)}, freed and kept \+{size(62)}"),
    Situation("C: 15 of 16 small blocks freed, one a page stays", c("survivors", steps=1, account="56 MiB freed, no page of it whole", inside=True), rf"^resident unchanged.*malloc heap in use -{size(60)}, freed and kept \+{size(60)}"),
    Situation("C: a true leak of one block size", leak_of_a_size, rf"^resident \+{size(31)}: malloc heap \+{size(31)}; (?:malloc heap )?in use \+{size(31)} \(\+[78],\d\d\d blocks of 4,016 bytes\)"),
    Situation("C with jemalloc: 15 of 16 small blocks freed", preloaded("libjemalloc.so.2", "survivors", "56 MiB freed"), rf"^resident (unchanged|-[\d.,]+ [KM]iB: jemalloc).*in use -{size(58)}, freed and kept \+{size(58)}"),
    Situation("C with mimalloc: 15 of 16 small blocks freed", preloaded("libmimalloc.so.2", "survivors", "56 MiB freed"), r"^(nothing changed|resident (unchanged|-[\d.,]+ [KM]iB: mimalloc))"),
    Situation("pmap -x against a snapshot", by_pmap, r"^(resident unchanged|nothing changed)"),
    Situation("redis: 400,000 keys loaded", redis_loaded, r"^resident \+1\d\d MiB: jemalloc \+1\d\d MiB"),
    Situation("redis: 90 % of the keys deleted", redis_deleted, r"^resident (unchanged|-[\d.,]+ [KM]iB: jemalloc).*in use -(?:9\d\.\d|1[01]\d) MiB"),
    Situation("redis: restarted, loaded alike", redis_restarted, r"^another run: resident (unchanged|[+-][\d.,]+ [KM]iB)"),
    Situation("nginx: 600 clients whose requests are being read", nginx_clients, r"^resident \+\d+\.?\d* MiB: malloc heap \+\d+"),
    Situation("memcached: 800 values of 100,000 bytes", memcached_filled, rf"^resident \+{size(82)}: malloc "),
    Situation("postgres backend: sequential scan", postgres_scan, r"^resident \+\d.*(shared anonymous|shared memory)"),
    Situation("postgres backend: a sort in memory", postgres_sort, r"^resident \+[1-9]\d\d MiB: malloc "),
    Situation("postgres backend: 10,000 relations are looked at", postgres_catalogue, r"^resident \+[\d.]+ MiB: .*postgres contexts \+[\d.]+ MiB \((CacheMemoryContext|index info) "),
    Situation("JVM: 300 MiB of byte arrays", java("heap", account="300 MiB"), r"^resident \+3\d\d MiB: jvm heap \+3\d\d MiB"),
    Situation("JVM: direct buffers of 250 MiB", java("direct", options=WHOLE_HEAP, inside=True, account="250 MiB"), rf"^resident \+{size(252)}: malloc large block \+{size(250)} \(off-heap\).*; java direct buffers \+{size(250)}"),
    Situation("JVM: 300 threads", java("threads", options=WHOLE_HEAP, account="300 threads"), r"^resident \+[\d.]+ MiB: thread stack \+[\d.]+ MiB \(30\d more stacks\)"),
    Situation("JVM: 3,000 class loaders", java("loaders", options=WHOLE_HEAP, account="3,000 copies of a class"), r"jvm (metaspace|class space) \+"),
    Situation("JVM: 300 deflaters", java("deflate", options=WHOLE_HEAP, account="300 times 256 KiB"), r"malloc (arena|heap) \+[\d.]+ MiB \(.*off-heap"),
    Situation("JVM: all of it collected", java("heap", "free", account="300 MiB let go"), r"^resident -[\d.]+ MiB: jvm heap -[\d.]+ MiB"),
    Situation("node: Buffers of 200 MiB", node("buffers"), rf"^resident \+{size(202)}: malloc large block \+{size(200)}"),
    Situation("node: a million objects", node("objects"), r"^resident \+1\d\d MiB: v8 heap \+1\d\d MiB"),
    Situation("node: five memories of WebAssembly", node("wasm"), rf"^resident \+{size(50)}: .* \+{size(50)} \(5 new WebAssembly memories\)"),
    Situation("node: all of it collected", node("objects", "free"), r"^resident -[\d.]+ MiB: v8 heap -[\d.]+ MiB"),
    Situation("CPython: 500,000 lists", python("objects", account="some 44 MiB"), r"^resident \+[45]\d.\d MiB: .*python arena \+\d\d.\d MiB"),
    Situation("CPython: 180,000 dicts, counted by type", python_types, r"python arena.*\(dict \+(180,0\d\d|179,9\d\d), \+\d\d\.\d MiB\)"),
    Situation("CPython: 30,000 texts of 2,000 bytes", python("texts", account="60 MB"), rf"^resident \+{size(58)}: malloc heap \+{size(58)}"),
    Situation("CPython: process 1 of a pid namespace, before from inside", in_namespace, rf"^resident \+{size(48)}: mapped by the program itself \+{size(48)}"),
    Situation("CPython: an extension's own mapping of 48 MiB", python("own-mapping", account="48 MiB"), rf"^resident \+{size(48)}: mapped by the program itself \+{size(48)}"),
    Situation("numpy: 20 arrays of 8 MiB", python("import-numpy", "numpy", account="160 MiB", needs="numpy"), rf"^resident \+{size(160)}: malloc large block \+{size(160)}"),
    Situation("numpy: 20 arrays of 8 MiB freed", python("import-numpy", "numpy", "free", account="160 MiB freed", needs="numpy"), rf"^resident -{size(160)}: malloc large block -{size(160)}"),
    Situation("numpy: 2,000 arrays of 32 KiB freed, but the last", python("import-numpy", "small-arrays", "free-most", account="62 MiB freed", needs="numpy", inside=True), rf"^resident (unchanged|-[\d.,]+ [KM]iB: malloc heap).*in use -{size(62)}, freed and kept \+{size(62)}"),
    Situation("numpy: a memmap is read", python("import-numpy", "memmap-read", account="48 MiB of a file", needs="numpy"), rf"^resident \+{size(48)}: .*memmap \+48.0 MiB \(file pages, droppable\)"),
    Situation("numpy: a memmap is written to", memmap_written, rf"^resident \+{size(48)}: .*memmap \+48.0 MiB \(file pages, written to\)"),
    Situation("Go: 100 MiB", go("grow"), r"^resident \+10\d MiB: go heap \+10\d MiB"),
    Situation("Go: collected and kept", go("grow", "collect"), r"^resident (unchanged|-[\d.,]+ [KM]iB: go heap -[\d.,]+ [KM]iB); (go heap )?in use -10\d MiB, freed and kept \+\d\d"),
    Situation("Go: collected and released", go("grow", "release"), r"^resident -\d+.* MiB: go heap -\d+"),
)  # fmt: skip


# What people ask of a process that is larger than they expect, and the situation that answers it.
FIELD = {
    "freed, and resident stays": "C: 64 MiB of small blocks freed, but the last",
    "fragmentation by one survivor a page": "C: 15 of 16 small blocks freed, one a page stays",
    "a true leak of one block size": "C: a true leak of one block size",
    "an arena for each thread": "C: 12 threads malloc 16 MiB each",
    "numpy's arrays freed": "numpy: 2,000 arrays of 32 KiB freed, but the last",
    "direct buffers of a JVM": "JVM: direct buffers of 250 MiB",
    "redis after DEL": "redis: 90 % of the keys deleted",
    "Go after a collection": "Go: collected and kept",
    "a backend's CacheMemoryContext": "postgres backend: 10,000 relations are looked at",
    "which types of CPython": "CPython: 180,000 dicts, counted by type",
}


def right(situation: Situation, sentence: str) -> bool:
    """Say whether a sentence says what it must."""
    return re.search(situation.says, sentence) is not None
