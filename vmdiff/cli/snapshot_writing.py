"""Where ``vmdiff snap`` writes one snapshot: to a file, to standard output, or to a name of its own."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vmdiff.cli import output, redacting

if TYPE_CHECKING:
    from vmdiff.model import Snapshot


def write(snapshot: "Snapshot", to: Path | None, *, force: bool, redact: bool, key: Path | None) -> None:
    """Write a snapshot that was taken, redacted if that is asked for."""
    if redact or key is not None:
        snapshot = redacting.one(snapshot, key)
    if to is None and output.is_terminal():
        to = output.free_name(snapshot)
        typer.echo(to)
    save(snapshot, to, force=force)


def save(snapshot: "Snapshot", to: Path | None, *, force: bool) -> None:
    """Write a snapshot to a file or, without one, to standard output."""
    from vmdiff import sources  # what a wrong command line does not need
    from vmdiff.storage import json_document

    if to is None or output.is_stdout(to):
        output.write_chunks(json_document.dump(snapshot))
    else:
        sources.save(snapshot, to, force=force)
