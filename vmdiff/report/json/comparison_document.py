"""JSON for programs: the documents that ``vmdiff schema comparison`` describes.

One change (or mapping) a line, ASCII only: a hostile name can neither steer a terminal that the
document is printed on nor break a reader. Names are exact here, escaped as JSON escapes.
"""

import json
import re
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic_core import to_json

from vmdiff.answer import answer, summary
from vmdiff.comparison.change import Change, Counts
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import GROUPINGS, tallied
from vmdiff.comparison.totals import Group, Total, held_groups
from vmdiff.comparison.usage_change import FIGURES, UsageChange
from vmdiff.findings import Finding
from vmdiff.model import Owner, Snapshot, Usage, add, owner_record
from vmdiff.report.options import ViewOptions
from vmdiff.storage.json_document import Lines

COMPARISON_FORMAT = "vmdiff-comparison"
SUMMARY_FORMAT = "vmdiff-summary"
VERSION = 1
_MOST_ROWS = 1000  # block sizes or types in one change of usage, the largest changes first


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison whole; of the options only *only* applies, to the list of changes."""
    return "".join(_pieces(found, findings, options))


def _pieces(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> Iterator[str]:
    head = {
        "format": COMPARISON_FORMAT,
        "version": VERSION,
        "match": found.match,
        "reason": found.reason,
        "before": _side(found.before),
        "after": _side(found.after),
        "totals": {name: _total(total) for name, total in found.totals.items()},
    }
    changes = found.changes
    if options.only:
        changes = tuple(change for change in changes if options.only.matches_any(change.mappings))
    yield _members(head)[:-1] + ',\n  "changes": '
    yield _lines(_Changes()(changes))
    tail = {
        "unchanged": found.unchanged,
        "answer": answer(found).record(),
        "usage": None if found.usage is None else [_usage(change) for change in found.usage],
        "pages": None if found.pages is None else [one._asdict() for one in found.pages],
        "groups": {by: [_group(group) for group in found.grouped(by)] for by in GROUPINGS},
        "process": [fact._asdict() for fact in found.process],
        "findings": _findings(findings),
    }
    yield ",\n" + _members(tail)[2:] + "}\n"


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a summary of one snapshot: totals and groups, and the mappings that *only* selects.

    The document itself, whole, is what `vmdiff convert` writes.
    """
    made = tallied(taken)
    head = {
        "format": SUMMARY_FORMAT,
        "version": VERSION,
        "snapshot": _side(taken),
        "totals": dict(taken.totals),
        "rollup": taken.rollup,
        "answer": summary(taken).record(),
        "usage": None if taken.usage is None else [usage.model_dump(mode="json") for usage in taken.usage],
        "groups": {
            by: [{"name": group.name, "sizes": group.counts} for group in held_groups(taken, made, by)]
            for by in GROUPINGS
        },
        "findings": _findings(findings),
    }
    chosen = (mapping for mapping in taken.mappings if not options.only or options.only.matches(mapping))
    return _members(head)[:-1] + ',\n  "mappings": ' + _lines(_dump(m.record()) for m in chosen) + "}\n"


def _members(record: dict[str, Any]) -> str:
    """Write an object with one member a line; the brace that closes it stays on the last."""
    members = [f"  {_dump(key)}: {_dump(value)}" for key, value in record.items()]
    return "{\n" + ",\n".join(members) + "\n"


def _lines(records: Iterator[str]) -> str:
    listed = ",\n    ".join(records)
    return f"[\n    {listed}\n  ]" if listed else "[]"


def _side(taken: Snapshot) -> dict[str, Any]:
    return {
        "label": taken.label,
        "taken_at": _moment(taken.taken_at),
        "pid": taken.process.pid,
        "name": taken.process.name,
        "source": taken.origin.source,
        "consistent": taken.origin.consistent,
        "doubts": list(taken.origin.doubts),
    }


def _moment(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat().replace("+00:00", "Z")


def _total(total: Total) -> dict[str, int | None]:
    return {"before": total.before, "after": total.after, "delta": total.delta}


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "before": {name: total.before for name, total in group.totals.items()},
        "after": {name: total.after for name, total in group.totals.items()},
        "delta": {name: total.delta for name, total in group.totals.items()},
    }


def _usage(change: UsageChange) -> dict[str, Any]:
    return {
        "owner": change.owner,
        "label": change.label,
        "before": _figures(change.before),
        "after": _figures(change.after),
        "delta": {
            **change.delta,
            "sizes": [list(row) for row in change.sizes[:_MOST_ROWS]],
            "types": [list(row) for row in change.types[:_MOST_ROWS]],
        },
    }


def _figures(side: Sequence[Usage]) -> dict[str, Any] | None:
    """Write what a side has; null where it has none of this memory."""
    if not side:
        return None
    figures: dict[str, Any] = {name: add(getattr(usage, name) for usage in side) for name in FIGURES}
    return {**figures, "partial": next((usage.partial for usage in side if usage.partial), None)}


def _findings(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [
        {"id": f.id, "severity": f.severity, "message": f.message, "evidence": list(f.evidence)}
        for f in findings
    ]


class _Changes:
    """Writes changes as lines; what they have in common is written once."""

    def __init__(self) -> None:
        self._lines_of = Lines(lambda record: _dump(record).encode())
        self._deltas: dict[int, str] = {}
        self._heads: dict[Hashable, str] = {}

    def __call__(self, changes: Sequence[Change]) -> Iterator[str]:
        # The mappings of all changes at once, which takes half the time of those of each.
        mappings = [mapping for change in changes for mapping in change.mappings]
        lines = map(bytes.decode, self._lines_of(mappings))
        for change in changes:
            head = self._head(change, change.owner)
            before, after = (",".join(islice(lines, len(side))) for side in (change.before, change.after))
            yield f'{head},"before":[{before}],"after":[{after}],"delta":{self._delta(change.delta)}}}'

    def _head(self, change: Change, owner: Owner | None) -> str:
        """Write what the changes of a crowd share, the owner and its evidence often included."""
        kind, path = change.kind, change.path
        key = change.change, kind, id(owner), path, change.because, change.crowd, change.moved_end
        written = self._heads.get(key)
        if written is None:
            head = {
                "change": change.change,
                "kind": kind,
                "owner": owner_record(owner) if owner else None,
                "path": path,
                "because": change.because,
                "crowd": change.crowd,
                "moved_end": change.moved_end,
            }
            written = self._heads[key] = _dump(head)[:-1]
        return written

    def _delta(self, delta: Counts) -> str:
        written = self._deltas.get(id(delta))
        if written is None:
            written = self._deltas[id(delta)] = _dump(delta)
        return written


_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def _dump(value: Any) -> str:
    """Write a value as one line of printable ASCII; pydantic's writer takes a quarter of json's time."""
    try:
        text = to_json(value).decode()
    except ValueError:  # lone surrogates, which only json writes
        text = json.dumps(value, separators=(",", ":"), default=str)
    if text.isascii() and text.isprintable():
        return text
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f", text)
