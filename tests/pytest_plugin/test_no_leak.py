"""``@pytest.mark.no_leak``: a real leak of an extension is found, and what only looks like one is not."""

import shutil
import subprocess
import sysconfig
import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
SOURCE = Path(__file__).parent / "programs" / "leaky.c"

if shutil.which("gcc") is None:
    pytest.skip("no gcc", allow_module_level=True)


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the extension module ``leaky``."""
    folder = tmp_path_factory.mktemp("leaky")
    built = folder / f"leaky{sysconfig.get_config_var('EXT_SUFFIX')}"
    include = sysconfig.get_path("include")
    subprocess.run(["gcc", "-shared", "-fPIC", f"-I{include}", SOURCE, "-o", built], check=True)
    return folder


@pytest.fixture
def run(pytester: pytest.Pytester, extension: Path):
    def with_body(body: str, *options: str) -> pytest.RunResult:
        head = f"import sys\nsys.path.insert(0, {str(extension)!r})\nimport leaky\nimport pytest\n"
        pytester.makepyfile(head + textwrap.dedent(body))
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options)

    return with_body


def test_what_is_lost_a_call_is_found_and_what_is_kept_is_not(run) -> None:
    result = run(
        """
        CACHE = {}

        @pytest.mark.no_leak(repeat=50)
        def test_lost():
            leaky.lose(1024)

        @pytest.mark.no_leak
        @pytest.mark.parametrize("innocent", [
            lambda: leaky.give_back(1 << 20),
            lambda: CACHE.setdefault("filled", b"x" * (20 << 20)),
            lambda: CACHE.update({len(CACHE) % 5: b"x" * (1 << 20)}),
            lambda: [object() for _ in range(10_000)],
        ])
        def test_innocent(innocent):
            innocent()
        """
    )
    result.assert_outcomes(failed=1, passed=4)
    result.stdout.fnmatch_lines(["*what is in use in malloc heap grows steadily*", "FAILED *::test_lost*"])
