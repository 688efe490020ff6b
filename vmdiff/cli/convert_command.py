"""``vmdiff convert``: a listing of any format -> a snapshot."""

from pathlib import Path
from typing import Annotated

import typer

from vmdiff.cli import document_writing, output
from vmdiff.cli.result_file import Force

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


def convert(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A snapshot or listing of any format.")],
    to: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="The snapshot to write; - is standard output."),
    ],
    force: Force = False,
) -> None:
    """Turn a listing of any format into a snapshot."""
    from vmdiff import sources

    output.check_free(to, force=force)
    taken = sources.resolve_set(file) or sources.resolve(file, notify=output.say)
    document_writing.save(taken, to, force=force)
