"""A pid that is given anew between reading a process and looking for its owners means nobody else."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.owners.living import compiled, running
from vmdiff.capture.consistent_read import read
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.errors import ProcessError
from vmdiff.model import Snapshot
from vmdiff.sources import with_owners

PROGRAM = Path(__file__).parent / "programs" / "ground.c"
LAST = Path("/proc/sys/kernel/ns_last_pid")  # pid_namespaces(7): what the next process's number follows


@pytest.mark.skipif(not os.access(LAST, os.W_OK), reason="only root may choose the next pid")
def test_the_owners_of_another_process_with_its_pid_are_not_its_own() -> None:
    program = compiled(PROGRAM)
    with running([program]) as (process, _), ProcessFolder(process.pid) as folder:
        seen = read(folder)
        assert {"record", "elf"} <= _bases(folder, seen), "of the process itself"
        process.kill()
        process.wait()
        other = _with_pid(process.pid, program)
        try:
            assert _bases(folder, seen) <= {"name"}
        finally:
            other.kill()
            other.communicate()


def _bases(folder: ProcessFolder, seen: Snapshot) -> set[str]:
    """Return what certain owners rest on."""
    try:
        found = with_owners(folder, seen)
    except ProcessError:
        return set()
    pieces = [piece for m in found.mappings if m.owner for piece in m.owner.parts or (m.owner,)]
    return {str(piece.basis) for piece in pieces if piece.certainty == "certain"}


def _with_pid(pid: int, program: Path) -> "subprocess.Popen[str]":
    """Start a program as the process *pid*, which has ended; other processes may take the number meanwhile."""
    for _ in range(1000):
        LAST.write_text(str(pid - 1))
        started = subprocess.Popen([program], stdout=subprocess.PIPE, text=True)
        if started.pid == pid:
            assert started.stdout
            for line in started.stdout:
                if line.strip() == "ready":
                    return started
        started.kill()
        started.communicate()
    pytest.skip("another process has the number")
