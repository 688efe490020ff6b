"""Runtimes in which a finding about them would be tempting, and false."""

import os
import sys
from pathlib import Path

import pytest

from tests.draw import PAGE
from tests.owners.real import program
from tests.situations.catalogue import WHOLE_HEAP, Played, java_classes
from tests.situations.staged import PROGRAMS, staged
from vmdiff import compare
from vmdiff.findings import find
from vmdiff.findings.runtime_areas import new_wasm_memories
from vmdiff.model import Kind, Mapping, Origin, Process, Snapshot
from vmdiff.model import owner as owned_by

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes live processes")
SLOW = pytest.mark.skipif(not os.environ.get("CI"), reason="a JVM takes a while to start; CI=1 runs it")


def java(*lines: str, options: tuple[str, ...] = WHOLE_HEAP, **snap: object) -> Played:
    """Play lines of Memory.java; what happens in the last is looked at."""
    command = [program("java"), *options, "-XX:+UseG1GC", "-cp", java_classes(), "Memory"]
    with staged(command) as process:
        for line in lines[:-1]:
            process.do(line)
        return Played(*process.between(lines[-1], **snap))


def node(line: str, *options: str) -> Played:
    with staged([program("node"), "--expose-gc", *options, PROGRAMS / "memory.js"]) as process:
        return Played(*process.between(line))


def findings(played: Played) -> dict[str, str]:
    return {finding.id: finding.message for finding in find(compare(played.before, played.after))}


@SLOW
def test_a_java_heap_that_grew_is_neither_off_heap_nor_classes() -> None:
    found = findings(java("heap", options=("-Xmx1g",)))

    assert {"off-heap", "class-metadata"} & found.keys() == set()


@SLOW
def test_off_heap_memory_that_was_freed_and_is_kept_by_malloc_is_not_used_off_heap() -> None:
    played = java("deflate-and-end", freeze=True, inside=True)
    grew = played.after.total("rss") - played.before.total("rss")
    found = findings(played)

    assert grew > 16 << 20
    assert "off-heap" not in found, found


@SLOW
def test_off_heap_memory_in_use_is() -> None:
    assert "off-heap" in findings(java("deflate", freeze=True, inside=True))


@SLOW
def test_objects_of_a_class_that_was_there_are_no_class_metadata() -> None:
    assert "class-metadata" not in findings(java("objects"))


def test_malloc_beside_no_java_heap_is_not_off_heap(tmp_path: Path) -> None:
    with staged([sys.executable, PROGRAMS / "memory.py", tmp_path]) as process:
        found = findings(Played(*process.between("texts")))

    assert "off-heap" not in found
    assert "class-metadata" not in found


def test_resizable_buffers_of_many_gigabytes_are_no_memories_of_webassembly() -> None:
    played = node("resizable", "--harmony-rab-gsab")
    found = findings(played)

    assert played.after.total("size") - played.before.total("size") >= 16 << 30
    assert "wasm-memory" not in found, found
    assert "WebAssembly" not in played.sentence


def test_memories_of_webassembly_are() -> None:
    played = node("wasm")

    assert findings(played)["wasm-memory"].startswith("5 new WebAssembly memories, 50.")
    assert "5 new WebAssembly memories" in played.sentence


def engine(*reservations: tuple[int, int, int], at: int = 1 << 40) -> Snapshot:
    """Return a JavaScript engine's memory: its heap, then reservations, one right after the other.

    Each has GiB before it, 1 GiB that is accessible, and GiB after it.
    """
    bounds, perms = [at - PAGE, at], ["r--p"]
    for before, _, after in reservations:
        for size, what in ((before, "---p"), (1, "rw-p"), (after, "---p")):
            if size and perms[-1] == what:
                bounds[-1] += size << 30  # the kernel makes one of neighbours that are alike
            elif size:
                bounds.append(bounds[-1] + (size << 30))
                perms.append(what)
    mappings = [
        Mapping(low, high, what, Kind.ANONYMOUS if what[0] == "r" else Kind.RESERVED)
        for low, high, what in zip(bounds, bounds[1:], perms, strict=False)
    ]
    mappings[0] = mappings[0]._replace(owner=owned_by("v8 heap", "record", ""))
    origin = Origin(source="linux-proc", counters=("rss",), owners=True)
    return Snapshot(origin=origin, process=Process(pid=7, start_ticks=1), mappings=tuple(mappings))


@pytest.mark.parametrize(
    ("reservations", "memories"),
    [
        pytest.param([(2, 1, 7)], 1, id="a memory"),
        pytest.param([(2, 1, 7), (2, 1, 7)], 2, id="two, side by side"),
        pytest.param([(0, 1, 7)], 0, id="a resizable buffer"),
        pytest.param([(0, 1, 7), (0, 1, 7)], 0, id="two of them, side by side"),
        pytest.param([(0, 1, 7), (2, 1, 7)], 1, id="one of each"),
        pytest.param([(2, 1, 3)], 0, id="too small"),
    ],
)
def test_memories_are_told_by_what_is_before_and_after_them(reservations, memories) -> None:
    found = compare(engine(), engine(*reservations), match="address")

    assert new_wasm_memories(found)[0] == memories
