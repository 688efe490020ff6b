"""A backend's memory contexts are those of its own view pg_backend_memory_contexts."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.owners.inside.looking import whole
from tests.owners.inside.reading import read_inside
from tests.owners.living import running
from tests.owners.lying import lied_to
from tests.owners.real import absent
from vmdiff.owners.inside import WHOLE, Budget
from vmdiff.owners.inside.postgres_contexts import postgres

VIEW = "select json_agg(json_build_array(name, total_bytes, used_bytes)) from pg_backend_memory_contexts"
TABLES = "do $$ begin for i in 1..{n} loop execute format('create table t%s(a int primary key)', i); end loop; end $$"
READ = "do $$ begin for i in 1..{n} loop execute format('select count(*) from t%s', i); end loop; end $$"
OF_THE_QUESTION = {"MessageContext"}  # which the view fills while it is asked


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Path, Path]]:
    """Start a server of our own as an ordinary user; it refuses to run as root."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        absent("no postgres server is installed")
    folder = Path(tempfile.mkdtemp(prefix="vmdiff-pg-", dir="/tmp"))
    user = pwd.getpwnam("nobody")
    if os.geteuid() == 0:
        os.chown(folder, user.pw_uid, user.pw_gid)

    def run(*command: object) -> None:
        as_nobody = (
            {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        subprocess.run([*map(str, command)], check=True, cwd=folder, stdout=subprocess.DEVNULL, **as_nobody)  # type: ignore[call-overload]

    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_locks_per_transaction=2000"
    try:
        run(programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres")
        run(programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield programs, folder
        finally:
            run(programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


class Session:
    """A connection, asked one question after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, statement: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(statement + ";\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@contextmanager
def session(cluster: tuple[Path, Path]) -> Iterator[Session]:
    programs, folder = cluster
    process = subprocess.Popen(
        [programs / "psql", "-h", folder, "-U", "postgres", "-AtX", "postgres"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Session(process)
    finally:
        process.kill()
        process.communicate()


def test_contexts_are_those_of_the_view(cluster: tuple[Path, Path]) -> None:
    with session(cluster) as backend:
        backend.ask(TABLES.format(n=300))
        backend.ask(READ.format(n=300))
        pid = int(backend.ask("select pg_backend_pid()"))
        backend.ask(VIEW)
        said = json.loads(backend.ask(VIEW))
        (usage,) = read_inside(pid, postgres)
        expected, used = Counter[str](), Counter[str]()
        for name, total, in_use in said:
            expected[name] += total
            used[name] += in_use

        names = {name for name, _, _ in usage.types} - OF_THE_QUESTION
        assert usage.partial is None
        assert {name: size for name, _, size in usage.types if name in names} == {
            name: expected[name] for name in names
        }
        assert {"CacheMemoryContext", "index info", "TopMemoryContext"} < names
        assert (
            abs((usage.in_use or 0) - sum(used[name] for name in names)) <= 16 << 10
        )  # the question was working
        # The contexts lie in malloc's memory, so the whole of what was walked is theirs.
        assert whole(usage) == sum(size for _, _, size in usage.types)


def test_a_short_budget_says_so(cluster: tuple[Path, Path]) -> None:
    with session(cluster) as backend:
        pid = int(backend.ask("select pg_backend_pid()"))
        (usage,) = read_inside(pid, postgres, Budget(walk=0, steps=80, seconds=None))

    assert usage.in_use is None
    assert "--inside" in (usage.partial or "")


def test_forged_trees_end_and_do_not_add_up(cluster: tuple[Path, Path]) -> None:
    with session(cluster) as backend:
        pid = int(backend.ask("select pg_backend_pid()"))
        for scene, usages in lied_to(pid, lambda scene: postgres(scene, WHOLE)):
            memory = sum(mapping.size or 0 for mapping in scene.mappings)
            for usage in usages:
                assert usage.partial or (usage.in_use or 0) <= memory


def test_other_programs_are_not_looked_at() -> None:
    with running(["sh", "-c", "echo ready; read line"]) as (process, _):
        assert read_inside(process.pid, postgres) == []
