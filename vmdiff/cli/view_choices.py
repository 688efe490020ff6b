"""The options that say what is shown of a snapshot or a comparison, and the conditions on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmdiff.cli import output
from vmdiff.report import By, Format, ViewOptions

if TYPE_CHECKING:
    from vmdiff.conditions import Condition

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).

Rows = Annotated[By | None, typer.Option("--by", help="What the rows are.")]
Sort = Annotated[
    str | None, typer.Option(metavar="COUNTER", help="Sort by this counter (rss, pss, size, ...).")
]
Minimum = Annotated[
    str | None, typer.Option("--min", metavar="SIZE", help="Fold rows smaller than SIZE, such as 64KiB.")
]
Only = Annotated[
    str | None,
    typer.Option(metavar="SELECTOR", help="Only these: kind:heap, owner:'malloc arena', path:*/libc.so*."),
]
To = Annotated[Format, typer.Option("--format", help="How to write the result.")]


def chosen(
    by: By | None, sort: str | None, minimum: str | None, only: str | None, show_all: bool, to: Path | None
) -> ViewOptions:
    """Return what was chosen of a view.

    Raises:
        ConditionError: the size or the selector cannot be read.
    """
    from vmdiff import selector, units
    from vmdiff.errors import ConditionError

    try:
        least = units.parse_size(minimum) if minimum else 0
    except ValueError as error:
        raise ConditionError(f"--min: {error}") from error
    width, colour = output.look(to)
    return ViewOptions(
        by=by,
        sort=sort,
        minimum=least,
        only=None if only is None else selector.parse(only),
        show_all=show_all,
        width=width,
        height=output.height(to),
        colour=colour,
    )


def conditions(texts: Sequence[str] | None) -> "list[Condition]":
    """Return the conditions that were asked for.

    Raises:
        ConditionError: one cannot be read.
    """
    if not texts:
        return []
    from vmdiff.conditions import parse

    return [parse(text) for text in texts]
