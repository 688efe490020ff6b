"""What users ask of growing memory: the first sentence and the findings name what happened."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.owners.inside.glibcs import PROGRAMS
from tests.owners.inside.looking import ask, at_rest, of
from tests.owners.living import compiled, running
from tests.owners.real import program
from vmdiff.answer import answer
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.findings import find, find_in
from vmdiff.model import Snapshot
from vmdiff.sources import snap


def taken(process: "subprocess.Popen[str]") -> Snapshot:
    at_rest(process.pid)
    return snap(process.pid, inside=True)


def between(first: Sequence[str], then: Sequence[str]) -> Comparison:
    """Compare a program before and after some steps."""
    with running([compiled(PROGRAMS / "situations.c", "-w")]) as (process, _):
        for step in first:
            ask(process, step)
        before = taken(process)
        for step in then:
            ask(process, step)
        return compare(before, taken(process))


def message(found: Comparison, name: str) -> str:
    return next((finding.message for finding in find(found) if finding.id == name), "")


@pytest.mark.parametrize("step", ["free_all", "free_15_of_16", "free_but_one_a_page"])
def test_what_was_freed_and_is_kept_is_named_so(step: str) -> None:
    found = between(["load"], [step])

    sentence = answer(found).sentence
    assert sentence.startswith("resident ")
    assert "in use -" in sentence
    assert "freed and kept +" in sentence
    assert "no leak" in message(found, "freed-and-kept")
    assert not message(found, "in-use-growth")


def test_what_takes_too_long_by_default_is_said() -> None:
    with running([compiled(PROGRAMS / "situations.c", "-w")]) as (process, _):
        for step in ("load", "free_15_of_16"):
            ask(process, step)
        at_rest(process.pid)
        quick, whole = snap(process.pid), snap(process.pid, inside=True)

    (unread,) = (finding for finding in find_in(quick) if finding.id == "in-use-unread")
    assert unread.message == "what is in use of malloc heap takes longer to read: snap --inside reads it"
    assert "in-use-unread" not in {finding.id for finding in find_in(whole)}
    (kept,) = (finding for finding in find_in(whole) if finding.id == "freed-and-kept")
    assert "malloc heap keeps 37.2 MiB" in kept.message


def test_all_that_was_freed_can_be_returned() -> None:
    found = message(between(["load"], ["free_all"]), "freed-and-kept")

    assert "malloc_trim(0) would return that" in found
    assert "between blocks in use" not in found


@pytest.mark.parametrize("step", ["free_15_of_16", "free_but_one_a_page"])
def test_what_lies_between_survivors_cannot_be_returned(step: str) -> None:
    assert "between blocks in use" in message(between(["load"], [step]), "freed-and-kept")


def test_what_malloc_trim_returned_is_not_kept_any_more() -> None:
    found = between(["load", "free_all"], ["trim"])

    assert answer(found).sentence.startswith("resident -")
    assert not message(found, "freed-and-kept")


def test_a_leak_of_one_size_is_named_with_its_size() -> None:
    found = between([], ["leak"])

    assert "in use +" in answer(found).sentence
    assert "+200,000 blocks of 48 bytes" in answer(found).sentence
    assert "+200,000 blocks of 48 bytes" in message(found, "in-use-growth")
    assert not message(found, "freed-and-kept")


def test_an_arena_for_each_thread_keeps_memory() -> None:
    found = between([], ["threads"])

    assert "malloc arena" in answer(found).sentence
    assert "freed and kept +" in answer(found).sentence
    assert "MALLOC_ARENA_MAX" in message(found, "freed-and-kept")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    command = [program("redis-server"), "--port", "0", "--unixsocket", tmp_path / "socket", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert any("eady to accept" in line for line in process.stdout)
        yield process.pid, tmp_path / "socket"
    finally:
        process.kill()
        process.communicate()


def allocated(path: Path, script: str = "") -> int:
    """Run a script in redis; return what jemalloc's own statistics say is allocated then."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))
        client.sendall(b"EVAL %s 0\r\nMEMORY MALLOC-STATS\r\n" % json.dumps(script).encode())
        answer = b""
        while (found := re.search(rb"Allocated: (\d+), active", answer)) is None:
            answer += client.recv(1 << 16)
    return int(found[1])


FILL = "for i=1,200000 do redis.call('SET', 'k'..i, string.rep('v', 100 + i % 200)) end"
DELETE = "for i=1,200000 do if i % 4 ~= 0 then redis.call('DEL', 'k'..i) end end"


def test_what_redis_freed_is_kept_by_jemalloc(redis: tuple[int, Path]) -> None:
    pid, path = redis
    allocated(path, FILL)
    before = snap(pid, inside=True, freeze=True)
    allocated(path, DELETE)
    while True:  # its tables shrink by and by
        said = allocated(path)
        after = snap(pid, inside=True, freeze=True)
        if abs(allocated(path) - said) < said // 200:
            break
    found = compare(before, after)

    (usage,) = of(after.usage or (), "jemalloc")
    assert usage.partial is None
    assert abs((usage.in_use or 0) - said) <= said // 100  # the reply that says so is some of it
    assert "in use -" in answer(found).sentence
    assert "freed and kept +" in answer(found).sentence
    assert "decay" in message(found, "freed-and-kept")


def test_buffers_of_python_that_were_freed_are_gone() -> None:
    script = "held = [bytearray(8 << 20) for _ in range(20)]; print('ready', flush=True); input(); del held;"
    command = [sys.executable, "-c", f"{script} print('ready', flush=True); input()"]
    with running(command) as (process, _):
        before = taken(process)
        ask(process, "free")
        found = compare(before, taken(process))

    assert answer(found).sentence.startswith("resident -160 MiB: malloc large block -160 MiB")
    assert "in use -160 MiB" in answer(found).sentence
    assert not message(found, "freed-and-kept")


def test_where_nothing_happens_nothing_is_said() -> None:
    found = between(["load", "free_15_of_16"], [])

    assert answer(found).sentence in {"nothing changed", "resident unchanged"}
    assert not message(found, "freed-and-kept")
    assert not message(found, "in-use-growth")
