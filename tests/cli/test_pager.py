"""A real terminal: what does not fit goes through a pager, and what is no text is not written to it."""

import os
import pty
import sys
import termios
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")

README = Path(__file__).parents[2] / "fixtures" / "readme"
ANSWER = "resident +30.1 MiB: jemalloc +30.1 MiB"  # of the two snapshots there


def seen(folder: Path, *words: str, lines: int = 24, **environment: str) -> tuple[str, int]:
    """Run a command in a terminal of so many lines; return what appears there, and the exit status."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        termios.tcsetwinsize(1, (lines, 80))
        script = "from vmdiff.cli import main; main()"
        kept = {
            name: value for name, value in os.environ.items() if name not in ("PAGER", "NO_PAGER", "LESS")
        }
        os.execve(  # noqa: S606
            sys.executable, [sys.executable, "-c", script, *words], kept | {"TERM": "xterm"} | environment
        )
    told = b""
    while True:
        try:
            told += os.read(terminal, 65536)
        except OSError:  # EIO: its side is closed
            break
        if told.endswith(b"\n") and not told.strip():
            continue
    os.close(terminal)
    return told.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def pager(folder: Path) -> str:
    """Write a pager that says that it was used."""
    script = folder / "pager"
    script.write_text("#!/bin/sh\necho paged by $0 with $LESS\ncat\n")
    script.chmod(0o700)
    return str(script)


def test_what_fits_is_written_and_what_does_not_is_paged(tmp_path):
    compare = ("compare", "before.json", "after.json")
    short, _ = seen(README, *compare, PAGER=pager(tmp_path))
    long, status = seen(README, *compare, "--all", PAGER=pager(tmp_path))

    assert "paged by" not in short
    assert ANSWER in short
    assert "paged by" in long
    assert "with FRX" in long
    assert status == 0


@pytest.mark.parametrize(
    "environment", [{"NO_PAGER": "1"}, {"PAGER": ""}, {"PAGER": "cat"}, {"PAGER": "/no/such"}]
)
def test_no_pager_where_there_shall_be_none_or_is_none(environment):
    told, status = seen(README, "compare", "before.json", "after.json", "--all", lines=10, **environment)

    assert ANSWER in told
    assert "total" in told
    assert status == 0


def test_the_exit_status_is_that_of_the_comparison():
    words = ("compare", "before.json", "after.json", "--all", "--exit-code")

    assert seen(README, *words, PAGER="exec head -3")[1] == 1


def test_a_report_for_a_browser_is_not_written_to_a_terminal():
    told, status = seen(README, "compare", "before.json", "after.json", "--format", "html")

    assert "-o report.html writes it to a file" in told
    assert status == 2
