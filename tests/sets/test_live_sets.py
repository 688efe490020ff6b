"""Sets of real processes: trees, names, what cannot be read, and sums that agree with the kernel's."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.cli.conftest import Run, vmdiff  # noqa: F401  # the fixture
from tests.waiting import until, until_asleep
from vmdiff import sources
from vmdiff.capture.process_roles import Place, roles
from vmdiff.capture.process_tree import choose, means_a_set
from vmdiff.errors import InputError, ProcessError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.sets.set_comparison import compare_sets
from vmdiff.sets.set_totals import total

# Forks two children; each of the three says that it is ready, waits, and ends with its standard input.
PARENT = """
import os, sys
shared = bytearray(8 << 20)
for _ in range(2):
    if os.fork() == 0:
        break
os.write(1, b"ready\\n")
sys.stdin.read()
os._exit(0)
"""


@pytest.fixture
def parent() -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert [process.stdout.readline() for _ in range(3)] == ["ready\n"] * 3
        for one in choose([f"tree:{process.pid}"]).processes:
            until_asleep(one.pid)  # what runs still touches pages
        yield process.pid
        assert process.stdin
        process.stdin.close()


def test_a_tree_is_a_process_and_what_it_started(parent: int) -> None:
    found = sources.snap_set([f"tree:{parent}"])
    assert len(found.members) == 3
    assert found.missing == ()
    assert {one.process.parent for one in found.members} == {os.getpid(), parent}
    program = os.path.basename(os.path.realpath(sys.executable))  # noqa: PTH119
    assert [one.process.role for one in found.members] == [program, f"{program} child", f"{program} child"]
    assert all(one.process.arguments is None for one in found.members)


def pss_agrees(member: Snapshot) -> bool:
    """Return whether PSS adds up to the kernel's: it is rounded down to 1 kB in each mapping (task_mmu.c)."""
    return 0 <= member.rollup["pss"] - member.total("pss") <= 1024 * len(member.mappings)


def test_frozen_its_sums_agree_with_the_kernels_and_two_moments_do_not_differ(parent: int) -> None:
    def looks() -> Iterator[SnapshotSet]:
        while True:
            found = sources.snap_set([f"tree:{parent}"], freeze=True)
            for member in found.members:
                assert member.rollup is not None
                assert member.total("rss") == member.rollup["rss"]
                assert member.origin.frozen_seconds is not None
            yield found

    # The kernel takes pages of files away from who does not use them, and any other process that starts or
    # ends between two readings changes the PSS of libraries.
    assert any(all(map(pss_agrees, found.members)) for found in looks())
    pairs = pairwise(looks())
    before, after = next(pair for pair in pairs if total(pair[0]).rss == total(pair[1]).rss)
    assert compare_sets(before, after).totals[0].rss == total(after).rss
    assert {pair.became for pair in compare_sets(before, after).pairs} == {"same"}


def test_totals_alone_are_those_beside_the_mappings(parent: int) -> None:
    def agree() -> bool:  # any other process that starts or ends changes the PSS of libraries
        stated, whole = (sources.snap_set([f"tree:{parent}"], detail=name) for name in ("totals", "smaps"))
        assert [one.mappings for one in stated.members] == [(), (), ()]
        assert [one.totals_only for one in whole.members] == [False] * 3
        assert [one.process.role for one in stated.members] == [one.process.role for one in whole.members]
        return [one.rollup for one in stated.members] == [one.rollup for one in whole.members]

    until(agree)


def test_one_that_ended_is_missing_with_the_reason(parent: int) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # a zombie until the block ends
        found = sources.snap_set([str(parent), str(ended.pid)])
    assert [one.process.pid for one in found.members] == [parent]
    assert [(one.pid, "zombie" in one.reason) for one in found.missing] == [(ended.pid, True)]


@pytest.mark.parametrize(
    ("targets", "several"),
    [
        (["1"], False),
        (["name:redis-server"], False),
        (["name:redis*"], True),
        (["tree:1"], True),
        (["cgroup:/"], True),
        (["all"], True),
        (["1", "2"], True),
    ],
)
def test_what_means_a_set(targets: list[str], several: bool) -> None:
    assert means_a_set(targets) is several


@pytest.mark.parametrize("target", ["tree:x", "redis", "", "tree:", "1234567890123"])
def test_what_means_nothing_is_said(target: str) -> None:
    with pytest.raises(InputError):
        choose([target, "1"])


@pytest.mark.parametrize("target", ["name:no-such-*", "tree:4194305"])
def test_what_means_no_process_is_said(target: str) -> None:
    with pytest.raises(ProcessError, match="no process"):
        choose([target])


@pytest.mark.parametrize(
    ("program", "words", "role"),
    [
        ("postgres", ["postgres: checkpointer "], "postgres: checkpointer"),
        ("postgres", ["postgres: 15/main: walwriter "], "postgres: walwriter"),
        ("postgres", ["postgres: shop orders 10.0.0.7(5123) SELECT"], "postgres: backend"),
        ("postgres", ["postgres: autovacuum worker shop"], "postgres: autovacuum worker"),
        ("nginx", ["nginx: worker process"], "nginx: worker process"),
        ("nginx", ["nginx: master process /usr/sbin/nginx -g secret"], "nginx: master process"),
        (
            "chromium",
            ["/usr/lib/chromium/chromium", "--type=renderer", "--token=s3cret"],
            "chromium renderer",
        ),
        ("chromium", ["/usr/lib/chromium/chromium --type=renderer --token=s3cret"], "chromium renderer"),
        ("redis-check-rdb", ["redis-server *:6379"], "redis-server"),
        ("redis-check-rdb", ["redis-rdb-bgsave *:6379"], "redis-rdb-bgsave"),
        ("redis-check-rdb", ["s3cret *:6379"], "redis-check-rdb"),
        (
            "chromium",
            ["chromium", "--type=utility", "--utility-sub-type=network.mojom.NetworkService"],
            "chromium utility network",
        ),
        ("php-fpm8.2", ["php-fpm: pool customers"], "php-fpm: pool"),
        ("sshd", ["sshd: alice@pts/0"], "sshd: session"),
        ("python3.11", ["python3", "/srv/secret-app.py", "--password=x"], "python3.11"),
        ("sleep", [], "sleep"),
    ],
)
def test_a_role_keeps_no_word_that_could_be_a_secret(program: str, words: list[str], role: str) -> None:
    assert roles({5: Place(program, words, None, "redis-server")}) == {5: role}


def test_workers_of_one_program_are_told_from_their_master() -> None:
    words = ["/usr/bin/python3", "/usr/bin/gunicorn", "--preload", "app:app"]
    places = {
        1: Place("python3.11", words, None),
        2: Place("python3.11", words, 1),
        3: Place("python3.11", words, 1),
    }
    assert roles(places) == {1: "gunicorn master", 2: "gunicorn worker", 3: "gunicorn worker"}


def test_the_command_line_takes_shows_compares_and_redacts_sets(
    vmdiff: Run,  # noqa: F811
    parent: int,
    tmp_path,
) -> None:
    for name in ("a.json", "b.json.gz"):
        assert vmdiff("snap", f"tree:{parent}", "-o", tmp_path / name).code == 0
    shown = vmdiff("show", tmp_path / "a.json")
    assert shown.code == 0
    assert "in 3 processes (RSS adds up to" in shown.out
    document = json.loads(vmdiff("show", tmp_path / "b.json.gz", "--format", "json").out)
    assert document["format"] == "vmdiff-set-summary"
    assert sum(one["pss"] for one in document["processes"]) == document["totals"]["pss"]
    compared = vmdiff("compare", tmp_path / "a.json", tmp_path / "b.json.gz", "--format", "json")
    assert json.loads(compared.out)["format"] == "vmdiff-set-comparison"
    assert vmdiff("show", tmp_path / "a.json", "--format", "markdown").out.startswith("**")
    assert vmdiff("redact", tmp_path / "a.json", "-o", tmp_path / "public").code == 0
    assert vmdiff("show", tmp_path / "public" / "a.json").code == 0
    assert vmdiff("snap", f"tree:{parent}", "--detail", "totals", "-o", tmp_path / "t.json").code == 0
    stated = vmdiff("show", tmp_path / "t.json").out
    assert "in 3 processes (RSS adds up to" in stated
    assert "by owner" not in stated
    assert vmdiff("compare", tmp_path / "t.json", tmp_path / "a.json").code == 0
    for wrong in (("--inside",), ("--via", "sh -c true")):
        assert vmdiff("snap", f"tree:{parent}", "--detail", "totals", *wrong).code == 2
    for option in (("--fail-on", "rss > 1"), ("--only", "kind:heap"), ("--min", "1MiB"), ("--sort", "pss")):
        refused = vmdiff("compare", tmp_path / "a.json", tmp_path / "b.json.gz", *option)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert option[0] in refused.err
        assert vmdiff("show", tmp_path / "a.json", *option).code == 2
    assert vmdiff("compare", tmp_path / "a.json", f"pid:{parent}").code == 2
    assert vmdiff("show", tmp_path / "a.json", "--format", "pprof", "-o", tmp_path / "x").code == 2
    assert json.loads(vmdiff("schema", "set").out)["title"] == "SnapshotSet"


def test_a_process_that_ends_while_it_is_listed_is_left_out(tmp_path) -> None:
    """Its ``stat`` may read as nothing then; what is in the name's brackets may hold anything."""
    fields = "S 1 7 7 0 -1 4194560 10 0 3 0 1 2 0 0 20 0 1 0 8192"
    for pid, text in ((12, ""), (13, f"13 (a) b (c)) {fields}\n")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(text)
    assert [(one.pid, one.name) for one in choose(["all"], tmp_path).processes] == [(13, "a) b (c)")]
