"""The GitHub Action: its description is valid, and its steps do what they say."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("ruamel.yaml")

# Allocates as many MiB as it is asked for, and answers when it has.
SERVICE = """
import os, sys
kept = []
ask, answer = sys.argv[1:]
while True:
    with open(ask) as asked:
        amount = int(asked.read())
    kept.append(b"x" * (amount << 20))
    with open(answer, "w") as done:
        done.write("done")
"""


@pytest.fixture(scope="module")
def action() -> dict:
    return yaml.YAML(typ="safe").load((ROOT / "action.yml").read_text())


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A process, and the command that has it allocate 24 MiB."""
    ask, answer = tmp_path / "ask", tmp_path / "answer"
    os.mkfifo(ask)
    os.mkfifo(answer)
    with subprocess.Popen([sys.executable, "-c", SERVICE, ask, answer]) as process:
        yield process.pid, f"echo 24 > {ask}; cat {answer} > {tmp_path}/told"
        process.kill()


class Step:
    """The measuring step, run as a runner would run it."""

    def __init__(self, action: dict, folder: Path) -> None:
        self._script = action["runs"]["steps"][1]["run"]
        self._inputs = {name: one.get("default", "") for name, one in action["inputs"].items()}
        self._folder = folder
        self.summary, self._outputs = folder / "summary.md", folder / "outputs"

    def run(self, **inputs: object) -> "subprocess.CompletedProcess[str]":
        given = self._inputs | {name.replace("_", "-"): str(value) for name, value in inputs.items()}
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self._outputs),
            "TARGET": given["target"],
            "COMMAND": given["command"],
            "BASE": given["base"],
            "FAIL_ON": given["fail-on"],
            "OUTPUT": given["output"],
        }
        # As GitHub runs "shell: bash": https://docs.github.com/actions/reference/workflow-syntax
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", self._script]
        return subprocess.run(command, env=environment, cwd=self._folder, capture_output=True, text=True)

    @property
    def outputs(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self._outputs.read_text().splitlines())


@pytest.fixture
def step(action: dict, tmp_path: Path) -> Step:
    return Step(action, tmp_path)


def test_the_description_is_what_github_expects() -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip("check-jsonschema is not installed")
    command = [checker, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_no_input_is_pasted_into_a_script(action: dict) -> None:
    """Inputs reach scripts as variables; pasted ones would be run as code."""
    assert not [step for step in action["runs"]["steps"] if "${{" in step["run"]]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_its_scripts_are_sound(action: dict) -> None:
    for step in action["runs"]["steps"]:
        script = "#!/bin/bash\n" + step["run"]
        checked = subprocess.run(["shellcheck", "-"], input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout


def test_a_command_that_lets_the_process_grow_fails_the_step(step: Step, service: tuple[int, str]) -> None:
    pid, command = service
    done = step.run(target=pid, command=command, fail_on="rss > +10MiB\n\nnew kind:file > 5")
    assert done.returncode == 1, done.stderr
    assert step.outputs["failed"] == "true"
    assert step.outputs["sentence"].startswith("resident +2")
    assert "::error::vmdiff" in done.stdout
    summary = step.summary.read_text()
    assert summary.startswith("## Memory: during-the-command")
    assert step.outputs["sentence"] in summary


def test_without_growth_it_passes_and_the_next_run_has_a_base(step: Step, service: tuple[int, str]) -> None:
    pid, _ = service
    assert step.run(target=pid, command="true", fail_on="rss > +10MiB", base="none.json").returncode == 0
    assert step.outputs["failed"] == "false"
    taken = json.loads((step.summary.parent / step.outputs["after"]).read_text())
    assert taken["process"]["pid"] == pid


def test_a_base_is_compared_with_the_last_snapshot(
    step: Step, service: tuple[int, str], tmp_path: Path
) -> None:
    pid, command = service
    assert step.run(target=pid, output="first").returncode == 0
    subprocess.run(["bash", "-c", command], check=True, cwd=tmp_path)
    done = step.run(target=pid, base="first/after.json", fail_on="rss > +10MiB")
    assert done.returncode == 1
    assert "## Memory: since-base" in step.summary.read_text()


def test_a_process_that_is_not_there_fails_as_vmdiff_does(step: Step) -> None:
    done = step.run(target=2**22 + 1)
    assert done.returncode == 3
    assert "vmdiff:" in done.stderr
