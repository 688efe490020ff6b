"""Servers started for a test, each asked over a socket of its own and stopped with the block."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections import abc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.owners.real import absent, program
from tests.waiting import until

_WITH_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
_HUNG = 120  # seconds after which a server that does not answer is taken for hung


def answered(path: Path, process: "subprocess.Popen[bytes]") -> socket.socket:
    """Connect to a server's socket as soon as it listens."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        with suppress(FileNotFoundError, ConnectionRefusedError):
            client.connect(str(path))
            client.settimeout(_HUNG)
            return client
        client.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
            raise AssertionError("the server ended")


class Redis:
    """A redis-server and a connection to it."""

    def __init__(self, pid: int, client: socket.socket) -> None:
        self.pid = pid
        self._client = client
        self._stream = client.makefile("rb")

    def ask(self, *words: str) -> str:
        """Send a command and return the reply as text."""
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        self._client.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
        head = self._stream.readline().decode().rstrip()
        if head.startswith("$") and head != "$-1":  # a null has no text after it
            return self._stream.read(int(head[1:]) + 2)[:-2].decode()
        assert not head.startswith("-"), head
        return head[1:]

    def load(self, keys: int) -> None:
        script = 'for i = 1, tonumber(ARGV[1]) do redis.call("SET", "key:" .. i, string.rep("x", 200)) end'
        self.ask("EVAL", script, "0", str(keys))

    def delete(self, first: int, last: int) -> None:
        script = 'for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do redis.call("DEL", "key:" .. i) end'
        self.ask("EVAL", script, "0", str(first), str(last))

    def used(self) -> int:
        """Return what redis itself counts as allocated."""
        lines = dict(line.split(":", 1) for line in self.ask("INFO", "memory").split("\r\n") if ":" in line)
        return int(lines["used_memory"])


@contextmanager
def redis() -> Iterator[Redis]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        words = [
            "--port",
            "0",
            "--unixsocket",
            "socket",
            "--dir",
            folder,
            "--save",
            "",
            "--activedefrag",
            "no",
        ]
        process = stack.enter_context(
            subprocess.Popen(
                [program("redis-server"), *map(str, words)], cwd=folder, stdout=subprocess.DEVNULL
            )
        )
        stack.callback(process.kill)
        yield Redis(process.pid, stack.enter_context(answered(folder / "socket", process)))


class Nginx:
    """An nginx worker, and clients whose requests it is reading."""

    _HEADER = b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * 12_000

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        status = self._status()
        self.pid = int(status["worker"])

    def connect(self, clients: int) -> None:
        """Connect so many clients that have sent part of a request, and wait until it was read."""
        for _ in range(clients):
            client = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(self._folder / "socket"))
            client.sendall(self._HEADER)
        until(lambda: self.reading() >= clients)

    def reading(self) -> int:
        """Return how many requests nginx itself says that it is reading."""
        return int(self._status()["reading"])

    def _status(self) -> dict[str, str]:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._folder / "socket"))
            client.settimeout(_HUNG)
            client.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            reply = b"".join(iter(lambda: client.recv(4096), b""))
        return dict(line.split() for line in reply.decode().partition("\r\n\r\n")[2].splitlines())


_NGINX = """
daemon off; master_process off; pid pid; error_log stderr crit; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; client_header_buffer_size 16k; client_header_timeout 1h;
  server {{ listen unix:{folder}/socket;
    location = /status {{ return 200 "worker $pid\nreading $connections_reading\n"; }} }}
}}
"""


@contextmanager
def nginx() -> Iterator[Nginx]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "conf").write_text(_NGINX.format(folder=folder, user=user))
        command = [program("nginx", _WITH_SBIN), "-p", folder, "-c", "conf", "-e", "stderr"]
        process = stack.enter_context(subprocess.Popen([str(word) for word in command], cwd=folder))
        stack.callback(process.kill)
        answered(folder / "socket", process).close()
        yield Nginx(folder, stack)


class Postgres:
    """A session with a backend of its own, of the server in a *folder*."""

    def __init__(self, words: abc.Sequence[object], process: "subprocess.Popen[str]", folder: Path) -> None:
        self._words = words
        self._process = process
        self.folder = folder
        self.pid = int(self.ask("select pg_backend_pid()"))

    @contextmanager
    def another(self) -> Iterator["Postgres"]:
        """Connect once more."""
        with _session(self._words, self.folder) as session:
            yield session

    def reconnect(self) -> None:
        """Go on with another backend, which has looked at nothing yet."""
        assert self._process.stdin is not None
        self._process.stdin.write("\\c -\n")
        self.pid = int(self.ask("select pg_backend_pid()"))

    def ask(self, statement: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{statement};\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def _session(words: abc.Sequence[object], folder: Path) -> Iterator[Postgres]:
    with subprocess.Popen(
        [*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Postgres(words, process, folder)
        finally:
            process.kill()


@contextmanager
def postgres(buffers: str = "512MB") -> Iterator[Postgres]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        absent("postgresql is not installed")
        return
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    other = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="vmdiff-pg-"))
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(*words: object) -> None:
        subprocess.run([*map(str, words)], check=True, cwd=folder, stdout=subprocess.DEVNULL, **other)  # type: ignore[call-overload]

    options = (
        f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c shared_buffers={buffers}"
    )
    try:
        run(programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres")
        run(programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
        try:
            words = (programs / "psql", "-h", folder, "-U", "postgres", "-AtqX", "postgres")
            with _session(words, folder) as first:
                yield first
        finally:
            run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


@contextmanager
def memcached() -> Iterator[tuple[int, socket.socket]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        as_user = ["-u", "nobody"] if os.geteuid() == 0 else []
        folder.chmod(0o777)
        process = stack.enter_context(
            subprocess.Popen([program("memcached"), "-s", str(folder / "socket"), "-m", "200", *as_user])
        )
        stack.callback(process.kill)
        yield process.pid, stack.enter_context(answered(folder / "socket", process))
