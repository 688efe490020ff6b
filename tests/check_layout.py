"""Check what no other tool does: one name for one thing, short functions, tests without a clock.

Run by ``make check``.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FUNCTION = 40  # lines
CLOCKS = {
    "clock",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "time_ns",
    "timeit",
}
WAITS = Path("tests/waiting.py")  # the one place that pauses
NAMED_FILE = re.compile(r"`((?:\w+/)*\w+\.py)`")
AGAIN = ("reruns", "flaky", "pytest-retry")

Source = tuple[Path, str, ast.Module]


class Problem(NamedTuple):
    """What is wrong, in a few words, and where."""

    what: str
    where: str


def main() -> None:
    package, tests = list(sources("vmdiff")), list(sources("tests"))
    found = [
        *twice("module", ((path.stem, path) for path, _, _ in package if not path.stem.startswith("__"))),
        *twice("class", ((name, path) for path, _, tree in package for name in classes(tree))),
        *(problem for source in package for problem in (*long_functions(source), *late_imports(source))),
        *(problem for source in tests for problem in clocks(source)),
        *runs_again(),
        *gone_files(),
    ]
    for what, where in found:
        print(f"{what}: {where}")
    sys.exit(bool(found))


def sources(folder: str) -> Iterator[Source]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        yield path.relative_to(ROOT), text, ast.parse(text)


def twice(what: str, named: Iterator[tuple[str, Path]]) -> Iterator[Problem]:
    """Yield each name that several places have."""
    places: dict[str, list[str]] = {}
    for name, path in named:
        places.setdefault(name, []).append(str(path))
    for name, paths in places.items():
        if len(paths) > 1:
            yield Problem(f"{what} {name}", f"names several: {', '.join(sorted(paths))}")


def classes(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the classes of a module, without the underscore of privacy."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def long_functions(source: Source) -> Iterator[Problem]:
    """Yield the functions whose body, without the docstring, is too long."""
    path, _, tree = source
    for node in functions(tree):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if length > LONGEST_FUNCTION:
            yield Problem(f"long function {node.name}", f"{length} lines, in {path}")


def late_imports(source: Source) -> Iterator[Problem]:
    """Yield the imports inside functions of which nothing says why they are late.

    The reason is a comment beside or above the first of them, or one for the module: ``# Late imports: ...``.
    """
    path, text, tree = source
    lines = text.split("\n")
    if any(line.startswith("# Late imports: ") for line in lines):
        return
    for function in functions(tree):
        late = {n.lineno for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)}
        for number in sorted(late):
            above = next(n for n in range(number - 1, 0, -1) if lines[n - 1].strip())
            if above not in late and not any("# " in lines[n - 1] for n in (above, number)):
                yield Problem(f"late import without a reason in {path}", lines[number - 1].strip())


def clocks(source: Source) -> Iterator[Problem]:
    """Yield what looks at a clock, or pauses elsewhere than where waiting is done."""
    path, _, tree = source
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
            name = node.attr
        elif isinstance(node, ast.ImportFrom) and node.module in {"time", "timeit"}:
            name = node.names[0].name
        else:
            continue
        if name in {*CLOCKS, "time"} or (name == "sleep" and path != WAITS):
            yield Problem(
                f"time.{name} in {path}", "count the work, or wait for the event (tests/waiting.py)"
            )


def runs_again() -> Iterator[Problem]:
    """Yield what would try a test again until it passes."""
    for name in ("Makefile", "pyproject.toml", ".ci/run", "tests/conftest.py"):
        text = (ROOT / name).read_text(encoding="utf-8")
        yield from (
            Problem(f"{word} in {name}", "a retry hides what fails") for word in AGAIN if word in text
        )


def gone_files() -> Iterator[Problem]:
    """Yield the Python files that docstrings and documentation name in backticks and that are not there."""
    ours = [
        path for folder in ("vmdiff", "tests", "fuzz", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    for path in (*ours, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for name in set(NAMED_FILE.findall(path.read_text(encoding="utf-8"))):
            if not any(file.match(name) for file in ours):
                yield Problem(f"no file {name}", f"named in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
