"""``vmdiff snap --via``: read processes through a command that runs sh elsewhere, and write what was read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from vmdiff.cli import document_writing

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


def snap(
    via: str,
    targets: Sequence[str],
    to: Path | None,
    *,
    force: bool,
    redact: bool,
    key: Path | None,
    **options: Any,
) -> None:
    """Read through *via* and write it; *options* are those of `vmdiff.sources.snap`."""
    from vmdiff import sources

    for name in ("inside", "arguments", "freeze"):
        if options[name]:
            raise typer.BadParameter(
                f"not with --via: sh reads text files only (--{name})", param_hint="--via"
            )
    if options["detail"] != "smaps":
        raise typer.BadParameter("not with --via: sh reads all that it can", param_hint="--detail")
    found = sources.snap_via(
        via, targets, owners=options["owners"], label=options["label"], tags=options["tags"]
    )
    document_writing.write(found, to, force=force, redact=redact, key=key)
