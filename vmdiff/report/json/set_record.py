"""What ``show`` and ``compare`` say of sets, as JSON; bytes, null where unknown."""

import json
from typing import Any

from vmdiff.answer.of_set import answer_of_set, answer_of_sets
from vmdiff.model.snapshot_set import ControlGroup, SnapshotSet
from vmdiff.sets.cgroup_account import account
from vmdiff.sets.set_comparison import SetComparison
from vmdiff.sets.set_totals import Grouping, by_role, grouped, held_by, members, shared_objects, total

_GROUPINGS: tuple[Grouping, ...] = ("kind", "owner", "object")


def set_json(snapshots: SnapshotSet) -> str:
    """Write what a set holds."""
    return _written(
        {
            "format": "vmdiff-set-summary",
            "version": 1,
            "taken_at": snapshots.model_dump(mode="json", include={"taken_at"})["taken_at"],
            "label": snapshots.label,
            "tags": snapshots.tags,
            "answer": answer_of_set(snapshots).record(),
            "totals": total(snapshots)._asdict(),
            "roles": [
                {"role": row.role, "processes": len(row.members), **row.held._asdict()}
                for row in by_role(snapshots)
            ],
            "processes": [
                {"role": one.role, "pid": one.pid, **one.held._asdict()} for one in members(snapshots)
            ],
            "groups": {
                by: [
                    {"name": row.name, "known_pss": row.known, **row.held._asdict()}
                    for row in grouped(snapshots, by)
                ]
                for by in _GROUPINGS
            },
            "shared": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "processes": row.processes,
                    "size": row.size,
                    "shared": row.shared,
                    **row.held._asdict(),
                }
                for row in shared_objects(snapshots)
            ],
            **_account(snapshots.cgroup),
            "missing": [one.model_dump(mode="json") for one in snapshots.missing],
        }
    )


def _account(group: ControlGroup | None) -> dict[str, list[Any]]:
    if group is None:
        return {"account": [], "files": []}
    files = [file.model_dump(mode="json") for file in group.files]
    return {"account": [line._asdict() for line in account(group)], "files": files}


def sets_json(found: SetComparison) -> str:
    """Write what changed between two sets."""
    before, after = found.totals
    return _written(
        {
            "format": "vmdiff-set-comparison",
            "version": 1,
            "answer": answer_of_sets(found).record(),
            "totals": {
                name: {
                    "before": one,
                    "after": other,
                    "delta": None if one is None or other is None else other - one,
                }
                for name, one, other in zip(before._fields, before, after, strict=True)
            },
            "processes": [
                {
                    "became": pair.became,
                    "role": pair.role,
                    "before": _side(pair.before),
                    "after": _side(pair.after),
                    "delta": pair.delta,
                }
                for pair in found.pairs
            ],
            "moved": {by: [row._asdict() for row in found.moved(by)] for by in _GROUPINGS},
        }
    )


def _side(snapshot: Any) -> dict[str, Any] | None:
    return None if snapshot is None else {"pid": snapshot.process.pid, **held_by(snapshot)._asdict()}


def _written(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
