"""Ruby's, PHP's, LuaJIT's and Erlang's memory is labelled as they count it themselves, and nobody else's is."""

import shutil
from pathlib import Path

import pytest

from tests.owners.living import compiled, owned, running
from tests.owners.real import program
from tests.owners.truth import judged, pieces
from vmdiff.model import Snapshot

PROGRAMS = Path(__file__).parent / "programs"
PAGES = "GC.stat[:heap_allocated_pages] * GC::INTERNAL_CONSTANTS[:HEAP_PAGE_SIZE]"
RUBY = f"""
require "fiddle"
mmap = Fiddle::Function.new(Fiddle::Handle::DEFAULT["mmap"], [Fiddle::TYPE_SIZE_T] * 6, Fiddle::TYPE_SIZE_T)
kept = (0..200000).map {{ |n| [n.to_s] }}
fibers = (0..10).map {{ Fiber.new {{ Fiber.yield }} }}.each(&:resume)
GC.start
GC.disable
own = mmap.call(0, 1 << 20, 3, 0x22, -1, 0)
(0...64).each {{ |page| Fiddle::Pointer.new(own)[page << 14, 8] = [own + (page << 14) + 64].pack("Q") }}
puts "T #{{own.to_s(16)}} #{{(own + (1 << 20)).to_s(16)}} own"
puts "heap #{{{PAGES}}}"
puts "ready"
$stdout.flush
sleep
"""
PHP = """
for ($n = 0; $n < 200000; $n++) $kept[] = [$n];
$large = [str_repeat("a", 5 << 20), str_repeat("b", 3 << 20)];
for ($n = 0; $n < 20; $n++) $gone[] = str_repeat("c", 1 << 20);
unset($gone);
echo "heap ", memory_get_usage(true), "\\nready\\n";
sleep(9999);
"""
LUA = """
local ffi = require("ffi")
ffi.cdef "void *mmap(void *, size_t, int, int, int, long);"
local own = ffi.cast("uint64_t *", ffi.C.mmap(nil, 0x100000, 3, 0x22, -1, 0))
own[0], own[1] = 1, 0xfffe2 -- begins like a block, but nothing marks its end
local at = tonumber(ffi.cast("intptr_t", own))
print(string.format("T %x %x own", at, at + 0x100000))
kept = {} for n = 1, 300000 do kept[n] = {n} end
print(string.format("heap %d", collectgarbage("count") * 1024))
print("ready") io.flush() io.read()
"""
ERLANG = """
Pid = spawn(fun() -> receive never -> ok end end),
put(k, lists:seq(1, 1000000)), put(b, [binary:copy(<<0>>, 300000) || _ <- lists:seq(1, 20)]),
[ets:insert(ets:new(t, [public]), {N, lists:seq(1, 1000)}) || N <- lists:seq(1, 100)],
io:format("ready~n"), receive Pid -> ok end.
"""
COMMANDS = {
    "ruby": ["-e", RUBY],
    "php": ["-r", PHP],
    "luajit": ["-e", LUA],
    "erl": ["-noshell", "-eval", ERLANG],
}


def look(name: str) -> tuple[Snapshot, dict[str, list[str]]]:
    with running([program(name), *COMMANDS[name]]) as (process, said):
        return owned(process.pid), said


def total(seen: Snapshot, name: str, *labels: str) -> int:
    """Return the bytes of an owner, of those labels alone that begin with one of *labels*."""
    found = [
        (low, high)
        for low, high, piece in pieces(seen)
        if piece and piece.name == name and (not labels or (piece.label or "").endswith(labels))
    ]
    return sum(high - low for low, high in found)


def unowned(seen: Snapshot) -> float:
    """Return the share of resident anonymous memory that has no owner."""
    held = [m for m in seen.placed if m.kind == "anonymous"]
    bare = sum(m.values.get("rss", 0) for m in held if m.owner is None)
    return bare / sum(m.values.get("rss", 0) for m in held)


@pytest.mark.needs_program("ruby")
def test_ruby_has_as_many_heap_pages_as_it_counts() -> None:
    seen, said = look("ruby")
    parts = [piece for _, _, piece in pieces(seen) if piece and piece.name.startswith("ruby")]
    pages = total(seen, "ruby heap") - total(seen, "ruby heap", "transient heap")

    assert pages == int(said["heap"][0])
    assert {part.certainty for part in parts} == {"certain"}
    assert total(seen, "ruby fiber stack") > 0
    assert [verdict.word for verdict in judged(seen, said)] == ["right"]
    assert unowned(seen) < 0.05


@pytest.mark.needs_program("php")
def test_php_has_as_many_bytes_as_it_counts() -> None:
    seen, said = look("php")

    assert total(seen, "php heap") == int(said["heap"][0])
    assert total(seen, "php heap", "large block") >= 8 << 20
    assert unowned(seen) < 0.05


@pytest.mark.needs_program("luajit")
def test_a_lua_state_has_its_segments_and_likely_its_blocks() -> None:
    seen, said = look("luajit")
    blocks = {piece.certainty for _, _, piece in pieces(seen) if piece and piece.name == "lua heap"}

    assert int(said["heap"][0]) <= total(seen, "lua heap") < 3 * int(said["heap"][0])
    assert blocks == {"certain", "likely"}
    assert [verdict.word for verdict in judged(seen, said)] == ["right"]
    assert unowned(seen) < 0.05


@pytest.mark.needs_program("erl")
def test_erlangs_carriers_are_told_apart_by_allocator() -> None:
    seen, _ = look("erl")
    labels = {piece.label for _, _, piece in pieces(seen) if piece and piece.name == "erlang heap"}

    assert {"eheap", "binary", "ets", "literal"} <= labels
    assert total(seen, "erlang heap", "eheap") >= 16 << 20, "a list of a million numbers"
    assert total(seen, "erlang heap", "binary") >= 20 * 300_000
    assert unowned(seen) < 0.1


@pytest.mark.parametrize("name", ["libruby-3.1.so", "php8.2", "luajit", "beam.smp"])
def test_a_program_that_only_has_the_name_has_no_such_memory(name: str, tmp_path: Path) -> None:
    named = shutil.copy(compiled(PROGRAMS / "like_interpreters.c"), tmp_path / name)
    with running([named]) as (process, said):
        verdicts = judged(owned(process.pid), said)

    assert verdicts
    assert {verdict.word for verdict in verdicts} == {"right"}
