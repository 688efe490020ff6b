"""The README is a program: its sessions are run, and say what they say there.

``python -m tests.test_readme`` writes the output that the commands give now into the README.
"""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from vmdiff import sources
from vmdiff.comparison.compare import compare
from vmdiff.findings import find
from vmdiff.report import RENDERERS, Format, ViewOptions

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FIXTURES = ROOT / "fixtures" / "readme"
PICTURE = ROOT / "docs" / "terminal.svg"
_SESSION = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_LIBRARY = re.compile(r"(?<=```python\n).*?(?=```)", re.DOTALL)
_COMMAND = re.compile(r"^\$ vmdiff (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)

SHOWN = [
    command.groups()
    for session in _SESSION.findall(README.read_text())
    for command in _COMMAND.finditer(session)
]


def output_of(command: str) -> str:
    """Run one command line as a user would, where the README's snapshots are."""
    script = "from vmdiff.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *shlex.split(command)],
        cwd=FIXTURES,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_the_readme_tells_the_truth(command, output):
    assert output_of(command) == output


def test_the_readme_shows_something():
    assert {command.split()[0] for command, _ in SHOWN} == {"compare"}


def test_the_librarys_example_runs(monkeypatch):
    monkeypatch.chdir(FIXTURES)
    (example,) = _LIBRARY.findall(README.read_text())
    test = doctest.DocTestParser().get_doctest(example, {}, "README", str(README), 0)
    complaints = []
    doctest.DocTestRunner(verbose=False).run(test, out=complaints.append)

    assert "".join(complaints) == ""


def test_the_picture_fetches_nothing():
    assert set(re.findall(r"https?://[^\"' ]+", PICTURE.read_text())) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_there(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def _renew() -> None:
    def session(found: re.Match[str]) -> str:
        return _COMMAND.sub(lambda one: f"$ vmdiff {one[1]}\n{output_of(one[1])}", found[0])

    PICTURE.write_text(_picture())
    os.chdir(FIXTURES)
    README.write_text(_LIBRARY.sub(_answered, _SESSION.sub(session, README.read_text())))


def _picture() -> str:
    """Draw a terminal of 120 columns and 16 colours, without the fonts that Rich would fetch."""
    before, after = (sources.load(FIXTURES / f"{name}.json") for name in ("before", "after"))
    found = compare(before, after)
    shown = RENDERERS[Format.TERMINAL].comparison(found, find(found), ViewOptions(width=120, colour=True))
    console = Console(record=True, width=121, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ vmdiff compare before.json after.json\n{str(shown).rstrip()}"))
    drawn = console.export_svg(title="vmdiff", unique_id="vmdiff")
    return re.sub(r"@font-face \{.*?\}\s*|<!-- .*? -->\s*", "", drawn, flags=re.DOTALL)


def _answered(found: re.Match[str]) -> str:
    """Write the library's example with the answers that it gives now."""
    test = doctest.DocTestParser().get_doctest(found[0], {}, "README", None, 0)
    lines = []
    for example in test.examples:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(example.source, "README", "single"), test.globs)  # noqa: S102
        lines += [f">>> {example.source}", out.getvalue()]
    return "".join(lines)


if __name__ == "__main__":
    _renew()
