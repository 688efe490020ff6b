"""The trend document is what its schema says, and its figures are those of the trend."""

import json

from tests.series.moments import moments
from vmdiff.findings import find_over_time
from vmdiff.report.json import trend_document, trend_schema
from vmdiff.report.options import USUAL
from vmdiff.series.trends import trend


def written(*snapshots):
    found = trend(snapshots)
    return found, trend_document.trend(found, find_over_time(found), USUAL)


def test_the_document_is_what_its_schema_says():
    found, text = written(*moments(pids=[1] * 5 + [2] * 20, pool=range(25), cache=[None, *[4] * 24]))

    document = trend_schema.adapter().validate_json(text)

    assert document["groups"]["owner"][0]["values"]["rss"] == list(found.groups["owner"][0].values)
    assert (document["judged"], len(document["runs"])) == ({"start": 5, "end": 25}, 2)
    assert document["findings"][0]["id"] == "steady-growth"


def test_nothing_at_all_is_a_document_too():
    _, text = written()

    assert json.loads(text)["points"] == []
