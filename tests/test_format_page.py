"""The page that describes the documents names all that is in them, and its example is one."""

import re
from pathlib import Path
from typing import get_args

from vmdiff.comparison.change import ChangeName
from vmdiff.model import KNOWN_COUNTERS, Kind, Snapshot
from vmdiff.model.mapping import MappingRecord
from vmdiff.report.json import trend_schema
from vmdiff.report.json.schema import adapter
from vmdiff.series.verdict import JudgementName
from vmdiff.storage import json_document

PAGE = (Path(__file__).parents[1] / "docs" / "format.md").read_text()
NAMED = set(re.findall(r"`([\w.-]+)`", PAGE))


def keys(schema):
    """Give every key that a schema knows, counters of the kernel excepted."""
    for name, part in {"": schema, **schema["$defs"]}.items():
        if name not in ("Mapping", "MappingRecord"):
            yield from part.get("properties", {})


def test_every_key_of_a_snapshot_is_described():
    assert set(keys(Snapshot.model_json_schema())) - NAMED == set()


def test_every_key_of_a_comparison_is_described():
    assert set(keys(adapter().json_schema())) - NAMED == set()


def test_every_key_and_verdict_of_a_trend_is_described():
    assert {*keys(trend_schema.adapter().json_schema()), *get_args(JudgementName)} - NAMED == set()


def test_the_keys_of_a_mapping_are_those_of_its_table():
    table = PAGE.split("### A mapping")[1].split("### ")[0]
    told = {
        key
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", row)
    }

    assert told == set(MappingRecord.__annotations__) - set(KNOWN_COUNTERS) | {"size"}


def test_every_kind_and_every_name_of_a_change_is_described():
    assert {*Kind, *ChangeName} - NAMED == set()


def test_every_finding_is_described_and_no_other():
    rules = (Path(__file__).parents[1] / "vmdiff" / "findings").glob("*.py")
    written = {name for rule in rules for name in re.findall(r'Finding\(\s*"([a-z-]+)"', rule.read_text())}
    table = PAGE.partition("### Findings")[2].partition("###")[0]

    assert written == set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", table)) - {"id"}


def test_the_example_is_a_snapshot():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    snapshot = json_document.load(example.encode(), source="docs/format.md")

    assert snapshot.total("rss") == snapshot.rollup["rss"]
