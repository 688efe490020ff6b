"""Two real runs of one program, under address space layout randomisation, differ in what they did."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.effort import times
from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.model import Snapshot

READY = "ready"
CAT = ("cat",)  # says what it hears
PYTHON = "import json, ssl, sys\nkept = [bytearray(300_000) for _ in range(20)]\nprint('ready', flush=True)\nsys.stdin.read()"
NODE = "console.log('ready'); setInterval(() => {}, 1000)"
JAVA = """public class Main {
    public static void main(String[] words) throws Exception {
        byte[][] kept = new byte[100][];
        for (int i = 0; i < kept.length; i++) kept[i] = new byte[100_000];
        System.out.println("ready");
        System.in.read();
    }
}"""


@contextlib.contextmanager
def running(*command: object, until: str = READY) -> Iterator[subprocess.Popen[str]]:
    """Run a program until it says a word."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if command == CAT:
            process.stdin.write(READY + "\n")
            process.stdin.flush()
        if not any(until in line for line in process.stdout):
            pytest.fail(f"{command[0]} ended before it was ready")
        yield process
    finally:
        process.kill()
        process.communicate()


def snap_of(*command: object, until: str = READY) -> Snapshot:
    with running(*command, until=until) as process:
        return vmdiff.snap(process.pid)


def one_sided(comparison: Comparison) -> list[Change]:
    return [c for c in comparison.changes if c.change in {ChangeName.NEW, ChangeName.REMOVED}]


def share_one_sided(comparison: Comparison) -> float:
    """Give the size of what is new or removed, as a share of the larger snapshot."""
    size = sum(mapping.size or 0 for change in one_sided(comparison) for mapping in change.mappings)
    totals = comparison.totals["size"]
    return size / max(totals.before or 1, totals.after or 1)


@functools.cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="vmdiff-runs-"))


def program(name: str) -> tuple[tuple[object, ...], str]:
    """Give the command that runs a program, and the word that it says when it is where it should be."""
    needed = {
        "cat": "cat",
        "redis": "redis-server",
        "java": "java",
        "node": "node",
        "python": sys.executable,
    }[name]
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    folder = _folder()
    match name:
        case "cat":
            return CAT, READY
        case "redis":
            socket = folder / "redis.sock"
            return (
                needed,
                "--port",
                0,
                "--unixsocket",
                socket,
                "--save",
                "",
                "--dir",
                folder,
            ), "eady to accept"
        case "java":
            source = folder / "Main.java"
            source.write_text(JAVA)
            return (needed, "-Xmx64m", "-XX:+UseSerialGC", source), READY
        case "node":
            return (needed, "-e", NODE), READY
        case _:
            return (needed, "-c", PYTHON), READY


@pytest.mark.parametrize("name", ["cat", "python", "redis", "java", "node"])
def test_two_runs_of_one_program_hardly_differ(name: str) -> None:
    command, until = program(name)
    comparison = vmdiff.compare(snap_of(*command, until=until), snap_of(*command, until=until))

    assert comparison.match == "structure"
    assert [change.path for change in one_sided(comparison) if (change.path or "[").startswith("/")] == []
    assert share_one_sided(comparison) < 0.02


def test_each_mapping_of_this_process_is_missed_when_it_is_left_out() -> None:
    taken = vmdiff.snap(os.getpid())

    every = list(enumerate(taken.mappings))
    for at, lost in every[:: max(1, len(every) // times(100))]:
        rest = taken.mappings[:at] + taken.mappings[at + 1 :]
        changes = vmdiff.compare(
            taken, taken.model_copy(update={"mappings": rest}), match="structure"
        ).changes

        assert sum(change.delta["size"] or 0 for change in changes) == -(lost.size or 0)
        if lost.owner and lost.owner.parts:  # the memory of each owner is a row
            assert {str(change.change) for change in changes} <= {"removed", "shrunk"}
            continue
        [change] = changes
        assert (str(change.change), len(change.before)) == ("removed", 1)
        assert change.before[0]._replace(start=0, end=0, owner=None) == lost._replace(
            start=0, end=0, owner=None
        )


DOES = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char touched[1 << 20];

int main(int count, char **words) {
    char *volatile block = 0;
    memset(touched, 1, sizeof touched);
    if (count > 1 && !strcmp(words[1], "block")) block = malloc(1000);
    if (count > 2 && !strcmp(words[1], "file"))
        mmap(0, 1 << 20, PROT_READ, MAP_SHARED, open(words[2], O_RDONLY), 0);
    write(1, "ready\n", 6);
    if (count > 1 && !strcmp(words[1], "fork") && read(0, &count, 1) == 1 && !fork()) {
        memset(touched, 2, sizeof touched / 2);
        write(1, "touched\n", 8);
    }
    pause();
    return block != 0;
}
"""


@pytest.fixture(scope="module")
def does(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program that does one thing, or nothing."""
    return _compile(tmp_path_factory.mktemp("does") / "does", DOES)


def _compile(target: Path, source: str, *options: str) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    text = target.with_suffix(".c")
    text.write_text(source)
    subprocess.run(["gcc", "-O1", "-w", "-o", target, text, *options], check=True)
    return target


def test_a_run_with_a_block_has_one_new_mapping_the_heap(does: Path) -> None:
    comparison = vmdiff.compare(snap_of(does), snap_of(does, "block"))

    [change] = one_sided(comparison)
    assert (str(change.change), str(change.kind)) == ("new", "heap")
    assert comparison.totals["size"].delta == change.delta["size"]


def test_a_run_that_maps_one_file_more_has_one_new_mapping_that_file(does: Path, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(bytes(1 << 20))

    [change] = one_sided(vmdiff.compare(snap_of(does), snap_of(does, "file", file)))

    assert (str(change.change), change.path, change.delta["size"]) == ("new", str(file), 1 << 20)


def test_a_child_and_its_parent_are_matched_by_address_and_show_what_was_copied(does: Path) -> None:
    with running(does, "fork") as process:
        parent = vmdiff.snap(process.pid)
        with _forked(process) as child:
            comparison = vmdiff.compare(parent, vmdiff.snap(child))

    assert comparison.match == "address"
    assert "fork" in comparison.reason
    assert one_sided(comparison) == []
    [touched] = [c for c in comparison.changes if c.before[0].size == 1 << 20 and c.delta["shared_dirty"]]
    assert touched.delta["shared_dirty"] == 512 << 10  # what the child has not written to is shared by now
    assert touched.delta["private_dirty"] == -512 << 10
    assert touched.delta["rss"] == 0


@contextlib.contextmanager
def _forked(process: subprocess.Popen[str]) -> Iterator[int]:
    """Let the program fork; give the child's pid when it has touched its half."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("!")
    process.stdin.flush()
    assert process.stdout.readline() == "touched\n"
    [child] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    try:
        yield int(child)
    finally:
        os.kill(int(child), signal.SIGKILL)


LIBRARY = """
int table[%d] = {1};
int %s(int x) { return table[x] + x; }
"""
LOADS = r"""
#include <dlfcn.h>
#include <unistd.h>
int main(int count, char **words) {
    if (!dlopen(words[1], RTLD_NOW)) return 1;
    write(1, "ready\n", 6);
    pause();
}
"""


@pytest.mark.parametrize("names", [("libtable.so.1.0", "libtable.so.1.1"), ("libtable.so", "libtable.so")])
def test_another_build_of_a_library_is_replaced_segment_by_segment(
    names: tuple[str, str], tmp_path: Path
) -> None:
    loads = _compile(tmp_path / "loads", LOADS)
    builds = []
    for version, (name, length) in enumerate(zip(names, (3072, 30720), strict=True)):
        folder = tmp_path / f"v{version}"
        folder.mkdir()
        builds.append(_compile(folder / name, LIBRARY % (length, "look"), "-shared", "-fPIC"))

    comparison = vmdiff.compare(snap_of(loads, builds[0]), snap_of(loads, builds[1]))

    replaced = [change for change in comparison.changes if change.change is ChangeName.REPLACED]
    assert one_sided(comparison) == []
    assert {str(m.path) for change in replaced for m in change.mappings} == {str(build) for build in builds}
    assert {change.before[0].perms for change in replaced} == {"r--p", "r-xp", "rw-p"}
    [data] = [c for c in replaced if c.before[0].perms == "rw-p"]
    assert data.delta["size"] == (30720 - 3072) * 4
