"""`--tag NAME=VALUE`: kept as written, compared, and no secret once redacted."""

import json
import os

import pytest

from vmdiff import redaction
from vmdiff.comparison.compare import compare
from vmdiff.model import Origin, Snapshot


def tagged(**tags):
    return Snapshot(origin=Origin(source="drawn"), tags=tags)


def test_tags_are_kept_in_the_document(vmdiff, tmp_path):
    path = tmp_path / "a.json"

    outcome = vmdiff(
        "snap", os.getpid(), "-o", path, "--tag", "version=1.5", "--tag", "note=a=b", "--no-owners"
    )

    assert outcome.code == 0
    assert json.loads(path.read_bytes())["tags"] == {"version": "1.5", "note": "a=b"}


@pytest.mark.parametrize("tags", [["x"], ["=x"], [" a=1"], ["a=1", "a=2"], ["a" * 201 + "=1"]])
def test_what_is_no_tag_is_refused_before_anything_is_read(tags, vmdiff, tmp_path):
    words = [word for tag in tags for word in ("--tag", tag)]

    assert vmdiff("snap", os.getpid(), "-o", tmp_path / "a.json", *words).code == 2
    assert not list(tmp_path.iterdir())


def test_a_tag_that_differs_is_a_fact_that_differs():
    differing = compare(tagged(version="1.4"), tagged(version="1.5")).process

    assert [tuple(change) for change in differing] == [("tags.version", "1.4", "1.5")]


def test_redacted_tags_still_tell_snapshots_apart_and_nothing_else():
    ours = (tagged(version="1.4", customer="acme"), tagged(version="1.5", customer="acme"))

    before, after = redaction.redact(ours)

    assert before.tags["version"] != after.tags["version"]
    assert len({before.tags[name] for name in before.tags} & {after.tags[name] for name in after.tags}) == 1
    assert "acme" not in str(before)
    assert "customer" not in str(before)
