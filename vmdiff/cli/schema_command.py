"""``vmdiff schema``: the JSON Schema of each document."""

from enum import StrEnum
from typing import Annotated

import typer

from vmdiff.cli import output

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


class Document(StrEnum):
    """What has a schema."""

    SNAPSHOT = "snapshot"
    COMPARISON = "comparison"
    TREND = "trend"
    SET = "set"
    LEAKS = "leaks"


def schema(
    of: Annotated[
        Document, typer.Argument(metavar="snapshot|comparison|set|trend|leaks", help="Which document.")
    ],
) -> None:
    """Print the JSON Schema of a document."""
    import json

    if of is Document.SNAPSHOT:
        from vmdiff.model import Snapshot

        described = Snapshot.model_json_schema()
    elif of is Document.SET:
        from vmdiff.model.snapshot_set import SnapshotSet

        described = SnapshotSet.model_json_schema()
    elif of is Document.LEAKS:
        from vmdiff.leaks.leak_report import LeakReport

        described = LeakReport.model_json_schema()
    elif of is Document.TREND:
        from vmdiff.report.json import trend_schema

        described = trend_schema.adapter().json_schema()
    else:
        from vmdiff.report.json.schema import adapter

        described = adapter().json_schema()
    output.write(json.dumps(described, indent=2) + "\n")
