"""`vmdiff trend`, and `compare` of more than two: of recordings, folders and files."""

import json

import pytest

from tests.series.moments import moments
from vmdiff import sources
from vmdiff.report.json import trend_schema
from vmdiff.storage.series_folder import FolderWriter


@pytest.fixture
def recording(tmp_path):
    writer = FolderWriter(tmp_path / "r")
    for taken in moments(pool=range(30), cache=[9] * 30):
        writer.write(taken)
    return tmp_path / "r"


def test_a_recording_is_judged(vmdiff, recording):
    outcome = vmdiff("trend", recording)

    assert outcome.code == 0
    assert outcome.out.startswith("server: pool grows steadily by 60.0 MiB/h")


def test_files_are_judged_like_their_folder(vmdiff, recording, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for at in range(30):
        sources.save(sources.load(f"{recording}#{at}"), plain / f"{at}.json")

    texts = [
        json.loads(vmdiff("trend", *words, "--format", "json").out)["groups"]
        for words in (
            [recording],
            [plain],
            sorted(plain.iterdir()),
            [f"{recording}#{at}" for at in range(30)],
        )
    ]

    assert texts[1:] == texts[:1] * 3


def test_the_document_is_what_its_schema_says(vmdiff, recording):
    document = trend_schema.adapter().validate_json(vmdiff("trend", recording, "--format", "json").out)

    assert document["points"][3]["file"].endswith("000003-20260101T000300Z.json.delta")
    assert json.loads(vmdiff("schema", "trend").out)["title"] == "vmdiff trend, version 1"


def test_more_than_two_snapshots_are_a_trend(vmdiff, recording):
    outcome = vmdiff("compare", *(f"{recording}#{at}" for at in range(10)))

    assert "pool grows steadily" in outcome.out


@pytest.mark.parametrize(
    ("condition", "code"), [("rss > 1MiB/h", 1), ("owner:cache rss > 1MiB/h", 0), ("owner:x rss > 1B/h", 2)]
)
def test_a_condition_decides_the_exit_status(condition, code, vmdiff, recording):
    outcome = vmdiff("trend", recording, "--fail-on", condition)

    assert outcome.code == code
    assert (f"condition holds: {condition}" in outcome.err) == (code == 1)


def test_by_mapping_has_a_row_a_mapping(vmdiff, recording):
    assert "20000000000 pool" in vmdiff("trend", recording, "--by", "mapping").out


@pytest.mark.parametrize("words", [["--sort", "dirty"], ["--format", "pprof"], ["--min", "x"]])
def test_what_a_trend_has_not_is_refused(words, vmdiff, recording):
    assert vmdiff("trend", recording, *words).code == 2


def test_an_empty_folder_is_no_recording(vmdiff, tmp_path):
    assert "neither a recording nor" in vmdiff("trend", tmp_path).err
