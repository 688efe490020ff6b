"""Families of processes that are known from the outside: servers, a browser, a tree; and how to stop them all.

The benchmark of sets uses them, too, so nothing here knows pytest but to skip what is not installed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.owners.real import program
from tests.situations.servers import postgres, redis
from tests.waiting import state, until
from vmdiff.capture.process_tree import choose

# Forks so many processes that all wait for its end: each but the last has up to nine that fork none, and one
# that goes on.
TREE = """
import os, sys
left = int(sys.argv[1]) - 1
shared = bytearray(4 << 20)
reader, writer = os.pipe()
top = True
while left:
    for _ in range(min(9, left)):
        left -= 1
        if os.fork() == 0:
            own, left, top = bytearray(64 << 10), 0, False
            break
    else:
        if left:
            left -= 1
            if os.fork():
                break
            top = False
if top:
    print("ready", flush=True)
    sys.stdin.read()
else:
    os.close(writer)
    os.read(reader, 1)
    os._exit(0)
"""
APPLICATION = """
table = {str(number): str(number) * 20 for number in range(50_000)}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [table["7"].encode()]
"""


def pids_of(root: int) -> list[int]:
    """Return the processes of a tree."""
    return [one.pid for one in choose([f"tree:{root}"]).processes]


@contextmanager
def tree(count: int) -> Iterator[int]:
    """Yield the root of a tree of *count* processes, ten in each row."""
    with subprocess.Popen(
        [sys.executable, "-c", TREE, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        until(lambda: len(pids_of(process.pid)) >= count)
        yield process.pid
        process.stdin.close()


@contextmanager
def postgres_with(backends: int) -> Iterator[int]:
    """Yield the postmaster of a server with sessions that each read a table through shared buffers."""
    with postgres(buffers="128MB") as first, ExitStack() as stack:
        first.ask("create table t as select repeat('x', 400) from generate_series(1, 200000); select 1")
        for _ in range(backends - 1):
            session = stack.enter_context(first.another())
            assert session.ask("select count(*) from t") == "200000"
        yield int(Path(first.folder, "data/postmaster.pid").read_text().split("\n")[0])


@contextmanager
def gunicorn(workers: int) -> Iterator[int]:
    """Yield the master of a preforked server whose application was loaded before the fork."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "app.py").write_text(APPLICATION)
        options = ["--preload", "-w", str(workers), "-b", f"unix:{folder}/socket", "--no-control-socket"]
        server = program("gunicorn", os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
        process = stack.enter_context(
            subprocess.Popen(
                [server, *options, "app:application"],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
        stack.callback(process.terminate)
        assert process.stderr
        booted = 0
        while booted < workers:
            line = process.stderr.readline()
            assert line, "gunicorn ended"
            booted += b"Booting worker" in line
        yield process.pid


@contextmanager
def chromium(tabs: int) -> Iterator[int]:
    """Yield the first process of a headless browser with so many tabs, each of a document of its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--process-per-tab",
            f"--user-data-dir={folder}",
        ]
        process = stack.enter_context(
            subprocess.Popen(
                [program("chromium"), *options, "--remote-debugging-port=0", "data:text/html,<p>0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        stack.callback(_end_session, process.pid)
        assert process.stderr
        found = next(filter(None, (re.search(rb"ws://([^/]+)/", line) for line in process.stderr)))
        address = f"http://{found[1].decode()}/json"
        for number in range(1, tabs):
            _asked(f"{address}/new?data:text/html,<p>{number}", "PUT")
        until(lambda: sum(one["type"] == "page" for one in _asked(f"{address}/list", "GET")) == tabs)
        until(lambda: _renderers(process.pid) >= tabs)  # forked from a zygote, they take its name at first
        yield process.pid


def _renderers(session: int) -> int:
    """Count the processes of a session that call themselves renderers."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            if os.getsid(int(folder.name)) == session:
                count += b"--type=renderer" in (folder / "cmdline").read_bytes()
    return count


def _asked(address: str, method: str) -> Any:
    with urlopen(Request(address, method=method)) as reply:  # noqa: S310  # of the browser that we started
        return json.load(reply)


def _end_session(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


@contextmanager
def redis_saving() -> Iterator[int]:
    """Yield a redis whose child writes its data to disk; each key takes it a moment, so it is at work for long."""
    with redis() as server:
        server.load(100_000)
        server.ask("CONFIG", "SET", "rdb-key-save-delay", "1000")
        server.ask("BGSAVE")
        until(lambda: len(pids_of(server.pid)) == 2)
        server.load(20_000)  # which the child then no longer shares
        yield server.pid


@contextmanager
def standing_still(root: int) -> Iterator[list[int]]:
    """Stop a tree by signals, so that several readers see the same; yield its processes."""
    held: list[int] = []
    try:
        while fresh := [pid for pid in pids_of(root) if pid not in held]:
            held += fresh
            for pid in fresh:
                _stop(pid)
        yield [pid for pid in held if state(pid) not in {"Z", "X"}]
    finally:
        for pid in held:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _stop(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    until(lambda: _stands(pid))


def _stands(pid: int) -> bool:
    """Say whether all threads of a process are stopped, or it has ended."""
    try:
        tids = [one.name for one in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return True
    return all(_letter(pid, tid) in "TtZX" for tid in tids)


def _letter(pid: int, tid: str) -> str:
    try:
        return Path(f"/proc/{pid}/task/{tid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def stated_by_the_kernel(pids: Sequence[int], key: str, proc: Path) -> int:
    """Return the sum of a line of ``smaps_rollup``, in bytes."""
    texts = ((proc / str(pid) / "smaps_rollup").read_text() for pid in pids)
    return sum(int(re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)[1]) << 10 for text in texts)  # type: ignore[index]


def copied(pids: Sequence[int], proc: Path) -> Path:
    """Copy text files of processes below *proc*, where smem (``-S``) and vmdiff then see the same moment.

    The PSS of a library changes whenever any process of the machine that uses it starts or ends.
    """
    proc.mkdir(parents=True)
    for name in ("meminfo", "version"):
        (proc / name).write_bytes(Path("/proc", name).read_bytes())
    for pid in pids:
        (proc / str(pid)).mkdir()
        for name in ("smaps", "smaps_rollup", "maps", "stat", "statm", "cmdline", "status", "auxv"):
            (proc / str(pid) / name).write_bytes(Path(f"/proc/{pid}/{name}").read_bytes())
        (proc / str(pid) / "exe").symlink_to(Path(f"/proc/{pid}/exe").readlink())
    return proc


def stated_by_smem(proc: Path) -> dict[str, int]:
    """Return the sums of PSS, RSS and USS in bytes, and the number of processes, by a copy of ``/proc``."""
    words = [program("smem"), "-S", str(proc.parent), "-H", "-c", "pid pss rss uss swap"]
    rows = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    figures = [[int(word) for word in row.split()] for row in rows if row.strip()]
    sums = [sum(column) << 10 for column in zip(*figures, strict=True)]
    return {"processes": len(figures), "pss": sums[1], "rss": sums[2], "uss": sums[3], "swap": sums[4]}
