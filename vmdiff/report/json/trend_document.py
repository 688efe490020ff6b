"""The trend document: a series and what each group does over it, as JSON (``vmdiff-trend``)."""

import json
from collections import abc
from typing import Any

from vmdiff.findings import Finding
from vmdiff.report.options import ViewOptions
from vmdiff.series.figure_columns import COUNTERS, TOTAL
from vmdiff.series.trends import GroupTrend, Trend

FORMAT, VERSION = "vmdiff-trend", 1


def trend(found: Trend, findings: abc.Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write a trend, a point and a group a line."""
    series = found.series
    head = {
        "format": FORMAT,
        "version": VERSION,
        "counter": found.counter,
        "process": series.name,
        "judged": {"start": series.judged.start, "end": series.judged.stop},
        "runs": [
            {"start": run.start, "end": run.stop, "pid": series.points[run.start].process.pid}
            for run in series.runs
            if run
        ],
        "limits": {**series.limits.process, "host_memory": series.limits.host_memory},
    }
    parts = [f"{_text(name)}: {_text(value)}" for name, value in head.items()]
    parts.append(f'"points": {_lines(_points(found))}')
    parts.append(f'"total": {_text(_group(found, TOTAL, found.total))}')
    groups = (
        f"{_text(by)}: {_lines([_group(found, by, one) for one in found.groups[by]])}" for by in found.groups
    )
    parts.append(f'"groups": {{{", ".join(groups)}}}')
    parts.append(f'"findings": {_lines([_finding(finding) for finding in findings])}')
    return "{" + ",\n ".join(parts) + "}\n"


def _points(found: Trend) -> list[dict[str, Any]]:
    series = found.series
    totals = {counter: series.values(TOTAL, TOTAL, counter) for counter in COUNTERS} if series.points else {}
    return [
        {
            "taken_at": None if point.taken_at is None else point.taken_at.isoformat().replace("+00:00", "Z"),
            "label": point.label,
            "file": point.file,
            "totals": {counter: values[at] for counter, values in totals.items()},
        }
        for at, point in enumerate(series.points)
    ]


def _group(found: Trend, by: str, group: GroupTrend) -> dict[str, Any]:
    return {
        "name": group.name,
        "values": {counter: found.series.values(by, group.name, counter) for counter in COUNTERS},
        "first": group.first,
        "last": group.last,
        "change": group.change,
        "rate": group.rate,
        "steps": {"grew": group.steps.grew, "fell": group.steps.fell, "same": group.steps.same},
        "verdict": group.judgement.name,
        "evidence": group.judgement.evidence,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "message": finding.message,
        "evidence": list(finding.evidence),
    }


def _lines(records: abc.Sequence[Any]) -> str:
    return "[\n  " + ",\n  ".join(map(_text, records)) + "]" if records else "[]"


def _text(value: Any) -> str:
    return json.dumps(value, separators=(", ", ": "))
