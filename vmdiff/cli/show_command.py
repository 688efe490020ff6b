"""``vmdiff show``: one snapshot -> what it holds."""

from typing import Annotated

import typer

from vmdiff.cli import output, redacting, view_choices
from vmdiff.cli.result_file import Force, Output
from vmdiff.cli.view_choices import Minimum, Only, Rows, Sort, To
from vmdiff.report import RENDERERS, Format

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A snapshot, a listing, or pid:1234.")],
    by: Rows = None,
    sort: Sort = None,
    minimum: Minimum = None,
    only: Only = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every row.")] = False,
    form: To = Format.TERMINAL,
    to: Output = None,
    force: Force = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION", help="Exit 1 if a level holds: 'rss > 400MiB', 'kind:heap rss > 1GiB'."
        ),
    ] = None,
) -> None:
    """Show what one snapshot holds."""
    output.check(to, form, force=force)
    options = view_choices.chosen(by, sort, minimum, only, show_all, to)
    from vmdiff import findings, sources

    if (several := sources.resolve_set(file)) is not None:
        from vmdiff.cli import set_command

        set_command.check(options, fail_on)
        set_command.show(several, form, options, to, force=force)
        return
    asked = view_choices.conditions(fail_on)
    snapshot = sources.resolve(file, notify=output.say)
    held = [condition.text for condition in asked if condition.holds_in(snapshot)]
    text = RENDERERS[form].snapshot(snapshot, findings.find_in(snapshot), options)
    output.show(text, to, force=force)
    redacting.warn(form, {file: snapshot})
    output.say_what_holds(held)
