"""The commands for processes elsewhere: ``collector``, ``snap --via``, and bundles as files."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ME = str(os.getpid())


def test_what_the_collector_prints_is_a_file_for_every_command(vmdiff: Run, tmp_path: Path) -> None:
    script = tmp_path / "collector"
    script.write_text(vmdiff("collector").out)
    one, several = tmp_path / "one.txt", tmp_path / "several.txt"
    for file, pids in ((one, [ME]), (several, [ME, str(os.getppid())])):
        file.write_bytes(subprocess.run(["sh", script, *pids], stdout=subprocess.PIPE, check=True).stdout)

    assert "from bundle" in vmdiff("show", one).out
    assert "2 processes" in vmdiff("show", several).out
    assert "nothing changed" in vmdiff("compare", one, one).out
    assert vmdiff("compare", several, several).code == 0
    assert json.loads(vmdiff("convert", several, "-o", "-").out)["format"] == "vmdiff-set"
    assert json.loads(vmdiff("convert", f"{several}#2", "-o", "-").out)["format"] == "vmdiff-snapshot"


def test_via_a_command_one_is_a_snapshot_and_several_are_a_set(vmdiff: Run, tmp_path: Path) -> None:
    one, several = tmp_path / "one.json", tmp_path / "several.json"
    assert vmdiff("snap", "--via", "env", ME, "-o", one, "--label", "x", "--tag", "a=b").code == 0
    document = json.loads(one.read_text())
    assert (document["label"], document["tags"], document["process"]["pid"]) == ("x", {"a": "b"}, int(ME))
    assert vmdiff("snap", "--via", "env", ME, os.getppid(), "-o", several).code == 0
    assert len(json.loads(several.read_text())["members"]) == 2
    assert "…" not in vmdiff("snap", "--via", "env", ME, "--redact", "-o", "-").err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--via", "echo hello", ME], 3),
        (["--via", "/nonexistent", ME], 3),
        (["--via", "env", "999999999"], 3),
        (["--via", "env", "name:x"], 2),
        (["--via", "", ME], 2),
        (["--via", "env", ME, "--freeze"], 2),
        (["--via", "env", ME, "--inside"], 2),
    ],
)
def test_what_goes_wrong_is_one_line(vmdiff: Run, words: list[str], code: int) -> None:
    outcome = vmdiff("snap", *words)
    assert outcome.code == code
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
