"""Words in, results on standard output, everything else on standard error, and an exit code."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vmdiff as library
from tests.acts import actor
from tests.cli.conftest import Run
from tests.draw import mappings, snapshot
from vmdiff.errors import InputError
from vmdiff.model import Snapshot
from vmdiff.report.json.schema import adapter
from vmdiff.storage import atomic_file


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name, drawing in (("a.json", "aa..1"), ("b.json", "aaa.1")):
        library.save(snapshot(*mappings(drawing)), tmp_path / name)
    return tmp_path / "a.json", tmp_path / "b.json"


def test_snap_writes_a_document_and_show_reads_it(vmdiff: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with actor() as process:
        taken = vmdiff("snap", process.pid, "-o", path, "--label", "first")
        piped = vmdiff("snap", process.pid)
        cheap = vmdiff("snap", process.pid, "--detail", "maps", "-o", "-")
    shown = vmdiff("show", path)

    assert taken == (0, "", "")
    assert Snapshot.model_validate_json(piped.out).process.pid == process.pid
    assert Snapshot.model_validate_json(cheap.out).origin.counters == ()
    assert shown.code == 0
    assert f"pid {process.pid}" in shown.out
    assert "first" in shown.out


def test_arguments_are_kept_only_when_asked_for(vmdiff: Run) -> None:
    with actor() as process:
        without = json.loads(vmdiff("snap", process.pid).out)
        with_them = json.loads(vmdiff("snap", process.pid, "--arguments").out)

    assert without["process"]["arguments"] is None
    assert with_them["process"]["arguments"][0].endswith("acts")


def test_a_file_is_never_overwritten_without_force(vmdiff: Run, pair: tuple[Path, Path]) -> None:
    a, b = pair
    before = a.read_bytes()
    refused = vmdiff("convert", b, "-o", a)

    assert (refused.code, refused.out, a.read_bytes()) == (2, "", before)
    assert re.fullmatch(r"vmdiff: \S+a\.json: exists already; --force overwrites it\n", refused.err)
    assert vmdiff("convert", b, "-o", a, "--force").code == 0
    assert a.read_bytes() == b.read_bytes()


def test_compare_writes_what_its_schema_says(vmdiff: Run, pair: tuple[Path, Path]) -> None:
    result = vmdiff("compare", *pair, "--match", "address", "--format", "json")
    document = adapter().validate_json(result.out)

    assert [change["change"] for change in document["changes"]] == ["grown"]
    assert document["totals"]["size"]["delta"] == 4096
    assert document["unchanged"] == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param((), 0, id="nothing-asked"),
        pytest.param(("--exit-code",), 1, id="a-change"),
        pytest.param(("--fail-on", "size > +0"), 1, id="grown"),
        pytest.param(("--fail-on", "size > 15KiB"), 1, id="a-level"),
        pytest.param(("--fail-on", "size > 16KiB"), 0, id="not-that-level"),
        pytest.param(("--fail-on", "virtual > +0"), 1, id="as-the-column-is-called"),
        pytest.param(("--fail-on", "rss > +1MiB/h"), 2, id="a-rate-is-for-trend"),
        pytest.param(("--fail-on", "reside > +1MiB"), 2, id="no-such-counter"),
        pytest.param(("--fail-on", "owner:'malloc arna' rss > +1MiB"), 2, id="no-such-owner"),
        pytest.param(("--fail-on", "path:*/nowhere rss > +1MiB"), 2, id="a-path-that-matches-nothing"),
        pytest.param(("--fail-on", "size > +4KiB"), 0, id="not-by-more"),
        pytest.param(("--fail-on", "size >= +4KiB"), 1, id="just"),
        pytest.param(("--fail-on", "size < -0"), 0, id="not-shrunk"),
        pytest.param(("--fail-on", "size > 33%"), 1, id="a-third"),
        pytest.param(("--fail-on", "size > 34%"), 0, id="not-more-than-a-third"),
        pytest.param(("--fail-on", "kind:file size > +0"), 0, id="the-file-did-not"),
        pytest.param(("--fail-on", "kind:heap rss > 5%"), 0, id="percent-of-nothing"),
        pytest.param(("--fail-on", "grown > 0"), 1, id="a-number-of-changes"),
        pytest.param(("--fail-on", "grown kind:file > 0"), 0, id="of-others"),
        pytest.param(("--fail-on", "new > 0", "--fail-on", "grown == 1"), 1, id="either"),
        pytest.param(("--fail-on", "ksm > 0"), 2, id="unknown-is-an-error"),
        pytest.param(("--fail-on", "rss"), 2, id="no-condition"),
        pytest.param(("--fail-on", "rss > lots"), 2, id="no-size"),
        pytest.param(("--match", "sideways"), 2, id="wrong-usage"),
        pytest.param(("--min", "x"), 2, id="no-size-either"),
        pytest.param(("--only", "colour:red"), 2, id="no-selector"),
        pytest.param(("--only", ""), 2, id="an-empty-selector"),
    ],
)
def test_exit_codes_of_compare(
    vmdiff: Run, pair: tuple[Path, Path], options: tuple[str, ...], code: int
) -> None:
    result = vmdiff("compare", *pair, "--match", "address", *options)

    assert result.code == code
    assert (result.err != "") == (code == 2 or ("--fail-on" in options and code == 1))
    assert "Traceback" not in result.err


def test_no_change_is_no_difference(vmdiff: Run, pair: tuple[Path, Path]) -> None:
    assert vmdiff("compare", pair[0], pair[0], "--match", "address", "--exit-code").code == 0


@pytest.mark.parametrize("command", [("show",), ("compare", "pid:999999999")])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"", "neither|nothing|empty"),
        (b"{", r"not JSON"),
        (b'{"format": "other"}', "another tool"),
        (b"\x1f\x8b\x08damaged", "gzip"),
        (b"hello\n", ""),
    ],
)
def test_bad_input_gets_one_message_and_exit_2(
    vmdiff: Run, tmp_path: Path, command: tuple[str, ...], content: bytes | None, message: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    result = vmdiff(command[0], path, *(["-"] if len(command) > 1 else []))

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("vmdiff: ")
    assert re.search(message, result.err)


def test_processes_that_cannot_be_observed_are_exit_3(vmdiff: Run) -> None:
    zombie = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    try:
        results = {pid: vmdiff("snap", pid) for pid in (zombie.pid, 2**31 - 1)}
    finally:
        zombie.wait()

    assert {result.code for result in results.values()} == {3}
    assert "zombie" in results[zombie.pid].err
    assert "no process" in results[2**31 - 1].err
    assert all(result.err.count("\n") == 1 for result in results.values())


def test_pids_are_compared_as_they_are_now(vmdiff: Run) -> None:
    with actor() as process:
        result = vmdiff("compare", f"pid:{process.pid}", f"pid:{process.pid}", "--exit-code")

    assert (result.code, result.err) == (0, "")


@pytest.mark.parametrize("words", [("--help",), ("snap", "--help"), ("compare", "-h"), ("--version",)])
def test_help_and_version(vmdiff: Run, words: tuple[str, ...]) -> None:
    result = vmdiff(*words)

    assert (result.code, result.err) == (0, "")
    assert "vmdiff" in result.out


@pytest.mark.parametrize(
    "words",
    [
        ("snap",),
        ("snap", "x"),
        ("snap", "0"),
        ("snap", "-5"),
        ("wrong",),
        ("show", "pid:0x1"),
        ("compare", "-", "-"),
    ],
)
def test_wrong_usage_is_exit_2(vmdiff: Run, words: tuple[str, ...]) -> None:
    assert vmdiff(*words).code == 2


@pytest.mark.parametrize("document", ["snapshot", "comparison"])
def test_schemas_are_json(vmdiff: Run, document: str) -> None:
    assert json.loads(vmdiff("schema", document).out)["type"] == "object"


@pytest.mark.parametrize("words", ["show {} --all --format json", "compare {} {}", "--help", "show --help"])
def test_a_broken_pipe_is_silent_and_no_failure(pair: tuple[Path, Path], words: str) -> None:
    command = f"{sys.executable} -m vmdiff {words.format(*pair)} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    ["show {}", "compare {} {} --format json", "schema snapshot", "--help", "snap --help", "--version"],
)
def test_a_full_disk_is_said_and_is_exit_2(pair: tuple[Path, Path], words: str, unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "vmdiff", *words.format(*pair).split()]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)

    assert done.returncode == 2
    assert done.stderr == "vmdiff: standard output: No space left on device\n"


def test_what_cannot_be_said_changes_nothing(pair: tuple[Path, Path], tmp_path: Path) -> None:
    conditions = f"compare {pair[0]} {pair[1]} --fail-on 'size != 0' -o {tmp_path}/x.txt"
    for streams in ("2>/dev/full", ">&- 2>/dev/full", "2> >(true)"):
        with actor() as process:
            for words, code in ((f"snap {process.pid} --freeze -o {tmp_path}/x.json", 0), (conditions, 1)):
                command = f"{sys.executable} -m vmdiff {words} --force {streams}"
                done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, text=True)

                assert (done.returncode, done.stdout) == (code, ""), command
        assert {path.name for path in tmp_path.iterdir()} == {"a.json", "b.json", "x.json", "x.txt"}
        (tmp_path / "x.json").unlink()
        (tmp_path / "x.txt").unlink()


@pytest.mark.parametrize("words", ["show {}", "schema snapshot"])
def test_a_closed_standard_output_is_said_and_is_exit_2(pair: tuple[Path, Path], words: str) -> None:
    command = f"{sys.executable} -m vmdiff {words.format(pair[0])} >&-"
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, text=True)

    assert done.returncode == 2
    assert done.stderr == "vmdiff: standard output: closed; -o FILE writes to a file\n"


@pytest.mark.parametrize(
    ("stream", "says"),
    [("<&-", "closed, or has nothing yet"), ("0>/dev/null", "Bad file descriptor"), ("</dev/null", "empty")],
)
def test_a_standard_input_that_gives_nothing_is_said_and_is_exit_2(stream: str, says: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m vmdiff show - {stream}"], capture_output=True, text=True
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"vmdiff: <stdin>: {says}")


def test_more_than_is_read_of_a_stream_is_refused() -> None:
    with pytest.raises(InputError, match="x: larger than 1 MiB"):
        atomic_file.read_from(io.BytesIO(bytes((1 << 20) + 1)), "x", largest=1 << 20)


def test_names_in_messages_cannot_reach_the_terminal(vmdiff: Run, tmp_path: Path) -> None:
    result = vmdiff("show", tmp_path / "a\x1b[31mb")

    assert result.code == 2
    assert "\x1b" not in result.err


@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["no-such-command"], 2)])
def test_the_program_leaves_with_its_status_and_after_what_runs_at_an_exit(
    words: list[str], status: int
) -> None:
    script = "import atexit; atexit.register(print, 'left'); from vmdiff.cli import command; command()"
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)

    assert done.returncode == status
    assert done.stdout.endswith("left\n")
