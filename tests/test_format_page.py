"""The page that describes the documents names all that is in them, and its example is one."""

import json
import re
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

from tests.sets.made import made, member
from vmdiff.comparison.change import ChangeName
from vmdiff.model import KNOWN_COUNTERS, Kind, Snapshot
from vmdiff.model.held_memory import CachedFile
from vmdiff.model.mapping import MappingRecord
from vmdiff.model.snapshot_set import ControlGroup, Missing, SnapshotSet
from vmdiff.report.json import trend_schema
from vmdiff.report.json.schema import adapter
from vmdiff.report.json.set_record import set_json, sets_json
from vmdiff.series.verdict import JudgementName
from vmdiff.sets.set_comparison import compare_sets
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


def keys_within(value):
    """Give every key of a JSON value, however deep."""
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from keys_within(part)
    if isinstance(value, dict):
        yield from value


def test_every_key_of_a_set_and_of_what_is_said_of_sets_is_described():
    snapshots = made(member(1, shared=8192, sharers=2), member(2, shared=8192, sharers=2))
    file = CachedFile(path="/x", size=1, cached=1, dirty=0, mapped=True, in_memory=False)
    group = ControlGroup(path="/x", version=2, current=5, stat={"anon": 4}, files=(file,))
    snapshots = snapshots.model_copy(update={"cgroup": group, "missing": (Missing(pid=3, reason="ended"),)})
    texts = set_json(snapshots), sets_json(compare_sets(snapshots, made(member(1, heap=8192))))
    named = {one for part in re.findall(r"`(.*?)`", PAGE) for one in re.findall(r"\w+", part)}

    assert {key for text in texts for key in keys_within(json.loads(text))} - named == set()
    assert set(keys(TypeAdapter(SnapshotSet).json_schema())) - named == set()


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
