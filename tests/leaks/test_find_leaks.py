"""What is lost of real programs that know how much they lost, and of some that lost nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import waiting
from tests.effort import times
from tests.owners.inside.glibcs import Glibc, command
from tests.owners.real import library
from vmdiff.errors import ConditionError
from vmdiff.leaks import leak_condition, leak_report, leak_text
from vmdiff.leaks.find_leaks import find_leaks, find_leaks_in_core
from vmdiff.leaks.lost_groups import LostGroups
from vmdiff.leaks.reachable import BlockGraph
from vmdiff.leaks.still_process import held_still
from vmdiff.owners import RULES, Scene, assign
from vmdiff.owners.inside.block_listers import used_blocks

pytest.importorskip("numpy")
_PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module", params=[[], ["-s"]], ids=["symbols", "stripped"])
def planted(request, tmp_path_factory):
    return _built(tmp_path_factory, "g++", "planted.cc", "-O0", "-pthread", *request.param)


def _built(tmp_path_factory, compiler, source, *options):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    path = tmp_path_factory.mktemp("planted") / "planted"
    subprocess.run([compiler, "-o", path, _PROGRAMS / source, *options], check=True)
    return path


@contextmanager
def _running(*command):
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("threads", [[], ["threads"]], ids=["alone", "threads"])
def test_what_was_planted_is_found_and_nothing_else(planted, threads):
    with _running(planted, *threads) as (process, said):
        report = find_leaks(process.pid)
    expected = int(said)
    assert 0.999 * expected <= report.lost.blocks <= expected
    names = {group.name for group in report.groups}
    assert {"app::Session", "app::Node", None} <= names
    sessions = next(group for group in report.groups if group.name == "app::Session")
    assert 1998 <= sessions.roots == sessions.blocks <= 2000
    assert sessions.held.blocks >= 2 * 1998  # with the node that each of them holds


def test_what_is_kept_beside_a_guard_is_not_lost(tmp_path_factory):
    with _running(_built(tmp_path_factory, "gcc", "guarded.c")) as (process, said):
        if said == "no guards":
            pytest.skip("this kernel has no guard regions")
        report = find_leaks(process.pid)
    assert report.lost.blocks == 0
    assert not [one for one in report.searched.not_ if "could not be read" in one]


@pytest.mark.parametrize(
    ("compiler", "source", "options"),
    [
        pytest.param("gcc", "planted.c", ["-O0"], id="glibc"),
        pytest.param("gcc", "planted.c", ["-O0", "-m32"], id="32-bit"),
        pytest.param("gcc", "planted.c", ["-O0", "-ljemalloc"], id="jemalloc"),
        pytest.param("g++", "planted.cc", ["-O0", "-pthread", "-s", "-ljemalloc"], id="jemalloc-stripped"),
        pytest.param("musl-gcc", "planted.c", ["-O0"], id="musl"),
        pytest.param("rustc", "planted.rs", ["-Cstrip=symbols", "--edition=2021"], id="rust"),
    ],
)
def test_blocks_of_each_allocator_and_language_are_searched(tmp_path_factory, compiler, source, options):
    if "-ljemalloc" in options:
        library("libjemalloc.so")
    program = _built(tmp_path_factory, compiler, source, *options)
    with _running(program) as (process, said):
        report = find_leaks(process.pid)
    assert 0.999 * int(said) <= report.lost.blocks <= int(said)


def test_blocks_of_the_newest_jemalloc_are_searched():
    program = command(Glibc("sid", 64), str(_PROGRAMS / "planted.c"), "libjemalloc.so.2")
    with _running(*program) as (process, said):
        report = find_leaks(process.pid)
    assert 0.999 * int(said) <= report.lost.blocks <= int(said)
    assert len(report.searched.not_) == 1  # encoded pointers


@pytest.mark.parametrize(
    ("name", "file"), [("tcmalloc", "libtcmalloc_minimal.so.4"), ("mimalloc", "libmimalloc.so.2")]
)
def test_an_allocator_that_is_not_listed_is_said_and_accused_of_nothing(tmp_path_factory, name, file):
    linked = "-Wl,--no-as-needed", f"-l:{library(file).name}"
    program = _built(tmp_path_factory, "gcc", "planted.c", "-O0", *linked)
    with _running(program) as (process, _):
        report = find_leaks(process.pid)
    assert report.lost.blocks == 0
    assert any(told.startswith(f"{name}: the blocks in ") for told in report.searched.not_)
    assert report.searched.blocks == 0


def test_a_program_that_lost_nothing_is_not_accused():
    with _running(sys.executable, "-c", "import json, time\nprint(1, flush=True)\ntime.sleep(600)") as (
        run,
        _,
    ):
        report = find_leaks(run.pid)
    assert report.searched.blocks > 100
    assert report.lost.bytes <= 0.0001 * report.searched.bytes


def test_the_target_runs_on_when_leaks_is_killed(planted):
    with _running(planted, "threads") as (process, _):
        for number in range(times(12)):
            command = [sys.executable, "-m", "vmdiff", "leaks", str(process.pid)]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as leaks:
                if number % 2:  # while it is held, else wherever it is by then
                    waiting.until(
                        lambda run=leaks: waiting.state(process.pid) == "t" or run.poll() is not None
                    )
                leaks.send_signal(signal.SIGKILL)
            waiting.until(lambda: waiting.state(process.pid) not in {"t", "T"})


def test_without_numpy_one_sentence_says_what_to_install(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ImportError")
    done = subprocess.run(
        [sys.executable, "-m", "vmdiff", "leaks", str(os.getpid())],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "vmdiff: leaks needs packages that are not installed: pip install 'vmdiff[fast]'\n"


@pytest.fixture(scope="module")
def report(planted):
    with _running(planted) as (process, _):
        return find_leaks(process.pid)


def test_the_document_is_as_described_and_read_again(report):
    document = json.loads(report.to_json())
    assert (document["format"], document["version"]) == ("vmdiff-leaks", 1)
    assert set(document["searched"]) == {"blocks", "bytes", "not"}
    assert {"name", "size", "blocks", "bytes", "roots"} <= set(document["groups"][0])
    assert leak_report.load(report.to_json().encode(), source="it") == report


def test_groups_sum_to_the_total(report):
    assert sum(group.blocks for group in report.groups) == report.lost.blocks
    assert sum(group.bytes for group in report.groups) == report.lost.bytes
    assert sum(group.held.blocks for group in report.groups) == report.lost.blocks


_LOSING = """
import ctypes, time
def plant():
    for number in range(3000):
        kept = f"text number {number}"
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    for number in range(1000):
        kept = number + 0.5
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    for number in range(1000):
        kept = bytes(1000)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
plant()
print(5000, flush=True)
time.sleep(600)
"""


def test_python_objects_whose_count_was_never_let_go_are_found_by_type():
    with _running(sys.executable, "-c", _LOSING) as (process, said):
        report = find_leaks(process.pid)
    found = Counter()
    for group in report.groups:
        found[group.name] += group.blocks
    # Some are kept by what other blocks that were free before have left of their words.
    assert found["str"] >= 2900
    assert found["float"] >= 950
    assert found["bytes"] >= 950
    assert report.lost.blocks <= 1.01 * int(said)


def test_of_too_many_groups_the_largest_are_rows_and_the_rest_is_said(planted):
    with _running(planted) as (process, _), held_still(process.pid, 10) as still:
        graph, scene, lost = _searched(still)
        few, every = LostGroups(scene, graph, lost, most=3), LostGroups(scene, graph, lost)
    assert len(few.rows()) == 3
    assert every.others() is None
    assert {row.bytes for row in few.rows()} == set(sorted(row.bytes for row in every.rows())[-3:])
    rest = few.others()
    assert sum(row.blocks for row in few.rows()) + rest.blocks == int(lost.which.sum())
    assert sum(row.bytes for row in few.rows()) + rest.bytes == int(graph.sizes[lost.which].sum())


def _searched(still):
    scene = Scene(still.snapshot, still.memory)
    scene = Scene(assign(scene, RULES), still.memory)
    graph = BlockGraph(tuple(used_blocks(scene)), scene.word_size, None)
    for piece in still.pieces:
        if data := piece.read(piece.start, piece.end):
            graph.add_memory(piece.start, data)
    return graph, scene, graph.lost()


def test_a_core_file_has_lost_what_its_process_had(planted, tmp_path):
    if shutil.which("gcore") is None:
        pytest.skip("no gdb")
    with _running(planted) as (process, said):
        subprocess.run(["gcore", "-o", tmp_path / "core", str(process.pid)], check=True, capture_output=True)
        alive = find_leaks(process.pid)
    file = tmp_path / f"core.{process.pid}"
    core = find_leaks_in_core(file)
    assert core.frozen_seconds is None
    assert 0.999 * int(said) <= core.lost.blocks <= int(said)
    assert {group.name for group in core.groups} == {group.name for group in alive.groups}
    os.truncate(file, file.stat().st_size - (1 << 20))
    cut = find_leaks_in_core(file)
    assert any("could not be read: what only they point to looks lost" in what for what in cut.searched.not_)


def test_nothing_is_new_since_the_same_report(report):
    assert leak_report.since(report, report).new.blocks == 0
    without = report.model_copy(update={"groups": ()})
    assert leak_report.since(without, report).new.bytes == report.lost.bytes


def test_conditions_hold_by_amount(report):
    assert leak_condition.parse("lost > 1MiB").holds(report)
    assert not leak_condition.parse("lost > 1GiB").holds(report)
    assert leak_condition.parse("lost blocks >= 1000").holds(report)


def test_a_condition_is_unknown_where_nothing_was_searched(report):
    unread = report.model_copy(update={"searched": leak_report.SearchedMemory(blocks=0, bytes=0)})
    with pytest.raises(ConditionError):
        leak_condition.parse("lost > 0").holds(unread)


def test_each_form_tells_the_class_and_the_page_runs_nothing(report):
    assert "app::Session" in leak_text.text(report)
    assert "app::Session" in leak_text.markdown(report)
    page = leak_text.html(report)
    assert "default-src 'none'" in page
    assert "<script" not in page
