"""``vmdiff demo --fleet``: make the example fleet, export it, and ask every question of it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from vmdiff.fleet import example_fleet, fleet_table
from vmdiff.fleet.asking import ask
from vmdiff.fleet.batch import rows
from vmdiff.fleet.export import Export
from vmdiff.fleet.questions import QUESTIONS, Asked, Question, parameters

_MOST = 5


def run(write: Callable[[str], None], width: int) -> None:
    """Play it; the exported files stay in a folder that is named at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vmdiff-fleet-"))
    count = 0
    with Export(folder) as export:
        for snapshot in example_fleet.snapshots():
            export.add(rows(snapshot))
            count += 1
    write(f"{count:,} snapshots of {example_fleet.HOSTS:,} hosts, two versions of one service, in {folder}\n")
    for question in QUESTIONS.values():
        asked = " ".join(("vmdiff fleet", question.name, str(folder), *_options(question)))
        write(f"\n$ {asked}\n")
        found = ask(question, [str(folder)], _parameters(question))
        write(fleet_table.text(found, width=width))


def _options(question: Question) -> tuple[str, ...]:
    match question.needs:
        case "between":
            return ("--between", f"version={example_fleet.BEFORE}..{example_fleet.AFTER}")
        case "path":
            return ("--path", "'*/libshop1.so*'")
        case None:
            return ()


def _parameters(question: Question) -> Asked:
    between = (
        f"version={example_fleet.BEFORE}..{example_fleet.AFTER}" if question.needs == "between" else None
    )
    path = "*/libshop1.so*" if question.needs == "path" else None
    return parameters(question, between=between, path=path, most=_MOST)
