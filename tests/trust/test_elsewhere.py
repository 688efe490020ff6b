"""A process that is not as ours: in other namespaces, of 32 bits, with hostile names."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import vmdiff
from tests.owners.living import compiled
from vmdiff.model import Kind

ROOT = Path(__file__).parent.parent.parent
ACTS = ROOT / "fixtures" / "programs" / "acts.c"


@contextlib.contextmanager
def running(command: Sequence[object]) -> Iterator["subprocess.Popen[str]"]:
    """Run a program until it has said ``ready``."""
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_a_process_in_other_namespaces_is_read_with_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    script = (
        f"mount -t tmpfs none {tmp_path}/private && cp {compiled(ACTS)} {tmp_path}/private/acts"
        f" && exec {tmp_path}/private/acts"
    )
    with running(["unshare", "--pid", "--mount", "--fork", "--kill-child", "sh", "-c", script]) as process:
        (inner,) = children(process.pid)
        taken = vmdiff.snap(inner)
        own = vmdiff.snap(os.getpid(), owners=False)
        assert process.stdin
        process.stdin.write("block\n")
        process.stdin.flush()
        assert process.stdout
        assert process.stdout.readline() == "block\n"
        later = vmdiff.snap(inner)

    assert taken.process.pid == inner
    assert taken.process.pid_namespace != own.process.pid_namespace
    program = f"{tmp_path}/private/acts"
    assert taken.process.executable == program
    assert not Path(program).exists()  # for us; the paths are the process's own
    images = [m for m in taken.mappings if m.path == program]
    assert images
    assert not any(m.deleted for m in images)
    assert taken.origin.consistent
    assert vmdiff.compare(taken, later).match == "address"
    assert {"relro", "bss", "main stack"} <= {m.owner.name for m in taken.mappings if m.owner}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the program for 32 bits."""
    program = tmp_path_factory.mktemp("narrow") / "acts32"
    done = subprocess.run(["gcc", "-m32", "-pthread", "-o", program, ACTS], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the compiler makes no 32-bit programs: {done.stderr.splitlines()[0]}")
    return program


def test_a_32_bit_process_is_read_whole(narrow: Path) -> None:
    with running([narrow]) as process:
        taken = vmdiff.snap(process.pid)
        status = Path(f"/proc/{process.pid}/status").read_text()
        size = int(status.partition("VmSize:")[2].split()[0]) * 1024

    assert taken.origin.consistent
    assert taken.total("size") == size  # no gate page here, so all are counted
    assert all(m.end is not None and m.end <= 1 << 32 for m in taken.mappings)
    assert {Kind.STACK, Kind.KERNEL, Kind.IMAGE} <= {m.kind for m in taken.mappings}
    certain = {m.owner.name for m in taken.mappings if m.owner and m.owner.certainty == "certain"}
    assert certain <= {
        "kernel",
        "loader",
        "malloc heap",
        "main stack",
        "bss",
        "relro",
        "library gap",
        "guard page",
    }


NAMES = (
    pytest.param(b"a) R 1 (b", id="brackets"),
    pytest.param(b"\x1b[31mred", id="escape"),
    pytest.param(b"line\nbreak", id="newline"),
    pytest.param(b"\xff\xfe\x80", id="no-utf8"),
    pytest.param(b"[/red][b]", id="markup"),
    pytest.param(b"", id="empty"),
)
RENAMED = """
import ctypes, sys, threading
libc = ctypes.CDLL(None)
name = bytes.fromhex(sys.argv[1])
libc.prctl(15, ctypes.c_char_p(name), 0, 0, 0)
ready = threading.Event()
def other():
    libc.prctl(15, ctypes.c_char_p(name), 0, 0, 0)
    ready.set()
    threading.Event().wait()
threading.Thread(target=other, daemon=True).start()
ready.wait()
print("ready", flush=True)
input()
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["show", "compare"])
def test_a_process_may_call_itself_anything(name: bytes, command: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", RENAMED, name.hex(), "argument \x1b]0;x\x07", ""]
    with running(words) as process:
        taken = vmdiff.snap(process.pid, arguments=True, owners=False)
        assert vmdiff.snap(process.pid, owners=False, freeze=True).origin.consistent

    plain = name.decode(errors="backslashreplace")
    assert taken.process.name == plain
    assert [thread.name for thread in taken.process.threads or ()] == [plain, plain]
    assert taken.process.arguments
    assert taken.process.arguments[-2:] == ("argument \x1b]0;x\x07", "")
    vmdiff.save(taken, tmp_path / "x.json")
    assert vmdiff.load(tmp_path / "x.json") == taken
    files = [tmp_path / "x.json"] * (2 if command == "compare" else 1)
    done = subprocess.run([sys.executable, "-m", "vmdiff", command, *files], capture_output=True, check=True)
    assert all(byte >= 32 or byte == 10 for byte in done.stdout)
    assert done.stdout.decode()


def test_a_path_as_long_as_there_can_be_is_kept_whole(tmp_path: Path) -> None:
    script = """
import mmap, os, sys
os.chdir(sys.argv[1])
part = b"\\x1b" * 200 + b"\\xff\\n (deleted)"
for _ in range(int(sys.argv[2])):
    os.mkdir(part)
    os.chdir(part)
with open(b"x", "w+b") as file:
    file.truncate(4096)
    held = mmap.mmap(file.fileno(), 4096)
print("ready", flush=True)
input()
"""
    deep = (4096 - len(os.fsencode(tmp_path)) - 8) // 213
    with running([sys.executable, "-c", script, tmp_path, deep]) as process:
        taken = vmdiff.snap(process.pid, owners=False)
    subprocess.run(["rm", "-rf", tmp_path], check=True)

    (piece,) = [m for m in taken.mappings if m.path_hex]
    part = b"\x1b" * 200 + b"\xff\n (deleted)"
    assert piece.path_hex
    assert bytes.fromhex(piece.path_hex) == os.fsencode(tmp_path) + (b"/" + part) * deep + b"/x"
    assert not piece.deleted
