"""Whatever goes wrong while a file is written: the old one or the new one, whole, and no litter."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import vmdiff
from tests.acts import actor
from tests.draw import mappings, snapshot
from tests.tracing import traced
from vmdiff.errors import OutputError
from vmdiff.storage import atomic_file

TAKEN = snapshot(*mappings("aab.11"))
VMDIFF = [sys.executable, "-m", "vmdiff"]
COMMAND = [*VMDIFF, "convert"]

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    vmdiff.save(TAKEN, tmp_path / "source.json")
    return tmp_path / "source.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture(params=["convert", "snap", "show", "compare", "compare html", "redact"])
def writing(request: pytest.FixtureRequest, source: Path) -> Iterator[list[object]]:
    """A command that writes ``x.json`` when ``-o`` and where follow."""
    with actor() as process:
        words: dict[str, list[object]] = {
            "convert": ["convert", source],
            "snap": ["snap", process.pid],
            "show": ["show", source, "--format", "json"],
            "compare": ["compare", source, source, "--format", "json"],
            "compare html": ["compare", source, f"pid:{process.pid}", "--format", "html"],
            "redact": ["redact", source],
        }
        yield [*VMDIFF, *words[request.param]]


def output_of(command: Sequence[object], folder: Path) -> Path:
    """Give what ``-o`` is to be told: redact takes the folder, and names the file as its source is named."""
    return folder if "redact" in command else folder / "x.json"


WRITING = {"openat", "flock", "fchown", "write", "fsync", "linkat", "rename", "unlink", "close"}


def calls(command: Sequence[object], log: Path) -> dict[str, int]:
    """Count the system calls that a run makes, by name; their last ones belong to the writing."""
    subprocess.run(traced(",".join(WRITING), command, log=log), check=True, capture_output=True)
    names = re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE)
    return {name: names.count(name) for name in WRITING & set(names)}


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_killed_at_any_system_call_the_file_is_whole_or_absent(
    source: Path, folder: Path, options: tuple[str, ...]
) -> None:
    target = folder / "x.json"
    old = b"old" if options else None
    if old:
        target.write_bytes(old)
    convert = [*COMMAND, source, "-o", target, *options]
    counted = calls(convert, source.parent / "strace.log")
    assert counted.keys() >= {"openat", "write", "fsync"}
    for call, times in counted.items():
        if old:
            target.write_bytes(old)
        else:
            target.unlink(missing_ok=True)
        inject = f"inject={call}:signal=SIGKILL:when={times}"
        subprocess.run(traced(call, convert, "-e", inject), capture_output=True)
        assert (target.read_bytes() if target.exists() else None) in (old, source.read_bytes()), call
        assert len([path for path in folder.iterdir() if path != target]) <= (1 if options else 0)
    vmdiff.save(TAKEN, target, force=True)  # the next run removes what was left
    assert [path.name for path in folder.iterdir()] == ["x.json"]


def test_killed_while_it_writes_every_command_leaves_a_whole_file_or_none(
    writing: list[object], folder: Path, tmp_path: Path
) -> None:
    command = [*writing, "-o", output_of(writing, folder)]
    counted = calls(command, tmp_path / "strace.log")
    (written,) = folder.iterdir()
    whole = written.read_bytes().rstrip()[-1:]
    for call in ("write", "fsync", "linkat"):
        for path in folder.iterdir():
            path.unlink()
        inject = f"inject={call}:signal=SIGKILL:when={counted[call]}"
        subprocess.run(traced(call, command, "-e", inject), capture_output=True)

        assert [path.read_bytes().rstrip()[-1:] for path in folder.iterdir()] in ([], [whole]), call


@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("write", "EIO"), ("fsync", "EDQUOT")])
def test_a_disk_that_fails_is_said_by_every_command_and_leaves_nothing(
    writing: list[object], folder: Path, call: str, error: str
) -> None:
    command = [*writing, "-o", output_of(writing, folder)]
    # The first only: what is written after it is the complaint.
    inject = f"inject={call}:error={error}:when=1"
    done = subprocess.run(traced(call, command, "-e", inject), capture_output=True, text=True)

    assert done.returncode == 2
    assert re.search(r"^vmdiff: \S+\.json: .+; nothing was written$", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_folder_that_is_read_only_is_said_by_every_command(writing: list[object], folder: Path) -> None:
    script = f'mount -t tmpfs -o ro none {folder} && exec "$@"'
    command = [*writing, "-o", output_of(writing, folder)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *map(str, command)], capture_output=True, text=True
    )

    assert done.returncode == 2
    assert re.search(r"^vmdiff: \S+: Read-only file system; nothing was written$", done.stderr, re.MULTILINE)


def test_an_existing_file_is_left_as_it_is_by_every_command(writing: list[object], folder: Path) -> None:
    name = "source.json" if "redact" in writing else "x.json"
    (folder / name).write_bytes(b"precious")
    command = [*writing, "-o", output_of(writing, folder)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)

    assert done.returncode == 2
    assert done.stderr.endswith("exists already; --force overwrites it\n")
    assert (folder / name).read_bytes() == b"precious"


def test_where_files_cannot_be_without_a_name_they_are_whole_or_absent_too(
    source: Path, folder: Path, tmp_path: Path
) -> None:
    inject = "inject=openat:error=EOPNOTSUPP:when=1"
    log = tmp_path / "log"
    subprocess.run(
        ["strace", "-f", "-P", folder, "-e", inject, "-o", log, *COMMAND, source, "-o", folder / "x.json"],
        check=True,
    )

    assert "O_TMPFILE" in log.read_text()
    assert [path.name for path in folder.iterdir()] == ["x.json"]
    assert (folder / "x.json").read_bytes() == source.read_bytes()


def test_litter_of_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    def chunks() -> list[bytes]:
        vmdiff.save(TAKEN, tmp_path / "x.json", force=True)  # meanwhile another one writes the same file
        return [b"last"]

    def lazily() -> object:
        yield from chunks()

    atomic_file.write(tmp_path / "x.json", lazily(), force=True)  # type: ignore[arg-type]

    assert (tmp_path / "x.json").read_bytes() == b"last"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_symlink_in_its_place_is_no_way_to_another_file(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    link = tmp_path / "x.json"
    link.symlink_to(precious)
    dangling = tmp_path / "y.json"
    dangling.symlink_to(tmp_path / "nowhere")

    for path in (link, dangling):
        with pytest.raises(OutputError, match="exists already"):
            vmdiff.save(TAKEN, path)
    vmdiff.save(TAKEN, link, force=True)

    assert precious.read_bytes() == b"precious"
    assert not link.is_symlink()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["missing/x.json", "file/x.json", "x" * 300, "a\0b", ""])
def test_places_that_cannot_be_written_are_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError):
        vmdiff.save(TAKEN, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path) -> None:
    for force in (False, True):
        vmdiff.save(TAKEN, "/dev/null", force=force)

    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_writes_belongs_to_who_called_sudo(source: Path, tmp_path: Path) -> None:
    subprocess.run(
        [*COMMAND, source, "-o", tmp_path / "x.json"],
        check=True,
        env=os.environ | {"SUDO_UID": "1234", "SUDO_GID": "2345"},
    )
    status = (tmp_path / "x.json").stat()

    assert (status.st_uid, status.st_gid) == (1234, 2345)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_full_disk_is_said_and_nothing_is_left(source: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.json"
    vmdiff.save(snapshot(*mappings("ab" * 2000)), big)
    script = (
        f"mount -t tmpfs -o size=16k none {tmp_path}/disk && "
        f"{' '.join(COMMAND)} {big} -o {tmp_path}/disk/x.json; echo status $?; ls -A {tmp_path}/disk"
    )
    (tmp_path / "disk").mkdir()
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)

    assert done.stdout == "status 2\n"
    assert re.fullmatch(r"vmdiff: \S+x\.json: No space left on device; nothing was written\n", done.stderr)
