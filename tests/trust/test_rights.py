"""What may be read changes hands while it is read, and a reader with one right only."""

import json
import os
import subprocess
import sys

import pytest

import vmdiff
from tests.acts import actor
from tests.trust.test_sick_processes import READS, read_while
from tests.trust.without_rights import BEGIN
from vmdiff.model import Snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")

NOBODY = 65534
HIDING = """
os.setgroups([]); os.setgid(65534); os.setuid(65534)
libc.prctl(4, 1)  # PR_SET_DUMPABLE: having become another user took it away
for at in range(1, 90, 4):
    (asked, ask), (told, tell) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.read(asked, 1); libc.prctl(4, 0); os.write(tell, b"."); signal.pause()
    count = 0
    def between():
        global count
        count += 1
        if count == at:
            os.write(ask, b"."); os.read(told, 1)
    try:
        with ProcessFolder(pid) as folder:
            folder.between_reads = between
            said = len(read(folder).mappings)
    except ProcessError as error:
        said = str(error).replace(str(pid), "PID")
    print(json.dumps([count >= at, said]), flush=True)
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
"""
WITH_RIGHTS = """
libc.prctl(8, 1)  # PR_SET_KEEPCAPS
os.setgroups([]); os.setgid(65534); os.setuid(65534)
header, rights = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", {rights}, {rights}, 0, 0, 0, 0)
assert libc.capset(header, rights) == 0
main({words})
"""


def python(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", BEGIN + script], capture_output=True, text=True)


@pytest.mark.parametrize("at", range(1, READS, 4))
def test_one_that_becomes_another_user_is_read_whole_by_root(at: int) -> None:
    with actor() as process:
        whole = vmdiff.snap(process.pid, owners=False)
        taken = read_while(process, at, lambda: process.act("become", NOBODY))

    assert taken.origin.consistent
    assert [m[:3] for m in taken.mappings] == [m[:3] for m in whole.mappings]
    assert taken.process.user in {"root", "nobody"}


def test_one_that_hides_meanwhile_is_read_whole_or_refused_with_the_way_out() -> None:
    done = python(HIDING)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    hidden = [said for hid, said in told if hid]

    assert done.returncode == 0, done.stderr
    assert len({said for said in hidden if isinstance(said, int)}) <= 1  # never a part of it
    assert any(isinstance(said, str) for said in hidden)
    refusal = (
        "process PID does not allow being looked at (it is not dumpable, or runs with more privileges);"
        " try sudo, or grant CAP_SYS_PTRACE"
    )
    assert {said for said in hidden if isinstance(said, str)} <= {refusal}


TRACE, READ_ANY_FILE = 1 << 19, 1 << 2  # CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH


def snap_with(rights: int, pid: int, *options: str) -> Snapshot:
    done = python(WITH_RIGHTS.format(rights=rights, words=["snap", str(pid), *options]))
    assert done.returncode == 0, done.stderr
    return Snapshot.model_validate_json(done.stdout)


@pytest.mark.parametrize("options", [(), ("--freeze",)])
def test_the_right_to_trace_is_all_that_another_users_process_takes(options: tuple[str, ...]) -> None:
    with actor() as process:
        process.act("thread")
        taken = snap_with(TRACE, process.pid, *options)
        by_root = vmdiff.snap(process.pid)

    assert taken.origin.consistent
    assert [m[:3] for m in taken.mappings] == [m[:3] for m in by_root.mappings]
    assert [m.build_id for m in taken.mappings] == [m.build_id for m in by_root.mappings]
    # The memory of others is in files that only their owner may open: what remains is names, ELF files and shapes.
    assert [doubt for doubt in taken.origin.doubts if "no permission for files, memory" in doubt]
    assert {m.owner.basis for m in taken.mappings if m.owner} <= {"name", "elf", "shape"}


def test_with_the_right_to_read_any_file_too_owners_are_what_root_finds() -> None:
    with actor() as process:
        process.act("heap")
        process.act("thread")
        taken = snap_with(TRACE | READ_ANY_FILE, process.pid)
        by_root = vmdiff.snap(process.pid)

    assert taken.origin.doubts == ()
    assert [m.owner for m in taken.mappings] == [m.owner for m in by_root.mappings]
