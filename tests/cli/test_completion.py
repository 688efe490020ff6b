"""Shells complete commands, options and their values; what cannot be installed is said in a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

VMDIFF = [sys.executable, "-c", "from vmdiff.cli import main; main()"]


def completed(line: str, at: int) -> list[str]:
    environment = {"_VMDIFF_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(at)}
    done = subprocess.run(VMDIFF, env=os.environ | environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "at", "expected"),
    [
        ("vmdiff com", 1, ["compare"]),
        ("vmdiff snap --freeze-", 2, ["--freeze-limit"]),
        ("vmdiff show --by ob", 3, ["object"]),
        ("vmdiff schema sna", 2, ["snapshot"]),
    ],
)
def test_words_are_completed(line: str, at: int, expected: list[str]) -> None:
    assert completed(line, at) == expected


def test_a_script_for_the_shell_is_shown_and_installed(tmp_path: Path) -> None:
    for option in ("--show-completion", "--install-completion"):
        script = f"import subprocess; subprocess.run({[*VMDIFF, option]!r}, check=True)"
        environment = os.environ | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
        shell = ["bash", "-c", f'{sys.executable} -c "$0"; true', script]
        done = subprocess.run(shell, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    assert "_vmdiff_completion" in (tmp_path / ".bash_completions" / "vmdiff.sh").read_text()


def test_a_shell_that_is_unknown_is_no_difference() -> None:
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        [*VMDIFF, "--show-completion", "fish-and-chips"], env=environment, capture_output=True
    )

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    done = subprocess.run(
        ["bash", "-c", '"$@"; exit $?', "bash", *VMDIFF, "--install-completion"],
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("vmdiff: completion cannot be installed: ")
