"""`vmdiff leaks`, and what compare and redact do with its reports."""

import json
import os

import pytest

from vmdiff.leaks.leak_report import LeakReport, LostAmount, LostGroup, SearchedMemory
from vmdiff.model.snapshot import Process


def report(*groups):
    rows = tuple(
        LostGroup(
            name=name,
            size=size,
            blocks=blocks,
            bytes=size * blocks,
            roots=blocks,
            held=LostAmount(blocks=blocks, bytes=size * blocks),
        )
        for name, size, blocks in groups
    )
    lost = LostAmount(blocks=sum(row.blocks for row in rows), bytes=sum(row.bytes for row in rows))
    searched = SearchedMemory.model_validate(
        {"blocks": 100_000, "bytes": 1 << 30, "not": ("malloc: no blocks were found",)}
    )
    return LeakReport(process=Process(pid=812, name="billing"), searched=searched, lost=lost, groups=rows)


@pytest.fixture
def monday(tmp_path):
    path = tmp_path / "monday.json"
    path.write_text(report(("acme::Invoice", 200, 10), (None, 56, 3)).to_json())
    return path


@pytest.fixture
def friday(tmp_path):
    path = tmp_path / "friday.json"
    path.write_text(report(("acme::Invoice", 200, 5010), (None, 56, 3), (None, 1000, 1)).to_json())
    return path


def test_two_reports_are_compared_by_what_is_new(vmdiff, monday, friday):
    outcome = vmdiff("compare", monday, friday, "--format", "json")

    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert document["new"] == {"blocks": 5001, "bytes": 5000 * 200 + 1000}
    assert [group["new"]["blocks"] for group in document["groups"]] == [5000, 0, 1]
    assert outcome.out == vmdiff("leaks", friday, "--since", monday, "--format", "json").out


def test_a_condition_on_what_is_new_decides_the_exit_status(vmdiff, monday, friday):
    assert vmdiff("compare", monday, friday, "--fail-on", "new lost > 1MiB").code == 0
    failed = vmdiff("compare", monday, friday, "--fail-on", "new lost > 500KiB")
    assert failed.code == 1
    assert "condition holds: new lost > 500KiB" in failed.err
    assert vmdiff("compare", monday, monday, "--fail-on", "new lost > 0").code == 0


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_each_form_shows_what_is_new_first_of_all(vmdiff, monday, friday, form):
    outcome = vmdiff("compare", monday, friday, "--format", form)

    assert outcome.code == 0
    words = " ".join(outcome.out.split())
    assert words.index("new since then") < words.index("acme")


def test_a_report_is_not_compared_with_a_snapshot(vmdiff, monday, tmp_path):
    vmdiff("snap", os.getpid(), "-o", tmp_path / "snapshot.json", "--no-owners")

    outcome = vmdiff("compare", monday, tmp_path / "snapshot.json")

    assert outcome.code == 2
    assert "another such report" in outcome.err


def test_a_form_that_reports_do_not_have_is_refused_by_name(vmdiff, monday):
    outcome = vmdiff("compare", monday, monday, "--format", "pprof")

    assert outcome.code == 2
    assert "terminal, markdown, html, json" in outcome.err


def test_redacted_reports_have_no_names_and_compare_alike(vmdiff, monday, friday, tmp_path):
    assert vmdiff("redact", monday, friday, "-o", tmp_path / "public").code == 0

    outcome = vmdiff(
        "compare", tmp_path / "public/monday.json", tmp_path / "public/friday.json", "--format", "json"
    )
    document = json.loads(outcome.out)
    assert "acme" not in outcome.out
    assert "billing" not in outcome.out
    assert document["new"] == {"blocks": 5001, "bytes": 5000 * 200 + 1000}
    assert document["groups"][0]["name"].startswith("type-")
    assert document["groups"][1]["name"] is None
    assert document["searched"]["not"] == ["malloc: no blocks were found"]


def test_reports_and_snapshots_are_not_redacted_together(vmdiff, monday, tmp_path):
    vmdiff("snap", os.getpid(), "-o", tmp_path / "snapshot.json", "--no-owners")

    assert vmdiff("redact", monday, tmp_path / "snapshot.json", "-o", tmp_path / "public").code == 2


@pytest.mark.parametrize("condition", ["lost", "lost > x", "rss > 1MiB", "lost = 3"])
def test_a_mistake_in_a_condition_is_said_first(vmdiff, condition):
    assert vmdiff("leaks", os.getpid(), "--fail-on", condition).code == 2


def test_what_is_no_report_is_refused_in_one_line(vmdiff, tmp_path):
    (tmp_path / "x.json").write_text('{"format": "vmdiff-leaks", "version": 9}')

    outcome = vmdiff("leaks", tmp_path / "x.json")

    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


def test_a_process_that_is_not_there_is_status_3(vmdiff):
    assert vmdiff("leaks", 4194304).code == 3
