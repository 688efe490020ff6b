"""Where ``vmdiff snap`` takes and writes a set: to a file, to standard output, or to a name of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vmdiff.cli import output

if TYPE_CHECKING:
    from vmdiff.model.snapshot_set import SnapshotSet

# Late imports: taking a set loads neither comparisons nor reports (tests/test_economy.py).


def snap(
    targets: Sequence[str], to: Path | None, *, force: bool, redact: bool, key: Path | None, **options: Any
) -> None:
    """Take a set and write it; *options* are those of `vmdiff.sources.snap_set`."""
    from vmdiff import sources

    write(sources.snap_set(targets, **options), to, force=force, redact=redact, key=key)


def write(snapshots: "SnapshotSet", to: Path | None, *, force: bool, redact: bool, key: Path | None) -> None:
    """Write a set that was taken; from a terminal, to a file with a name of its own."""
    for one in snapshots.missing:
        output.say(f"missing: {one.reason}")
    if redact or key is not None:
        snapshots = redacted(snapshots, key)
    if to is None and output.is_terminal():
        taken_at = snapshots.taken_at or datetime.now(UTC)
        to = Path(f"set-{len(snapshots.members)}-{taken_at:%Y%m%dT%H%M%SZ}.json")
        typer.echo(to)
    save(snapshots, to, force=force)


def save(snapshots: "SnapshotSet", to: Path | None, *, force: bool) -> None:
    """Write a set to a file or, without one, to standard output."""
    from vmdiff import sources
    from vmdiff.storage import set_document

    if to is None or output.is_stdout(to):
        output.write_chunks(set_document.dump(snapshots))
    else:
        sources.save_set(snapshots, to, force=force)


def redacted(snapshots: "SnapshotSet", key: Path | None) -> "SnapshotSet":
    """Redact a set with a key, which is made where there is none."""
    from vmdiff import redaction
    from vmdiff.cli.redacting import read_key

    return redaction.redact_sets([snapshots], key=read_key(key))[0]
