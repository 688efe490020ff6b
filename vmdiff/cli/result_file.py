"""The options that say where a result goes."""

from pathlib import Path
from typing import Annotated

import typer

Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to FILE; - is standard output.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE if it exists.")]
