"""Watch a test process from a second process, so that looking at it does not grow it.

A snapshot that the test process took of itself would be part of the next one: the models that are
imported, and each snapshot that is kept, are a few MiB. So a child of the test process takes and keeps
all snapshots and compares them; only sentences come back. Requests and answers are JSON, a line each.
"""

import json
import os
import re
import subprocess
import sys
from collections import abc
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from vmdiff.comparison.compare import Comparison
    from vmdiff.model import Snapshot

# Late imports: the test process loads nothing of what the child needs, which would be memory of its own.


class ObserverError(Exception):
    """The observer could not do what was asked; the message is a sentence for the user."""


class Outcome(NamedTuple):
    """What became of a test's memory.

    *problems* are the conditions that do not hold, and what leaks; *sentence* is the first line of the
    comparison, *text* all of it, *delta* the change of resident memory in bytes (None: unknown).
    """

    problems: tuple[str, ...]
    sentence: str
    text: str
    delta: int | None


class Observer:
    """A child process that looks at the process that started it."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    @classmethod
    def start(cls) -> Self:
        """Start an observer of this process.

        Raises:
            ObserverError: this process cannot be observed.
        """
        command = [sys.executable, "-m", "vmdiff.pytest_support.observer"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        observer = cls(child)
        _allow_tracing_by(child.pid)
        observer.ask(do="start", pid=os.getpid())
        return observer

    def mark(self) -> None:
        """Forget the snapshots that were taken, and take the first of a new test."""
        self.ask(do="mark")

    def point(self) -> None:
        """Take a further snapshot."""
        self.ask(do="point")

    def judge(self, conditions: abc.Sequence[str], *, leak: bool, name: str, report: str | None) -> Outcome:
        """Compare the last snapshot with the first; with *leak*, judge the trend over all of them, too.

        An HTML report for the test *name* is written into the folder *report*.
        """
        answer = self.ask(do="judge", conditions=list(conditions), leak=leak, name=name, report=report)
        return Outcome(tuple(answer["problems"]), answer["sentence"], answer["text"], answer["delta"])

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises:
            ObserverError: the observer refused, or is gone.
        """
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:
            raise ObserverError("the observer has no pipes")
        try:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            line = answers.readline()
        except OSError as error:
            raise ObserverError(f"the observing process is gone: {error}") from error
        if not line:
            raise ObserverError("the observing process is gone")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ObserverError(answer["error"])
        return answer

    def stop(self) -> None:
        """Let the observer end, and wait until it has."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        self._child.wait()


def _allow_tracing_by(pid: int) -> None:
    """Permit a child to read this process's memory, where Yama restricts that to descendants.

    prctl(PR_SET_PTRACER), Documentation/admin-guide/LSM/Yama.rst. Without it fewer owners are found.
    """
    import ctypes

    pr_set_ptracer = 0x59616D61
    try:
        ctypes.CDLL(None).prctl(pr_set_ptracer, pid, 0, 0, 0)
    except (OSError, AttributeError):
        return


class _TestProcess:
    """The observer's side: the snapshots of the test that runs now."""

    def __init__(self, pid: int) -> None:
        from vmdiff.owners import KnownFiles

        self._pid = pid
        self._known = KnownFiles()
        self.mark()

    def mark(self) -> None:
        from vmdiff.recording.process_reader import ProcessReader

        self._reader = ProcessReader(known=self._known)
        self._points = [self._look()]

    def point(self) -> None:
        self._points.append(self._look())

    def _look(self) -> "Snapshot":
        from vmdiff.capture import ProcessFolder

        with ProcessFolder(self._pid) as folder:
            return self._reader.read(folder).snapshot

    def judge(self, *, conditions: list[str], leak: bool, name: str, report: str | None) -> dict[str, Any]:
        from vmdiff import conditions as conditions_of
        from vmdiff.answer import answer
        from vmdiff.comparison.compare import compare

        comparison = compare(self._points[0], self._points[-1])
        asked = [conditions_of.parse(condition) for condition in conditions]
        problems = _leaks(self._points) if leak else []
        problems += [f"does not hold: {one.text}" for one in asked if not one.holds(comparison)]
        if report is not None:
            _write_report(Path(report), name, comparison)
        return {
            "problems": problems,
            "sentence": answer(comparison).sentence,
            "text": _written(comparison, "text"),
            "delta": None if (total := comparison.totals.get("rss")) is None else total.delta,
        }


def _leaks(points: "abc.Sequence[Snapshot]") -> list[str]:
    """Name what grows steadily over the snapshots."""
    from vmdiff.series.verdict import judge

    times = [float(at) for at in range(len(points))]  # one body of the test apart, however long it takes
    judged = {name: judge(times, values) for name, values in _series(points).items()}
    return [
        f"{name} grows steadily: {found.evidence}" for name, found in judged.items() if found.name == "leak"
    ]


def _series(points: "abc.Sequence[Snapshot]") -> dict[str, list[int | None]]:
    """Return what could leak: private memory, and what each allocator has in use where that is known."""
    series: dict[str, list[int | None]] = {
        "private memory": [point.total("private_dirty") for point in points]
    }
    used = [_in_use(point) for point in points]
    for owner in used[0]:
        if all(owner in point for point in used):
            series[f"what is in use in {owner}"] = [point[owner] for point in used]
    return series


def _in_use(point: "Snapshot") -> "dict[str, int | None]":
    """Return what is in use by owner; None where one of an owner's records is unknown or partial."""
    sums: dict[str, int | None] = {}
    for usage in point.usage or ():
        known = usage.in_use if usage.partial is None else None
        before = sums.get(usage.owner, 0)
        sums[usage.owner] = None if known is None or before is None else before + known
    return sums


def _written(comparison: "Comparison", form: str) -> str:
    from vmdiff import findings
    from vmdiff.report import RENDERERS, Format, ViewOptions

    written = RENDERERS[Format(form)].comparison(comparison, findings.find(comparison), ViewOptions())
    return written if isinstance(written, str) else written.decode()


def _write_report(folder: Path, test: str, comparison: "Comparison") -> None:
    """Write the HTML report of a test, in place of an earlier run's."""
    from vmdiff.storage import atomic_file

    name = re.sub(r"[^A-Za-z0-9._-]+", "-", test).strip("-.")[:150] or "test"
    folder.mkdir(parents=True, exist_ok=True)
    atomic_file.write(folder / f"{name}.html", [_written(comparison, "html").encode()], force=True)


def _serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until the test process closes its end."""
    from vmdiff.errors import VmdiffError

    watched: _TestProcess | None = None
    for line in requests:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            match request.pop("do"), watched:
                case "start", _:
                    watched = _TestProcess(**request)
                case "mark", _TestProcess():
                    watched.mark()
                case "point", _TestProcess():
                    watched.point()
                case "judge", _TestProcess():
                    answer = watched.judge(**request)
                case do, _:
                    answer = {"error": f"unknown request {do!r}"}
        except VmdiffError as error:
            answer = {"error": str(error)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve(sys.stdin, sys.stdout)
