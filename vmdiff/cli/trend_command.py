"""``vmdiff trend``: recordings and snapshots -> what grows steadily, how fast, and until when."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vmdiff.cli import output
from vmdiff.cli.result_file import Force, Output
from vmdiff.errors import ConditionError
from vmdiff.report import TREND_RENDERERS, By, Format, ViewOptions

# Late imports: a command line that is wrong loads neither models nor renderers.


def trend(
    files: Annotated[
        list[str],
        typer.Argument(metavar="DIR|FILE...", help="Recordings, or snapshots of one process or set."),
    ],
    by: Annotated[By | None, typer.Option("--by", help="What the rows are; owner if not said.")] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="COUNTER", help="Judge this counter: rss (of sets pss), size, swap, ..."),
    ] = None,
    minimum: Annotated[
        str | None, typer.Option("--min", metavar="SIZE", help="Hide groups that moved less than SIZE.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every group.")] = False,
    form: Annotated[Format, typer.Option("--format", help="How to write the result.")] = Format.TERMINAL,
    to: Output = None,
    force: Force = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(metavar="CONDITION", help='Exit 1 if it holds: "owner:jemalloc rss > 1MiB/h".'),
    ] = None,
) -> None:
    """Show what grows steadily over many snapshots of a process, how fast, and until when that can go on."""
    from vmdiff import units

    try:
        least = units.parse_size(minimum) if minimum else 0
    except ValueError as error:
        raise ConditionError(f"--min: {error}") from error
    width, colour = output.look(to)
    options = ViewOptions(by=by, minimum=least, show_all=show_all, width=width, colour=colour)
    show(files, options, form, counter=sort, to=to, force=force, fail_on=fail_on or ())


def show(
    files: Sequence[str],
    options: ViewOptions,
    form: Format,
    *,
    to: Path | None,
    force: bool,
    fail_on: Sequence[str],
    counter: str | None = None,
) -> None:
    """Judge a series and write the result; leave with 1 where a condition holds."""
    output.check(to, form, force=force)
    if form not in TREND_RENDERERS:
        forms = ", ".join(TREND_RENDERERS)
        raise typer.BadParameter(f"a trend has no {form}; it has {forms}", param_hint="--format")
    from vmdiff import findings, sources
    from vmdiff.series import rate_condition
    from vmdiff.series.series import Series
    from vmdiff.series.trends import trend as judged

    asked = [rate_condition.parse(text) for text in fail_on]
    snapshots = sources.series(files, notify=output.say)
    found = judged(
        Series(snapshots, mappings=options.by is By.MAPPING or form is Format.HTML), counter=counter
    )
    held = [condition.text for condition in asked if condition.holds(found)]
    output.show(TREND_RENDERERS[form].trend(found, findings.find_over_time(found), options), to, force=force)
    output.say_what_holds(held)
