"""What a person names is understood, or the error says how it is written."""

import os
import subprocess
import sys
import threading

import pytest

from vmdiff.model import Snapshot
from vmdiff.model.problem_words import problem_words

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes a live process")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    script = "from vmdiff.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("snap", "redis-server"), 2, "name:redis-server is the process of that name"),
        (("snap", "name:no-such-process"), 3, "no process is called 'no-such-process'"),
        (("snap", "0"), 2, "process numbers are 1 to"),
        (("snap", "9" * 40), 2, "process numbers are 1 to"),
        (("show", "1234567"), 2, "no such file; pid:1234567 is the process of that number"),
    ],
)
def test_a_name_that_is_none_says_how_it_is_written(words, status, said):
    done = run(*words)

    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""


def test_the_only_process_of_a_name_is_found():
    name = f"vmdiff-{os.getpid() % 10_000}"
    script = f"open('/proc/self/comm', 'w').write({name!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"\n"
        done = run("snap", f"name:{name}", "-o", "-")
        process.communicate(b"\n")

    assert Snapshot.model_validate_json(done.stdout).process.pid == process.pid


def test_a_thread_is_named_as_such():
    event, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (ready.set(), event.wait()))
    thread.start()
    ready.wait()
    done = run("snap", str(thread.native_id), "-o", "-", "--no-owners")
    event.set()
    thread.join()

    assert f"{thread.native_id} is a thread of {os.getpid()}; use {os.getpid()}" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell):
    shown = subprocess.run(
        [sys.executable, "-c", "from vmdiff.cli import main; main()", "--show-completion", shell],
        capture_output=True,
        text=True,
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
    )

    assert "vmdiff" in shown.stdout


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ('{"format": "vmdiff-snapshot", "version": 1, "origin": {"source": 3}}', "must be a text"),
        ('{"format": "vmdiff-snapshot", "version": 1, "origin": {"source": "x"}, "nam": 1}', "is not a key that this version knows"),
        ('{"format": "vmdiff-snapshot", "version": 1}', "is missing"),
        ('{"format": "vmdiff-snapshot", "version": 1, "origin": {"source": "x"}, "mappings": [{"start": 1}]}', "is missing"),
    ],
)  # fmt: skip
def test_no_words_of_a_library_reach_a_person(tmp_path, document, said):
    path = tmp_path / "broken.json"
    path.write_text(document)
    done = run("show", str(path))

    assert done.returncode == 2
    assert said in done.stderr
    for words in ("Input", "Extra", "Field required", "pydantic", "valid string"):
        assert words not in done.stderr


def test_an_unknown_kind_of_problem_has_words_too():
    assert problem_words({"type": "of next year"}) == "is not what it should be"
    assert problem_words({"type": "greater_than", "ctx": {}}) == "is not what it should be"
