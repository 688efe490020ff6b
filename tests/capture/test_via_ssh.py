"""``--via ssh`` to an sshd of our own on loopback, with its own keys and configuration."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capture.collecting import agreeing, sleeper
from tests.waiting import until
from vmdiff import sources
from vmdiff.errors import ProcessError
from vmdiff.model.snapshot_set import SnapshotSet

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    not SSHD or not shutil.which("ssh") or not shutil.which("unshare"), reason="no sshd here"
)


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the words that run a command by ssh."""
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = free_port()
    host_key = (folder / "host.pub").read_text()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"StrictModes no\nPermitRootLogin yes\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
    )
    # As root sshd demands a folder below /run; it gets one that no other process sees.
    private = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run; mkdir /run/sshd; exec "$@"', "x"]
    words = [*([] if os.geteuid() else private), SSHD or "", "-D", "-e", "-f", str(configuration)]
    with subprocess.Popen(words, stderr=(folder / "log").open("wb")) as server:
        until(lambda: server.poll() is not None or answers(port))
        options = f"-F none -i {folder}/user -p {port} -o UserKnownHostsFile={folder}/known -o BatchMode=yes"
        command = f"ssh {options} {getpass.getuser()}@127.0.0.1"
        if subprocess.run([*command.split(), "true"], check=False, stderr=subprocess.DEVNULL).returncode:
            server.terminate()
            pytest.skip("sshd lets nobody in here: " + (folder / "log").read_text()[-300:])
        yield command
        server.terminate()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_process_there_is_read_as_here(ssh: str) -> None:
    with sleeper() as pid:
        found, direct = agreeing(lambda: sources.snap_via(ssh, [str(pid)], owners=False), pid)
    assert found.origin.doubts == ()
    assert found.host == direct.host
    assert found.process.start_ticks == direct.process.start_ticks


def test_two_shells_on_the_way_take_two_quotes_off(ssh: str) -> None:
    with sleeper() as pid:
        found = sources.snap_via(f"{ssh} {ssh}", [str(pid), str(os.getpid())])
    assert isinstance(found, SnapshotSet)
    assert len(found.members) == 2


def test_a_host_that_does_not_answer_is_a_process_error(ssh: str) -> None:
    with pytest.raises(ProcessError, match="exit status 255"):
        sources.snap_via(ssh.replace(ssh.split("-p ")[1].split(maxsplit=1)[0], "1", 1), ["1"])


def test_a_connection_that_is_cut_is_a_process_error(ssh: str, tmp_path: Path) -> None:
    cut = tmp_path / "ssh"  # its name is what tells that words are joined
    cut.write_text(f'#!/bin/sh\n{ssh} "$@" | head -c 9000\n')
    cut.chmod(0o700)
    with sleeper() as pid, pytest.raises(ProcessError, match="ends before the end"):
        sources.snap_via(str(cut), [str(pid)])
