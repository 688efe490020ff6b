"""``vmdiff compare``: two snapshots -> what changed; more of them, what grows steadily."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmdiff.cli import leaks_command, output, redacting, view_choices
from vmdiff.cli.result_file import Force, Output
from vmdiff.cli.view_choices import Minimum, Only, Rows, Sort, To
from vmdiff.comparison.match_mode import Match
from vmdiff.report import RENDERERS, Format, ViewOptions

if TYPE_CHECKING:
    from vmdiff.model.snapshot_set import SnapshotSet

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A snapshot, a listing, or pid:1234.")],
    after: Annotated[
        str | None,
        typer.Argument(metavar="AFTER", help="Another; an HTML report can carry both."),
    ] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="...", help="More of one process: shown as a trend.")
    ] = None,
    match: Annotated[Match, typer.Option(help="How mappings are paired.")] = Match.AUTO,
    by: Rows = None,
    sort: Sort = None,
    minimum: Minimum = None,
    only: Only = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Show every row, and why each pair is one.")
    ] = False,
    form: To = Format.TERMINAL,
    to: Output = None,
    force: Force = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit 1 if it holds: 'rss > +10MiB', 'kind:heap rss > 5%', 'new kind:file > 0'.",
        ),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 if any mapping changed.")] = False,
) -> None:
    """Show what changed between two snapshots; of more than two, what grows steadily."""
    output.check(to, form, force=force)
    if leaks_command.is_report(before) or leaks_command.is_report(after):
        leaks_command.compare(
            before, after or "", form.value, fail_on or (), to, force=force, show_all=show_all
        )
        return
    options = view_choices.chosen(by, sort, minimum, only, show_all, to)
    if more:
        files = [before, after or "", *more]
        from vmdiff.cli import trend_command

        trend_command.show(files, options, form, to=to, force=force, fail_on=fail_on or (), counter=sort)
        return
    from vmdiff import findings, sources
    from vmdiff.comparison.compare import compare as compare_snapshots
    from vmdiff.findings.fork_sharing import copied_on_write

    sets = sources.resolve_sets(before, after)
    if any(sets):
        from vmdiff.cli import set_command

        set_command.check(options, fail_on)
        _compare_sets(sets, form, options, to, force=force, exit_code=exit_code)
        return

    asked = view_choices.conditions(fail_on)
    pair = sources.resolve_pair(before, after, notify=output.say)
    comparison = compare_snapshots(*pair, match=match)
    held = [condition.text for condition in asked if condition.holds(comparison)]
    text = RENDERERS[form].comparison(comparison, findings.find(comparison), options)
    output.show(text, to, force=force)
    redacting.warn(form, {before: comparison.before, after or before: comparison.after})
    output.say_what_holds(held)
    if exit_code and (comparison.differs or copied_on_write(comparison)):
        raise typer.Exit(1)


def _compare_sets(
    sets: "list[SnapshotSet | None]",
    form: Format,
    options: ViewOptions,
    to: Path | None,
    *,
    force: bool,
    exit_code: bool,
) -> None:
    from vmdiff.cli import set_command
    from vmdiff.errors import MatchError

    before, after = sets if len(sets) == 2 else (None, None)
    if before is None or after is None:
        raise MatchError("a set of processes is compared with another set only")
    found = set_command.compare(before, after, form, options, to, force=force)
    if exit_code and found.differs:
        raise typer.Exit(1)
