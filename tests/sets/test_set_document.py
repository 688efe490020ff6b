"""Set documents: what is written is read back, and what is wrong is named by its place."""

import json

import pytest
from pydantic import TypeAdapter

from tests.sets.made import MIB, made, member
from vmdiff import sources
from vmdiff.errors import DocumentError
from vmdiff.model.snapshot_set import ControlGroup, Missing, SnapshotSet
from vmdiff.redaction import redact_sets
from vmdiff.sets.set_totals import total
from vmdiff.storage import set_document


@pytest.fixture
def snapshots() -> SnapshotSet:
    group = ControlGroup(path="/shop/api", version=2, current=5, stat={"anon": 4}, events={"oom": 1})
    missing = (Missing(pid=7, name="secretd", reason="process 7 belongs to another user; try sudo"),)
    members = (member(1), member(2, "postgres: checkpointer", shared=MIB, sharers=2))
    return SnapshotSet(members=members, cgroup=group, missing=missing, tags={"version": "1.5"})


@pytest.mark.parametrize("name", ["set.json", "set.json.gz"])
def test_what_is_written_is_read_back(snapshots: SnapshotSet, tmp_path, name: str) -> None:
    sources.save(snapshots, tmp_path / name)
    assert sources.load_set(tmp_path / name) == snapshots


def test_a_mapping_is_a_line_and_a_member_a_document(snapshots: SnapshotSet) -> None:
    text = b"".join(set_document.dump(snapshots))
    assert json.loads(text)["members"][1]["format"] == "vmdiff-snapshot"
    assert sum(line.startswith(b'{"start"') for line in text.split(b"\n")) == 3


def test_another_file_is_no_set(tmp_path) -> None:
    (tmp_path / "one.json").write_text('{"format": "vmdiff-snapshot"}')
    assert sources.load_set(tmp_path / "one.json") is None
    assert sources.load_set(tmp_path / "missing.json") is None


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"version": True}, "$.version"),
        ({"members": [{}]}, "$.members[0]"),
        ({"surprise": 1}, "$.surprise"),
        ({"missing": [{"pid": -1, "reason": "x"}]}, "$.missing[0].pid"),
    ],
)
def test_every_problem_is_named_with_its_place(snapshots: SnapshotSet, change: dict, place: str) -> None:
    document = json.loads(b"".join(set_document.dump(snapshots))) | change
    with pytest.raises(DocumentError) as raised:
        set_document.load(json.dumps(document).encode(), source="set.json")
    assert place in str(raised.value)


def test_it_has_a_schema() -> None:
    schema = TypeAdapter(SnapshotSet).json_schema()
    assert set(schema["properties"]) == {
        "format",
        "version",
        "taken_at",
        "label",
        "tags",
        "members",
        "cgroup",
        "missing",
    }


def test_redaction_removes_names_and_keeps_what_adds_up(snapshots: SnapshotSet) -> None:
    (redacted,) = redact_sets([snapshots])
    text = b"".join(set_document.dump(redacted)).decode()
    for name in ("shop", "secretd", "1.5"):
        assert name not in text
    assert redacted.members[1].process.role == "postgres: checkpointer"
    assert total(redacted) == total(snapshots)


def test_one_name_has_one_pseudonym_in_all_sets(snapshots: SnapshotSet) -> None:
    first, second = redact_sets([snapshots, made(member(3))])
    assert first.members[0].host.name == second.members[0].host.name
    assert first.members[0].process.role == second.members[0].process.role
