"""Reading, comparing and reporting work wherever Python does, shown with what other systems lack taken away."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import vmdiff
from tests.draw import mappings, snapshot
from tests.tracing import traced
from vmdiff.storage import atomic_file

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "fixtures" / "readme"

# What is missing there: modules, and names of the module os. Linux alone has O_TMPFILE and O_PATH.
SYSTEMS = {
    "macos": ((), ("O_TMPFILE", "O_PATH", "process_vm_readv")),
    "windows": (
        ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"),
        (
            *("O_TMPFILE", "O_PATH", "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NONBLOCK"),
            *(
                "chown",
                "fchown",
                "fork",
                "geteuid",
                "getuid",
                "mkfifo",
                "pidfd_open",
                "pread",
                "readv",
                "statvfs",
            ),
            *("sysconf", "waitid"),
        ),
    ),
}
ELSEWHERE = """
import asyncio, importlib.abc, os, signal, sys, sysconfig, urllib.request, warnings
warnings.simplefilter("ignore", EncodingWarning)
warnings.filterwarnings("error", category=EncodingWarning, module=r"vmdiff\\b")
sysconfig.get_config_vars()  # of this system, as they are named after it
missing, names = {missing!r}, {names!r}

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in missing:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

for name in missing:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in names:
    if hasattr(os, name):
        delattr(os, name)
if missing:
    del signal.SIGHUP, signal.SIGQUIT
sys.platform = "darwin"
from vmdiff.cli import main
main(sys.argv[1:])
"""


def run(system: str, *words: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    missing, names = SYSTEMS[system]
    script = ELSEWHERE.format(missing=missing, names=names)
    # Text that is read or written without naming its encoding differs on Windows.
    command = [sys.executable, "-X", "warn_default_encoding", "-c", script, *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


BEFORE, AFTER = README / "before.json", README / "after.json"
COMMANDS: tuple[Sequence[object], ...] = (
    ("show", AFTER),
    ("show", AFTER, "--by", "owner", "--format", "markdown"),
    ("show", AFTER, "--format", "openmetrics"),
    ("compare", BEFORE, AFTER),
    ("compare", BEFORE, AFTER, "--format", "json"),
    ("compare", BEFORE, AFTER, "--format", "html"),
    ("compare", BEFORE, AFTER, "--fail-on", "rss > +1TiB"),
    ("schema", "snapshot"),
)


@pytest.mark.parametrize(
    "words", COMMANDS, ids=lambda words: " ".join(map(str, words)).replace(f"{README}/", "")
)
def test_what_is_shown_there_is_what_is_shown_here(words: Sequence[object], tmp_path: Path) -> None:
    here = subprocess.run(
        [sys.executable, "-m", "vmdiff", *map(str, words)], capture_output=True, text=True, cwd=tmp_path
    )
    for system in SYSTEMS:
        there = run(system, *words, cwd=tmp_path)

        assert (there.returncode, there.stderr) == (0, ""), system
        assert there.stdout == here.stdout, system


@pytest.mark.parametrize(
    "words",
    [("convert", AFTER, "-o", "x.json"), ("compare", BEFORE, AFTER, "--format", "html", "-o", "x.json")],
    ids=["convert", "compare"],
)
def test_files_are_written_there_and_left_alone(system: str, words: Sequence[object], tmp_path: Path) -> None:
    first, again, forced = (run(system, *words, *more, cwd=tmp_path) for more in ((), (), ("--force",)))

    assert (first.returncode, first.stderr) == (0, "")
    assert (again.returncode, again.stderr) == (2, "vmdiff: x.json: exists already; --force overwrites it\n")
    assert (forced.returncode, forced.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_copies_for_strangers_are_made_there(system: str, tmp_path: Path) -> None:
    done = run(system, "redact", BEFORE, AFTER, "--key", "key", "-o", "out", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["after.json", "before.json"]


def test_a_core_file_is_read_there(system: str, tmp_path: Path) -> None:
    from tests.importers.test_core import example

    (tmp_path / "core").write_bytes(example())
    done = run(system, "convert", "core", "-o", "-", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["mappings"]) > 5


@pytest.mark.parametrize("words", [("snap", "1"), ("show", "pid:1"), ("demo",)], ids=lambda words: words[0])
def test_live_processes_are_refused_there_in_one_line(
    system: str, words: Sequence[str], tmp_path: Path
) -> None:
    done = run(system, *words, cwd=tmp_path)

    assert done.returncode == 3
    assert re.fullmatch(r"vmdiff: live processes are read on Linux only; .*\n", done.stderr)


# ---- file systems that lack something, by the calls that fail on them


def failing(calls: dict[str, str], command: Sequence[object]) -> "subprocess.CompletedProcess[str]":
    """Run a command in which some system calls fail."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    injected = [word for call, error in calls.items() for word in ("-e", f"inject={call}:error={error}")]
    done = traced(",".join(calls) or "none", command, *injected)
    return subprocess.run(done, capture_output=True, text=True)


@pytest.fixture
def without_o_tmpfile(tmp_path: Path) -> list[object]:
    vmdiff.save(snapshot(*mappings("aab.11")), tmp_path / "source.json")
    (tmp_path / "out").mkdir()
    script = "import os, sys; del os.O_TMPFILE; from vmdiff.cli import main; main(sys.argv[1:])"
    return [
        sys.executable,
        "-c",
        script,
        "convert",
        tmp_path / "source.json",
        "-o",
        tmp_path / "out" / "x.json",
    ]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param({"link,linkat": "EPERM"}, id="no hard links: vfat"),
        pytest.param({"link,linkat": "EOPNOTSUPP"}, id="no hard links: FUSE"),
        pytest.param({"flock": "ENOLCK"}, id="no locks: NFS"),
        pytest.param({"flock": "ENOSYS", "link,linkat": "ENOSYS"}, id="neither"),
    ],
)
def test_a_file_system_that_lacks_something_gets_whole_files(
    calls: dict[str, str], without_o_tmpfile: list[object], tmp_path: Path
) -> None:
    first = failing(calls, without_o_tmpfile)
    again = failing(calls, without_o_tmpfile)

    assert (first.returncode, first.stderr) == (0, "")
    assert again.returncode == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["x.json"]
    assert (tmp_path / "out" / "x.json").read_bytes() == (tmp_path / "source.json").read_bytes()


def test_litter_is_left_where_no_lock_says_that_its_writer_is_gone(
    without_o_tmpfile: list[object], tmp_path: Path
) -> None:
    litter = tmp_path / "out" / f".x.json.0123abcd{atomic_file._PARTIAL}"
    litter.write_bytes(b"half")
    assert failing({"flock": "ENOLCK"}, without_o_tmpfile).returncode == 0
    assert litter.exists()

    assert failing({}, [*without_o_tmpfile, "--force"]).returncode == 0
    assert not litter.exists()
