"""What is longer than a document holds, or no text at all, is cut with a doubt or refused: never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

import vmdiff
from tests.acts import actor
from tests.owners.living import running
from vmdiff.capture.process_info import MOST_ARGUMENTS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads live processes")

LONG = 100_000  # the kernel takes arguments of up to 131,071 bytes
WAITS = "print('ready', flush=True); input()"


def command(*words: object) -> "subprocess.CompletedProcess[bytes]":
    encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return subprocess.run([sys.executable.encode(), b"-m", b"vmdiff", *encoded], capture_output=True)


@pytest.mark.parametrize("words", [["x" * LONG], ["\udcff" * (LONG // 4)], [""] * (MOST_ARGUMENTS + 1)])
def test_a_command_line_that_is_too_long_is_cut_with_a_doubt(words: list[str], tmp_path: Path) -> None:
    with running([sys.executable, "-c", WAITS, *words]) as (process, _):
        taken = vmdiff.snap(process.pid, arguments=True, owners=False)

    assert taken.process.arguments
    assert taken.process.arguments[:3] == (sys.executable, "-c", WAITS)
    assert any(doubt.startswith("the command line was cut: ") for doubt in taken.origin.doubts)
    vmdiff.save(taken, tmp_path / "x.json")
    assert vmdiff.load(tmp_path / "x.json") == taken


def test_a_command_line_that_is_kept_whole_has_no_doubt() -> None:
    with running([sys.executable, "-c", WAITS, "", "x" * 65_536, "é\x1b", ""]) as (process, _):
        taken = vmdiff.snap(process.pid, arguments=True, owners=False)

    assert taken.process.arguments
    assert taken.process.arguments[3:] == ("", "x" * 65_536, "é\x1b", "")
    assert not [doubt for doubt in taken.origin.doubts if "command line" in doubt]


@pytest.mark.parametrize("option", ["--label", "--tag"])
@pytest.mark.parametrize(
    ("text", "says"), [(b"x" * LONG, "at most 65,536"), (b"caf\xe9", "UTF-8")], ids=["long", "latin-1"]
)
def test_a_word_that_no_document_can_hold_is_refused(option: str, text: bytes, says: str) -> None:
    with actor() as process:
        done = command("snap", process.pid, option, b"name=" + text)

    assert done.returncode == 2
    assert done.stdout == b""
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


WITHOUT_THREADS = """
import ctypes, mmap, os, resource, sys, threading
from vmdiff.capture import ProcessFolder, read
kept = [mmap.mmap(-1, 4096, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) for _ in range(16_000)]
with ProcessFolder(os.getpid()) as folder:
    read(folder)  # now everything is imported that somebody else may not be let see
if os.geteuid() == 0:  # whose processes are not counted
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE: having become another user took it away
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    threading.Thread(target=print).start()
except RuntimeError as error:
    print(error)
with ProcessFolder(os.getpid()) as folder:
    print(len(read(folder).mappings))
"""


def test_where_no_thread_can_be_had_many_mappings_are_read_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_THREADS], capture_output=True, text=True)
    said = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert said[0] == "can't start new thread"
    assert int(said[1]) > 16_000
