"""A pytest plugin: tests that fail when memory grows.

``@pytest.mark.memory("rss < +10MiB", "new kind:file == 0")`` states what must hold for the memory of
the test process over the test's body; ``@pytest.mark.no_leak`` runs the body again and again and
fails if memory grows steadily; the fixture ``memory`` looks at other processes. ``docs/pytest.md``
describes them. Without these marks and options the plugin does nothing and imports nothing.
"""

import gc
from collections import abc
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from vmdiff.comparison.compare import Comparison
    from vmdiff.model import Snapshot
    from vmdiff.pytest_support.observer import Observer, Outcome

# Late imports: the plugin is loaded with every run of pytest, used or not.

_MARKS = (
    "memory(*conditions, repeat=1, warmup=0): what must hold for the memory of this process, 'rss < +10MiB'",
    "no_leak(repeat=20, warmup=5): run the body repeat times and fail if memory grows steadily",
)
_MOST_SHOWN = 5
_NOTEWORTHY = 1 << 20  # bytes; smaller changes are not worth a line of the summary


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--vmdiff-report``."""
    group = parser.getgroup("vmdiff", "memory of the test process")
    group.addoption(
        "--vmdiff-report",
        metavar="DIR",
        default=None,
        help="Write an HTML report for each test marked memory.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, so that --strict-markers knows them."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    config.stash[_STATE] = _State()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the observing process."""
    state = config.stash.get(_STATE, None)
    if state is not None and state.observer is not None:
        state.observer.stop()


class _Plan(NamedTuple):
    """How a test is measured, from its marks."""

    conditions: tuple[str, ...]
    repeat: int
    warmup: int
    leak: bool


class _State:
    """What a session holds: the observer, once it was needed."""

    def __init__(self) -> None:
        self.observer: Observer | None = None

    def ready(self) -> "Observer":
        """Return the observer, started on first use."""
        from vmdiff.pytest_support.observer import Observer

        if self.observer is None:
            self.observer = Observer.start()
        return self.observer


_STATE = pytest.StashKey[_State]()


def _plan(item: pytest.Item) -> _Plan | None:
    """Read the marks of a test; None if it has none of ours.

    Raises:
        pytest.UsageError: a mark has arguments that mean nothing.
    """
    memory, no_leak = item.get_closest_marker("memory"), item.get_closest_marker("no_leak")
    if memory is None and no_leak is None:
        return None
    conditions: tuple[str, ...] = ()
    repeat, warmup = 1, 0
    if memory is not None:
        conditions = memory.args
        repeat, warmup = _counts(item, memory, repeat=1, warmup=0)
        if not conditions or not all(isinstance(condition, str) for condition in conditions):
            raise pytest.UsageError(f"{item.nodeid}: memory needs conditions, such as memory('rss < +10MiB')")
    if no_leak is not None:
        repeat, warmup = _counts(item, no_leak, repeat=20, warmup=5)
        if no_leak.args or repeat < _FEWEST_POINTS:
            raise pytest.UsageError(
                f"{item.nodeid}: no_leak takes repeat= (at least {_FEWEST_POINTS}) and warmup= only"
            )
    return _Plan(conditions, repeat, warmup, no_leak is not None)


_FEWEST_POINTS = 10  # fewer snapshots do not tell steady growth from a warm-up


def _counts(item: pytest.Item, mark: pytest.Mark, *, repeat: int, warmup: int) -> tuple[int, int]:
    counts = {"repeat": repeat, "warmup": warmup, **mark.kwargs}
    if set(counts) != {"repeat", "warmup"} or not all(type(n) is int and n >= 0 for n in counts.values()):
        raise pytest.UsageError(f"{item.nodeid}: {mark.name} takes repeat= and warmup=, whole numbers")
    return max(counts["repeat"], 1), counts["warmup"]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> abc.Generator[None, Any, Any]:
    """Measure the body of a marked test."""
    plan = _plan(pyfuncitem)
    if plan is None:
        return (yield)
    from vmdiff.pytest_support.observer import ObserverError

    try:
        observer = pyfuncitem.config.stash[_STATE].ready()
    except ObserverError as error:
        pytest.skip(f"vmdiff: {error}")
    body = _body(pyfuncitem)
    for _ in range(plan.warmup):
        body()
    gc.collect()
    observer.mark()
    for _ in range(plan.repeat - 1):
        body()
        if plan.leak:
            gc.collect()
            observer.point()
    result = yield
    gc.collect()
    observer.point()
    _judge(pyfuncitem, plan, observer)
    return result


def _body(item: pytest.Function) -> abc.Callable[[], object]:
    """Return a call of the test's function with its fixtures, as pytest's own hook calls it."""
    names = item._fixtureinfo.argnames
    arguments = {name: item.funcargs[name] for name in names}
    return lambda: item.obj(**arguments)


def _judge(item: pytest.Function, plan: _Plan, observer: "Observer") -> None:
    """Fail the test if a condition does not hold, or memory leaks."""
    report = item.config.getoption("--vmdiff-report")
    verdict = observer.judge(plan.conditions, leak=plan.leak, name=item.nodeid, report=report)
    item.user_properties.append(("vmdiff", {"delta": verdict.delta, "sentence": verdict.sentence}))
    if verdict.problems:
        pytest.fail(_failure(verdict), pytrace=False)


def _failure(verdict: "Outcome") -> str:
    """Return what is shown of a failure: what grows steadily, else what happened; then all the rest."""
    steadily = [problem for problem in verdict.problems if "grows steadily" in problem]
    first = steadily[0].partition(":")[0] if steadily else verdict.sentence
    problems = "\n".join(f"  {problem}" for problem in verdict.problems)
    return f"memory: {first}\n{problems}\n\n{verdict.text}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the tests whose memory moved most."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call"
    ]
    moved = [
        (abs(facts["delta"] or 0), report.nodeid, facts["sentence"])
        for report in reports
        for name, facts in report.user_properties
        if name == "vmdiff" and abs(facts["delta"] or 0) >= _NOTEWORTHY
    ]
    if not moved:
        return
    terminalreporter.section("memory of the test process")
    for _, test, sentence in sorted(moved, reverse=True)[:_MOST_SHOWN]:
        terminalreporter.write_line(f"{test}: {sentence}")


class MemoryFixture:
    """The fixture ``memory``: other processes, by their pid."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def of(self, pid: int) -> "Watched":
        """Watch a process from now on.

        Raises:
            vmdiff.ProcessError: it cannot be observed.
        """
        return Watched(pid)


class Watched:
    """A process and the last moment that was marked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.marked: Snapshot = self._now()

    def _now(self) -> "Snapshot":
        import vmdiff

        return vmdiff.snap(self.pid)

    def mark(self) -> "Snapshot":
        """Take a snapshot that later comparisons begin with."""
        self.marked = self._now()
        return self.marked

    def compare(self) -> "Comparison":
        """Compare the process as it is now with the last mark."""
        import vmdiff

        return vmdiff.compare(self.marked, self._now())

    def assert_no_growth(self, *conditions: str) -> None:
        """Fail the test unless the *conditions* hold since the last mark; by default ``rss < +1MiB``."""
        from vmdiff import conditions as conditions_of

        comparison = self.compare()
        asked = conditions or ("rss < +1MiB",)
        failed = [text for text in asked if not conditions_of.parse(text).holds(comparison)]
        if failed:
            pytest.fail(_described(comparison, failed), pytrace=False)


def _described(comparison: "Comparison", failed: abc.Sequence[str]) -> str:
    from vmdiff import findings
    from vmdiff.report import RENDERERS, Format, ViewOptions

    text = RENDERERS[Format.TEXT].comparison(comparison, findings.find(comparison), ViewOptions())
    return "\n".join([*(f"memory: does not hold: {condition}" for condition in failed), "", str(text)])


@pytest.fixture
def memory(request: pytest.FixtureRequest) -> MemoryFixture:
    """Watch the memory of other processes: ``memory.of(pid)``."""
    return MemoryFixture(request.node)
