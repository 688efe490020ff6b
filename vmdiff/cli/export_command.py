"""``vmdiff export``: snapshots of any kind -> compacted Parquet."""

from pathlib import Path
from typing import Annotated

import typer

from vmdiff.cli import output

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|DIR...", help="Snapshots, sets, recordings, listings, or folders of them, at any depth."
    ),
]
Folder = Annotated[
    Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write to, or add to.")
]


def export(files: Inputs, to: Folder) -> None:
    """Write snapshots as Parquet files for `vmdiff fleet`, each snapshot once.

    Exporting a snapshot again changes nothing. In a DIR, files that vmdiff does not read are skipped.
    """
    from vmdiff.fleet.export_files import export_files

    done = export_files(files, to, notify=output.say)
    output.say(f"{done.written:,} snapshots written to {to}, {done.known:,} were there already")
