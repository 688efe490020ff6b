"""Files whose server does not answer: they are not looked at, so they hold nobody up."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import vmdiff
from tests.waiting import until, until_asleep
from vmdiff.capture.file_systems import FileSystems
from vmdiff.model import Mapping

SERVER = Path(__file__).with_name("stalling_files.py")

MOUNTS = r"""22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw - ext4 /dev/vda rw
30 27 0:40 / /srv/away rw - nfs4 server:/export rw
31 27 0:41 / /home rw,relatime shared:3 master:1 - btrfs /dev/sdb rw
32 31 0:42 / /home/me/with\040space rw - fuse.sshfs me@host: rw
33 27 8:16 / /media/stick rw - fuseblk /dev/sdb rw
34 27 0:43 / /tmp rw - tmpfs tmpfs rw
35 30 254:0 /inner /srv/away/inner rw - ext4 /dev/vda rw
"""


@pytest.mark.parametrize(
    ("device", "path", "local"),
    [
        ("fe:00", "/usr/lib/libc.so.6", True),
        ("00:29", "/home/me/prog", True),
        ("00:2b", "/tmp/x", True),
        ("fd:07", "/on/a/disk/of/another/namespace", True),
        ("00:01", "/memfd:x", True),
        ("00:05", "/dev/zero", True),
        ("00:28", "/srv/away/prog", False),
        ("00:2a", "/home/me/with space/prog", False),
        ("08:10", "/media/stick/prog", False),
        ("00:63", "/unmounted/since", False),
        ("fe:00", "/srv/away/inner/prog", False),  # local, but the way there passes the server
        ("fe:00", "/srv/awayside/prog", True),
    ],
)
def test_files_behind_a_server_are_told_from_local_ones(device: str, path: str, local: bool) -> None:
    mapping = Mapping(0x1000, 0x2000, "r-xp", device=device, path=path)

    assert FileSystems(MOUNTS).is_local(mapping) == local


def test_the_files_of_python_itself_are_local() -> None:
    files = FileSystems(Path("/proc/self/mountinfo").read_text())
    taken = vmdiff.snap(os.getpid(), owners=False)

    assert all(files.is_local(m) for m in taken.mappings if m.path and sys.prefix in m.path)
    assert not [doubt for doubt in taken.origin.doubts if "a server" in doubt]


class Stalling(NamedTuple):
    """Processes that run and map a file whose server is stopped."""

    runs: int
    maps: int
    path: str


@contextlib.contextmanager
def stalling(folder: Path) -> Iterator[Stalling]:
    folder.mkdir()
    command = ["unshare", "--mount", sys.executable, SERVER, folder, shutil.which("cat")]
    with subprocess.Popen(
        [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout
            said = server.stdout.readline().split()
            if not said:
                pytest.skip("no file system can be mounted here")
            until_asleep(int(said[0]))
            server.send_signal(signal.SIGSTOP)
            yield Stalling(int(said[0]), int(said[1]), f"{folder}/program")
        finally:
            server.kill()  # whatever waits for it goes on with an error


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK) or not shutil.which("unshare"),
    reason="needs root, FUSE and unshare",
)
@pytest.mark.parametrize("options", [(), ("--freeze",), ("--detail", "maps")], ids=" ".join)
def test_a_server_that_does_not_answer_holds_up_no_snapshot(options: tuple[str, ...], tmp_path: Path) -> None:
    with stalling(tmp_path / "away") as process:
        looking = subprocess.Popen(["stat", f"/proc/{process.maps}/root{process.path}"])
        until(lambda: "fuse" in Path(f"/proc/{looking.pid}/stack").read_text())  # so it does hold up others
        for pid in (process.runs, process.maps):
            words = [sys.executable, "-m", "vmdiff", "snap", *options, "-o", tmp_path / f"{pid}.json", pid]
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    looking.wait()

    runs, maps = (vmdiff.load(tmp_path / f"{pid}.json") for pid in (process.runs, process.maps))
    assert runs.process.executable == process.path
    assert (
        "programs and libraries not opened, since a server could keep vmdiff waiting: 1" in runs.origin.doubts
    )
    assert [m.perms for m in maps.mappings if m.path == process.path] == ["r--s"]
