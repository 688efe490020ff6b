"""The reports in the documentation are those of the snapshots beside the README.

``python -m tests.test_reports`` writes them anew, pictures included.
"""

import tempfile
from pathlib import Path

import pytest

from vmdiff import sources
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.findings import find
from vmdiff.report import RENDERERS, Format, ViewOptions
from vmdiff.units import signed

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "docs" / "reports"
WRITTEN = {
    "redis.md": Format.MARKDOWN,
    "redis.txt": Format.TEXT,
    "redis.html": Format.HTML,
    "redis.folded": Format.FOLDED,
    "redis.om": Format.OPENMETRICS,
}


def redis() -> Comparison:
    """A redis-server before and after 200,000 keys were loaded into it."""
    folder = ROOT / "fixtures" / "readme"
    return compare(sources.load(folder / "before.json"), sources.load(folder / "after.json"))


def test_the_html_report_carries_the_snapshots_it_is_of() -> None:
    found = redis()

    assert sources.load_pair(REPORTS / "redis.html") == (found.before, found.after)


@pytest.mark.parametrize("name", ["redis.md", "redis.txt", "redis.html"])
def test_every_report_says_the_same(name: str) -> None:
    written = (REPORTS / name).read_text()
    totals = redis().totals

    for said in ("redis-server (pid 812)", *(signed(totals[name].delta or 0) for name in ("size", "rss"))):
        assert said in written


def test_what_is_written_is_linked() -> None:
    linked = (REPORTS / "README.md").read_text()

    assert [
        file.name for file in REPORTS.iterdir() if file.name not in linked and file.name != "README.md"
    ] == []


def write() -> None:
    """Write every report, and the pictures of the HTML one."""
    found = redis()
    for name, form in WRITTEN.items():
        result = RENDERERS[form].comparison(found, find(found), ViewOptions())
        (REPORTS / name).write_bytes(result.encode() if isinstance(result, str) else result)
    from tests.report.browser import open_browser

    with tempfile.TemporaryDirectory() as profile, open_browser(Path(profile)) as browser:
        with browser.page(REPORTS / "redis.html", height=1180) as page:
            (REPORTS / "redis.png").write_bytes(page.picture())
        with browser.page(REPORTS / "redis.html", width=400, height=1180, dark=True) as page:
            (REPORTS / "redis-narrow-dark.png").write_bytes(page.picture())


if __name__ == "__main__":
    write()
