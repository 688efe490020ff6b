"""What somebody attached is read back: an HTML report is a file like any other."""

from pathlib import Path

import pytest

import vmdiff as library
from tests.cli.conftest import Run
from tests.report import pictures

BEFORE, AFTER = pictures.server(), pictures.server(grown=True)


@pytest.fixture
def files(tmp_path: Path, vmdiff: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    library.save(BEFORE, "before.json")
    library.save(AFTER, "after.json")
    assert vmdiff("compare", "before.json", "after.json", "--format", "html", "-o", "report.html").code == 0
    return tmp_path


def test_a_report_is_compared_as_its_snapshots_are(files: Path, vmdiff: Run) -> None:
    told = vmdiff("compare", "before.json", "after.json")

    assert vmdiff("compare", "report.html") == told
    assert vmdiff("compare", "report.html#1", "report.html#2") == told
    assert vmdiff("compare", "before.json", "report.html").out == told.out


def test_a_report_is_shown_as_its_later_snapshot_and_says_so(files: Path, vmdiff: Run) -> None:
    shown = vmdiff("show", "report.html")

    assert shown.out == vmdiff("show", "after.json").out
    assert shown.err == (
        "vmdiff: report.html carries two snapshots: this is the one after; report.html#1 is the one before\n"
    )
    assert vmdiff("show", "report.html#1").out == vmdiff("show", "before.json").out


def test_a_report_is_converted_back_into_its_snapshots(files: Path, vmdiff: Run) -> None:
    for choice, original in (("#1", BEFORE), ("#2", AFTER)):
        assert vmdiff("convert", f"report.html{choice}", "-o", f"{choice}.json").code == 0
        assert library.load(f"{choice}.json") == original


def test_a_report_of_one_snapshot_holds_that(files: Path, vmdiff: Run) -> None:
    assert vmdiff("show", "before.json", "--format", "html", "-o", "one.html").code == 0

    assert vmdiff("show", "one.html") == vmdiff("show", "before.json")
    assert vmdiff("compare", "one.html", "after.json").out == vmdiff("compare", "report.html").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "one.html"), "one.html: carries one snapshot; compare it with another"),
        (("compare", "before.json"), "before.json: missing AFTER"),
        (("show", "report.html#3"), "there is no #3"),
        (("show", "cut.html"), "no snapshots ride in it"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    files: Path, vmdiff: Run, words: tuple[str, ...], said: str
) -> None:
    assert vmdiff("show", "before.json", "--format", "html", "-o", "one.html").code == 0
    Path("cut.html").write_bytes(Path("report.html").read_bytes()[:9000])

    refused = vmdiff(*words)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert said in refused.err
