"""vmdiff opens nothing for writing but its output, starts no program and uses no network: strace shows it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vmdiff
from tests.acts import actor
from tests.tracing import traced

CALLS = "open,openat,openat2,creat,truncate,execve,execveat,fork,vfork,clone,clone3,socket,connect,kill,tgkill,ptrace"
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


def calls_of(folder: Path, *words: object) -> list[str]:
    """Run a command under strace; give the calls of `CALLS` that it made and that did not fail."""
    log = folder / "strace.log"
    command = traced(CALLS, [sys.executable, "-B", "-m", "vmdiff", *words], log=log)
    subprocess.run(command, check=True, capture_output=True)
    lines = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    return [line for line in lines if "(" in line and " = -1 " not in line]


@pytest.mark.parametrize("command", ["snap", "snap --freeze", "show", "show live", "compare", "compare html"])
def test_it_writes_its_output_and_touches_nothing_else(command: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with actor() as process:
        before, after = tmp_path / "before.json", tmp_path / "after.json"
        for path in (before, after):
            vmdiff.save(vmdiff.snap(process.pid), path)
        words: dict[str, list[object]] = {
            "snap": ["snap", process.pid],
            "snap --freeze": ["snap", process.pid, "--freeze"],
            "show": ["show", before],
            "show live": ["show", f"pid:{process.pid}"],
            "compare": ["compare", before, after],
            "compare html": ["compare", before, f"pid:{process.pid}", "--format", "html"],
        }
        made = calls_of(tmp_path, *words[command], "-o", output)

    assert output.stat().st_size
    opened = [line for line in made if line.startswith(("open", "creat")) and WRITES.search(line)]
    assert [line for line in opened if str(tmp_path) not in line] == []
    assert len(opened) == 1
    started = [line for line in made if line.startswith(("exec", "fork", "vfork", "clone"))]
    started = [line for line in started if "CLONE_THREAD" not in line]
    assert len(started) == 1, started  # Python itself
    assert not [line for line in made if line.startswith(("connect", "kill", "tgkill", "truncate"))]
    # The C library asks the machine's name service cache, if there is one, for the user's name.
    assert not [line for line in made if line.startswith("socket") and "AF_UNIX" not in line]
    assert any(line.startswith("ptrace") for line in made) == (command == "snap --freeze")
