"""The pytest plugin, in runs of pytest of its own."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
QUICK = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture
def run(pytester: pytest.Pytester):
    """Run pytest in a process of its own on a test module; the plugin comes by its entry point.

    Hypothesis, which takes as long to import as all the rest, stays out.
    """

    def with_source(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(textwrap.dedent(source))
        return pytester.runpytest_subprocess(*QUICK, "--strict-markers", *options)

    return with_source


def test_a_condition_that_holds_passes(run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.memory("rss < +10MiB", "new kind:file == 0")
        def test_little():
            kept = bytearray(1 << 20)
        """
    )
    result.assert_outcomes(passed=1)


def test_one_that_does_not_fails_and_shows_what_moved(run) -> None:
    result = run(
        """
        import pytest

        kept = []

        @pytest.mark.memory("rss < +10MiB")
        def test_much():
            kept.append(b"x" * (32 << 20))
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "memory: resident +3[12]*",
            "*does not hold: rss < +10MiB",
            "*malloc large block*",
            "*memory of the test process*",
            "*test_much: resident +3[12]*",
        ]
    )


def test_warm_up_fills_caches_before_the_first_snapshot(run) -> None:
    result = run(
        """
        import functools
        import pytest

        @functools.cache
        def filled():
            return b"x" * (20 << 20)

        @pytest.mark.memory("rss < +4MiB", warmup=1)
        def test_cached():
            filled()
        """
    )
    result.assert_outcomes(passed=1)


def test_the_body_is_repeated_with_its_fixtures(run) -> None:
    result = run(
        """
        import pytest

        calls = []

        @pytest.mark.memory("rss < +4MiB", repeat=3, warmup=2)
        @pytest.mark.parametrize("value", [7])
        def test_counted(value, tmp_path):
            calls.append(value)

        def test_after():
            assert calls == [7] * 5
        """
    )
    result.assert_outcomes(passed=2)


def test_what_the_test_itself_raises_comes_first(run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.memory("rss < +10MiB")
        def test_wrong():
            assert 1 == 2
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*does not hold*")


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("memory()", "*memory needs conditions*"),
        ("memory('rss < +1MiB', times=3)", "*memory takes repeat= and warmup=*"),
        ("no_leak(repeat=3)", "*no_leak takes repeat= (at least*"),
        ("memory('rss is small')", "*is no condition*"),
    ],
)
def test_a_mark_that_means_nothing_is_an_error(run, mark: str, message: str) -> None:
    result = run(
        f"""
        import pytest

        @pytest.mark.{mark}
        def test_any():
            pass
        """
    )
    assert result.ret
    result.stdout.fnmatch_lines([message])


def test_it_works_in_the_workers_of_xdist(run) -> None:
    result = run(
        """
        import pytest

        kept = []

        @pytest.mark.memory("rss < +10MiB")
        @pytest.mark.parametrize("size", [1, 1, 32, 32])
        def test_some(size):
            kept.append(b"x" * (size << 20))
        """,
        "-n",
        "2",
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*memory of the test process*", "*test_some*resident +3[12]*"])


def test_coroutines_are_measured_too(run) -> None:
    pytest.importorskip("pytest_asyncio")
    result = run(
        """
        import asyncio
        import pytest

        kept = []

        @pytest.mark.asyncio
        @pytest.mark.memory("rss < +10MiB", repeat=2)
        async def test_much():
            await asyncio.sleep(0)
            kept.append(b"x" * (32 << 20))

        @pytest.mark.asyncio
        @pytest.mark.memory("rss < +10MiB", repeat=2)
        async def test_little():
            await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(passed=1, failed=1)


def test_reports_are_written_for_each_measured_test(run, pytester: pytest.Pytester) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.memory("rss < +10MiB")
        @pytest.mark.parametrize("name", ["a/b", "c"])
        def test_named(name):
            pass

        def test_without():
            pass
        """,
        "--vmdiff-report=reports",
    )
    result.assert_outcomes(passed=3)
    reports = sorted(file.name for file in (pytester.path / "reports").iterdir())
    assert len(reports) == 2
    assert all(name.endswith(".html") for name in reports)


def test_another_process_is_watched_by_its_pid(run) -> None:
    result = run(
        f"""
        import subprocess
        import pytest

        PROGRAM = '''
        kept = []
        while True:
            kept.append(b"x" * (int(input()) << 20))
            print("done", flush=True)
        '''

        @pytest.fixture
        def process():
            with subprocess.Popen([{sys.executable!r}, "-c", __import__("textwrap").dedent(PROGRAM)], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
                yield started
                started.kill()

        def grow(process, amount):
            process.stdin.write(f"{{amount}}\\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\\n"

        def test_growth(memory, process):
            grow(process, 0)
            watched = memory.of(process.pid)
            grow(process, 32)
            assert watched.compare().totals["rss"].delta > 30 << 20
            watched.mark()
            watched.assert_no_growth()
            grow(process, 16)
            watched.assert_no_growth("rss < +8MiB")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["memory: does not hold: rss < +8MiB", "*resident*+16*"])


def test_unused_it_imports_nothing(run) -> None:
    result = run(
        """
        import sys

        def test_light():
            assert not [name for name in sys.modules if name.startswith(("vmdiff.", "pydantic"))
                        and name != "vmdiff.pytest_plugin"]
        """
    )
    result.assert_outcomes(passed=1)


def tutorial() -> str:
    """The test module of the tutorial."""
    page = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
    (module,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    return module


def test_the_tutorials_tests_fail_as_it_says_and_pass_once_mended(run) -> None:
    failing = run(tutorial())
    failing.assert_outcomes(failed=2)
    failing.stdout.fnmatch_lines(
        [
            "memory: resident +*: malloc *",
            "*does not hold: rss < +10MiB",
            "memory: *grows steadily",
            "*what is in use in malloc heap grows steadily: *",
        ]
    )
    run(tutorial().replace("    return number", "    CACHE.clear()\n    return number")).assert_outcomes(
        passed=2
    )
