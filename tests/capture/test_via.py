"""``--via`` and the collector: the same document as direct reading, by whatever runs sh."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.capture.collecting import agreeing, bundle_of, sleeper
from vmdiff import importers, sources
from vmdiff.capture.via import words
from vmdiff.comparison.compare import compare
from vmdiff.errors import InputError, ProcessError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.sets.set_comparison import compare_sets

SHELLS = [("sh",), ("dash",), ("bash", "--posix"), ("busybox", "ash")]
TOOLS = {"busybox": "busybox", "toybox": "toybox", "coreutils": ""}
COUNTING = ("tee", "wc", "uname", "grep")


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    with sleeper() as pid:
        yield pid


def assert_same(look: Callable[[], object], pid: int) -> None:
    """Check that a document is as that of direct reading, but for what docs/anywhere.md lists."""
    found, direct = agreeing(look, pid)
    assert not found.origin.doubts
    assert found.origin.consistent
    assert [one[:2] for one in found.mappings] == [one[:2] for one in direct.mappings]
    assert found.counters == direct.counters
    assert found.host == direct.host
    listed = {
        "user",
        "threads",
        "started_at",
        "limits",
        "unmapped_files",
    }  # the last needs fdinfo of every file
    assert found.process.model_dump(exclude=listed) == direct.process.model_dump(exclude=listed)
    assert found.process.threads == direct.process.threads
    assert compare(direct, found).match.value == "address"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_collector_runs_in_any_shell(shell: tuple[str, ...], pid: int, tmp_path: Path) -> None:
    if not shutil.which(shell[0]):
        pytest.skip(f"no {shell[0]} here")
    assert_same(lambda: importers.read(bundle_of([pid], tmp_path, shell), source="b"), pid)


@pytest.mark.parametrize("box", ["busybox", "toybox"])
@pytest.mark.parametrize("more", [COUNTING, ()], ids=["counted", "cat and readlink only"])
def test_the_collector_needs_cat_and_readlink(
    box: str, more: tuple[str, ...], pid: int, tmp_path: Path
) -> None:
    program = shutil.which(box)
    shell = shutil.which("dash") or shutil.which("sh")
    if not program or not shell:
        pytest.skip(f"no {box} here")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "readlink", *more):
        (tools / name).symlink_to(program)

    def look() -> Snapshot:
        return importers.read(bundle_of([pid], tmp_path, (shell,), path=str(tools)), source="b")

    found, direct = agreeing(look, pid)
    assert found.origin.doubts == ()
    assert found.process.executable == direct.process.executable
    if more:
        assert_same(look, pid)


def test_a_command_reads_as_we_do(pid: int) -> None:
    assert_same(lambda: sources.snap_via("env A=1 nice -n 1", [str(pid)], owners=False), pid)


def test_several_in_one_call_are_a_set(pid: int) -> None:
    found = sources.snap_via("env", [str(pid), str(os.getpid())])
    assert isinstance(found, SnapshotSet)
    assert {one.process.pid for one in found.members} == {pid, os.getpid()}
    assert all(one.origin.owners for one in found.members)


def test_what_is_of_the_host_is_read_once_for_all_processes(pid: int, tmp_path: Path) -> None:
    tools, log = tmp_path / "tools", tmp_path / "log"
    tools.mkdir()
    cat = tools / "cat"
    cat.write_text(f'#!/bin/sh\necho "$*" >> {log}\nexec {shutil.which("cat")} "$@"\n')
    cat.chmod(0o700)
    data = bundle_of([pid, os.getpid(), pid], tmp_path, path=f"{tools}:{os.environ['PATH']}")
    read = log.read_text().split("\n")
    assert [read.count(name) for name in ("/proc/meminfo", "/proc/sys/kernel/hostname")] == [1, 1]
    assert read.count(f"/proc/{pid}/maps") == 4  # before and after, of one that was asked for twice
    found = importers.read_set(data, source="b")
    assert found
    assert len({one.host for one in found.members}) == 1
    assert found.members[0].host == sources.snap(pid, owners=False).host


def test_words_are_quoted_once_for_each_shell_on_the_way() -> None:
    assert words("docker exec app", [1], "m")[-1] == "1"
    script = words("docker exec app", [1], "m")[-3]
    for command, times in (("ssh db1", 1), ("/usr/bin/ssh -p 22 a ssh b", 2), ("sudo ssh db1", 1)):
        quoted = words(command, [1], "m")[-3]
        for _ in range(times):
            quoted = subprocess.run(
                ["sh", "-c", f"printf %s {quoted}"], stdout=subprocess.PIPE, text=True, check=True
            ).stdout
        assert quoted == script


HOSTILE = {
    "another program's text": "echo Welcome to db1",
    "nothing": "true",
    "a failure": "sh -c 'exit 7'",
    "another bundle": "sh -c 'echo @vmdiff:00000000 process 1 1 of 1; echo @vmdiff:00000000 done 1'",
    "cut off": """sh -c 'shift; "$@" | head -c 5000' x""",
    "no such command": "/nonexistent/ssh db1",
}


@pytest.mark.parametrize("command", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_answer_is_a_process_error(command: str, pid: int) -> None:
    with pytest.raises(ProcessError):
        sources.snap_via(command, [str(pid)])


def test_a_banner_before_the_answer_changes_nothing(pid: int) -> None:
    assert_same(lambda: sources.snap_via("""sh -c 'echo Welcome; "$@"' x""", [str(pid)], owners=False), pid)


@pytest.mark.parametrize(("command", "target"), [("", "1"), ("'", "1"), ("env", "name:x"), ("env", "0")])
def test_a_wrong_command_line_is_an_input_error(command: str, target: str) -> None:
    with pytest.raises(InputError):
        sources.snap_via(command, [target])


NEEDS_ROOT = pytest.mark.skipif(
    bool(os.geteuid()) or not shutil.which("unshare"), reason="making namespaces needs root"
)


@NEEDS_ROOT
def test_one_process_seen_from_outside_and_inside_is_one(tmp_path: Path) -> None:
    script = 'mount -t proc proc /proc; exec "$@"'
    waits = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    words = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", script, "x", *waits]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        outside = sources.snap(int(children[0]), owners=False)
        inside = sources.snap_via(f"nsenter --target {children[0]} --pid --mount", ["1"], owners=False)
        assert process.stdin
        process.stdin.close()
    assert isinstance(inside, Snapshot)
    assert (outside.process.pid, outside.process.own_pid) == (int(children[0]), 1)
    assert (inside.process.pid, inside.process.own_pid) == (1, 1)
    comparison = compare(outside, inside)
    assert comparison.match.value == "address"
    assert "the same process" in comparison.reason
    sets = [SnapshotSet(members=(one,)) for one in (outside, inside)]
    assert [pair.became.value for pair in compare_sets(*sets).pairs] == ["same"]


@NEEDS_ROOT
def test_a_root_with_busybox_alone_is_enough(pid: int, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox here")
    libraries = subprocess.run(["ldd", busybox], stdout=subprocess.PIPE, text=True, check=False).stdout
    for name in (busybox, *re.findall(r"(/\S+)", libraries)):
        (tmp_path / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, tmp_path / name[1:])
    for folder in ("bin", "proc", "sys", "usr/bin"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for name in ("sh", "cat", "readlink", "tee", "wc", "uname", "grep"):
        (tmp_path / "bin" / name).symlink_to(f"/{busybox[1:]}")
    mounts = f"mount -t proc proc {tmp_path}/proc; mount --rbind /sys {tmp_path}/sys"
    command = f"unshare --mount sh -c '{mounts}; exec chroot {tmp_path} \"$@\"' x"
    found, direct = agreeing(lambda: sources.snap_via(command, [str(pid)], owners=False), pid)
    assert found.process.name == "python"
    assert found.host.boot_id == direct.host.boot_id


def test_a_user_namespace_is_looked_at_from_inside(pid: int) -> None:
    command = "unshare --pid --mount --user --map-root-user --mount-proc --fork"
    if subprocess.run([*command.split(), "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no user namespaces here")
    found = sources.snap_via(command, ["1"])
    assert isinstance(found, Snapshot)
    assert (found.process.pid, found.process.user) == (1, "root")


@NEEDS_ROOT
def test_inside_a_pid_namespace_process_1_is_its_first() -> None:
    found = sources.snap_via("unshare --pid --mount-proc --fork", ["1"])
    assert isinstance(found, Snapshot)
    assert found.process.pid == 1
    assert found.origin.detail == "smaps"
