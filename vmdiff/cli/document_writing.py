"""Where a snapshot or a set is written: to a file, to standard output, or to a name of its own."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vmdiff.cli import output, redacting

if TYPE_CHECKING:
    from vmdiff.model import Snapshot
    from vmdiff.model.snapshot_set import SnapshotSet

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


def write(
    taken: "Snapshot | SnapshotSet", to: Path | None, *, force: bool, redact: bool, key: Path | None
) -> None:
    """Write what was taken, redacted if that is asked for; from a terminal, to a file with a free name."""
    for one in missing_of(taken):
        output.say(f"missing: {one}")
    if redact or key is not None:
        taken = redacting.one(taken, key)
    if to is None and output.is_terminal():
        to = free_name(taken)
        typer.echo(to)
    save(taken, to, force=force)


def save(taken: "Snapshot | SnapshotSet", to: Path | None, *, force: bool) -> None:
    """Write a document to a file or, without one, to standard output."""
    from vmdiff import sources

    if to is None or output.is_stdout(to):
        output.write_chunks(sources.document(taken))
    else:
        sources.save(taken, to, force=force)


def missing_of(taken: "Snapshot | SnapshotSet") -> list[str]:
    """Return why processes that were asked for are not in a set."""
    from vmdiff.model import Snapshot

    return [] if isinstance(taken, Snapshot) else [one.reason for one in taken.missing]


def free_name(taken: "Snapshot | SnapshotSet") -> Path:
    """Return ``NAME-PID-UTCTIME.json``, whatever the process calls itself, or ``set-COUNT-UTCTIME.json``."""
    from vmdiff.model import Snapshot

    if isinstance(taken, Snapshot):
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", taken.process.name or "process").strip("._-") or "process"
        who = f"{name}-{taken.process.pid}"
    else:
        who = f"set-{len(taken.members)}"
    return Path(f"{who}-{taken.taken_at or datetime.now(UTC):%Y%m%dT%H%M%SZ}.json")
