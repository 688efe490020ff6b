"""Where an allocator takes malloc's place, every block is its, and what it does not own is not."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import compiled, owned, owner_at, running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import library, program
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Snapshot
from vmdiff.owners import Rule, Scene
from vmdiff.owners.allocators.jemalloc import jemalloc
from vmdiff.owners.allocators.mimalloc import mimalloc
from vmdiff.owners.allocators.tcmalloc import tcmalloc

SOURCE = Path(__file__).parent / "programs" / "allocations.c"
PLACES = tuple[int, int]


@pytest.mark.parametrize(
    ("name", "owner", "settings"),
    [
        ("libjemalloc.so.2", "jemalloc", {}),
        ("libjemalloc.so.2", "jemalloc", {"MALLOC_CONF": "retain:false,narenas:2"}),
        ("libtcmalloc_minimal.so.4", "tcmalloc", {}),
        ("libtcmalloc_minimal.so.4", "tcmalloc", {"TCMALLOC_SKIP_SBRK": "1"}),
        ("libmimalloc.so.2", "mimalloc", {}),
    ],
)
def test_every_block_is_the_allocators_and_a_mapping_of_ones_own_is_not(
    name: str, owner: str, settings: dict[str, str]
) -> None:
    with running([compiled(SOURCE)], LD_PRELOAD=str(library(name)), **settings) as (process, said):
        seen = owned(process.pid)

    check(seen, said, owner)


def test_an_allocator_that_is_built_in_is_found_too() -> None:
    built_in = compiled(SOURCE, str(library("libjemalloc.a")), "-lm", "-ldl", "-lstdc++")
    with running([built_in]) as (process, said):
        seen = owned(process.pid)

    check(seen, said, "jemalloc")


def check(seen: Snapshot, said: dict[str, list[str]], name: str) -> None:
    blocks = [(int(place, 16), int(size)) for place, size in map(str.split, said["block"])]
    for place, size in blocks:
        for address in (place, place + size - 1):
            found = owner_at(seen, address)
            assert found is not None, f"{address:x}"
            assert (found.name, found.certainty) == (name, "certain"), f"{address:x}"
    place, size = said["own"][0].split()
    for address in range(int(place, 16), int(place, 16) + int(size), 4096):
        found = owner_at(seen, address)
        assert found is None or found.name != name, f"{address:x}"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    path = tmp_path_factory.mktemp("redis") / "socket"
    command = [
        program("redis-server"),
        "--port",
        "0",
        "--unixsocket",
        path,
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("eady to accept" in line for line in process.stdout)
        yield process.pid, path
    finally:
        process.kill()
        process.communicate()


def fill(path: Path, count: int) -> None:
    """Set *count* keys of 1,000 bytes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))
        value = b"x" * 1000
        asked = b"".join(
            b"*3\r\n$3\r\nSET\r\n$8\r\n%08d\r\n$1000\r\n%s\r\n" % (n, value) for n in range(count)
        )
        client.sendall(asked)
        answered = 0
        while answered < count * len(b"+OK\r\n"):
            answered += len(client.recv(1 << 16))


def test_what_redis_keeps_is_jemallocs(redis: tuple[int, Path]) -> None:
    pid, path = redis
    before = owned(pid)
    fill(path, 20_000)
    after = owned(pid)

    grown = resident(after, "jemalloc") - resident(before, "jemalloc")
    assert 20_000_000 < grown < 40_000_000
    anonymous = sum(m.values.get("anonymous", 0) for m in after.mappings)
    assert resident(after, "jemalloc") > 0.9 * anonymous


def resident(seen: Snapshot, name: str) -> int:
    whole = [m.values.get("rss", 0) for m in seen.mappings if m.owner and m.owner.name == name]
    parts = [p.rss or 0 for m in seen.mappings if m.owner for p in m.owner.parts if p.name == name]
    return sum(whole) + sum(parts)


@pytest.mark.parametrize(
    ("name", "rule"),
    [("libjemalloc.so.2", jemalloc), ("libtcmalloc_minimal.so.4", tcmalloc), ("libmimalloc.so.2", mimalloc)],
)
def test_forged_records_neither_hang_nor_break_it(name: str, rule: Rule) -> None:
    with running([compiled(SOURCE)], LD_PRELOAD=str(library(name))) as (process, _):
        for scene, claims in lied_to(process.pid, rule):
            assert all(scene.within(claim.start, claim.end) for claim in claims)


@pytest.mark.parametrize("rule", [jemalloc, tcmalloc, mimalloc])
def test_other_processes_are_hardly_looked_at(rule: Rule) -> None:
    class Counting(LiveMemory):
        reads = 0

        def read(self, address: int, length: int) -> bytes | None:
            self.reads += 1
            return super().read(address, length)

    seen = snapshot(os.getpid())
    with Counting(os.getpid()) as memory:
        assert list(rule(Scene(seen, memory))) == []
        assert memory.reads == 0
