"""An answer: rows of plain values, the same from every engine."""

import json
from collections import abc
from typing import Any, NamedTuple

from vmdiff.fleet.questions import Asked

FORMAT, VERSION = "vmdiff-answer", 1
Value = str | int | float | None


class FleetAnswer(NamedTuple):
    """What an engine answered: the rows as dictionaries, in the order of the question."""

    question: str
    parameters: Asked
    rows: tuple[abc.Mapping[str, Value], ...]

    def record(self) -> dict[str, Any]:
        """Return the JSON object of docs/fleet.md."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "question": self.question,
            "parameters": self.parameters.record(),
            "rows": [dict(row) for row in self.rows],
        }

    def json(self) -> str:
        """Write the document; equal answers give equal bytes."""
        return json.dumps(self.record(), indent=1, ensure_ascii=False) + "\n"
