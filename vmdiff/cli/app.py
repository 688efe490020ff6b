"""The commands, each a few lines: take words, call the library, write, leave."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vmdiff.cli import (
    collector_command,
    export_command,
    fleet_command,
    kept_text,
    leaks_command,
    output,
    recording_command,
    redacting,
    snapshot_writing,
    tags,
    trend_command,
)
from vmdiff.comparison.match_mode import Match
from vmdiff.report import RENDERERS, By, Format, ViewOptions

if TYPE_CHECKING:
    from vmdiff.conditions import Condition
    from vmdiff.model import Snapshot
    from vmdiff.model.snapshot_set import SnapshotSet

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "See what a process's memory is made of, and what changed between two moments.\n\n"
        "FILE, BEFORE and AFTER are snapshots or listings of any format that vmdiff reads; - is standard"
        " input, pid:1234 is that process now.\n\n"
        "Exit status: 0 done; 1 a difference that was asked for; 2 wrong usage, unreadable input,"
        " unwritable output; 3 the process cannot be observed; 70 a bug in vmdiff; 130 interrupted."
    ),
)


class Detail(StrEnum):
    """How much is read of each mapping."""

    TOTALS = "totals"
    MAPS = "maps"
    SMAPS = "smaps"
    PAGES = "pages"


class Document(StrEnum):
    """What has a schema."""

    SNAPSHOT = "snapshot"
    COMPARISON = "comparison"
    TREND = "trend"
    SET = "set"
    LEAKS = "leaks"


Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to FILE; - is standard output.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE if it exists.")]
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


@app.callback(invoke_without_command=True)
def _vmdiff(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        import vmdiff

        typer.echo(f"vmdiff {vmdiff.__version__}")
        raise typer.Exit


@app.command()
def snap(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="A process number or name:NAME; several, name:GLOB, tree:PID, cgroup:PATH, all: a set.",
        ),
    ],
    to: Output = None,
    force: Force = False,
    label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A word for this moment, shown with it.")
    ] = None,
    tag: tags.Tags = None,
    detail: Annotated[
        Detail,
        typer.Option(
            help="totals are the kernel's sums alone: PSS, RSS, private, swap of thousands of processes;"
            " maps is cheaper and has no counters; pages reads what private pages hold, too."
        ),
    ] = Detail.SMAPS,
    page_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep a fingerprint of each page, made with this key: compare tells what was written."
            " Made if it does not exist; keep it secret.",
        ),
    ] = None,
    arguments: Annotated[
        bool, typer.Option("--arguments", help="Keep the command line; it may hold secrets.")
    ] = False,
    no_owners: Annotated[
        bool, typer.Option("--no-owners", help="Do not look for who asked for the memory.")
    ] = False,
    inside: Annotated[
        bool,
        typer.Option(
            "--inside", help="Read the records of malloc and runtimes whole, object types included."
        ),
    ] = False,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Hold the process still meanwhile; calls that it waits in may return EINTR to it.",
        ),
    ] = False,
    freeze_limit: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Resume the process after at most TIME (e.g. 200ms), even if the snapshot is incomplete.",
        ),
    ] = None,
    via: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Read through a command that runs sh elsewhere: 'ssh db1', 'kubectl exec web-0 --'.",
        ),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact", help="Replace names and addresses, for showing it to strangers.")
    ] = False,
    key: redacting.Key = None,
) -> None:
    """Save a snapshot of a process's memory mappings, or of several processes together.

    Without -o the document goes to standard output, or from a terminal to NAME-PID-TIME.json here.
    """
    from vmdiff import sources, units
    from vmdiff.capture.process_tree import means_a_set
    from vmdiff.cli.process_target import process_number

    output.check_free(to, force=force)
    try:
        limit = None if freeze_limit is None else units.parse_time(freeze_limit)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--freeze-limit") from error
    options: dict[str, Any] = {
        "detail": detail.value,
        "owners": not no_owners,
        "inside": inside,
        "arguments": arguments,
        "label": None if label is None else kept_text.checked(label, "--label"),
        "tags": tags.parsed(tag),
        "freeze": freeze or limit is not None,
        "freeze_limit": limit,
    }
    _check_pages(detail, page_key, alone=via is None and not means_a_set(targets))
    if detail is Detail.TOTALS and inside:
        raise typer.BadParameter("totals have no allocators to look into", param_hint="--inside")
    if via is not None:
        from vmdiff.cli import via_command

        via_command.snap(via, targets, to, force=force, redact=redact, key=key, **options)
        return
    if means_a_set(targets):
        from vmdiff.cli import set_writing

        set_writing.snap(targets, to, force=force, redact=redact, key=key, **options)
        return
    pid = process_number(targets[0])
    key_of_pages = redacting.read_key(page_key, "compare pages of later snapshots")
    snapshot = sources.snap(pid, notify=output.say, page_key=key_of_pages, **options)
    _say_how_taken(snapshot, pid)
    snapshot_writing.write(snapshot, to, force=force, redact=redact, key=key)


def _check_pages(detail: Detail, page_key: Path | None, *, alone: bool) -> None:
    if page_key is not None and detail is not Detail.PAGES:
        raise typer.BadParameter("fingerprints are of pages: add --detail pages", param_hint="--page-key")
    if detail is Detail.PAGES and not alone:
        raise typer.BadParameter(
            "pages are read of one process of this machine at a time", param_hint="--detail"
        )


def _say_how_taken(snapshot: "Snapshot", pid: int) -> None:
    if snapshot.process.pid not in (None, pid):
        output.say(f"{pid} is a thread of {snapshot.process.pid}; use {snapshot.process.pid}")
    if snapshot.origin.frozen_seconds is not None:
        output.say(f"held still for {snapshot.origin.frozen_seconds * 1000:.1f} ms")


@app.command()
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
    output.check_free(to, force=force)
    if form is Format.HTML:
        output.check_html(to)
    options = _options(by, sort, minimum, only, show_all, to)
    from vmdiff import conditions, findings, sources

    if (several := sources.resolve_set(file)) is not None:
        from vmdiff.cli import set_command

        set_command.check(options, fail_on)
        set_command.show(several, form, options, to, force=force)
        return
    asked = [conditions.parse(text) for text in fail_on or ()]
    snapshot = sources.resolve(file, notify=output.say)
    held = [condition for condition in asked if condition.holds_in(snapshot)]
    text = RENDERERS[form].snapshot(snapshot, findings.find_in(snapshot), options)
    output.show(text, to, force=force)
    redacting.warn(form, {file: snapshot})
    _say_what_holds(held)


@app.command()
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
    output.check_free(to, force=force)
    if form is Format.HTML:
        output.check_html(to)
    if leaks_command.is_report(before) or leaks_command.is_report(after):
        leaks_command.compare(
            before, after or "", form.value, fail_on or (), to, force=force, show_all=show_all
        )
        return
    options = _options(by, sort, minimum, only, show_all, to)
    if more:
        files = [before, after or "", *more]
        trend_command.show(files, options, form, to=to, force=force, fail_on=fail_on or (), counter=sort)
        return
    from vmdiff import conditions, findings, sources
    from vmdiff.comparison.compare import compare as compare_snapshots
    from vmdiff.findings.fork_sharing import copied_on_write

    sets = sources.resolve_sets(before, after)
    if any(sets):
        from vmdiff.cli import set_command

        set_command.check(options, fail_on)
        _compare_sets(sets, form, options, to, force=force, exit_code=exit_code)
        return

    asked = [conditions.parse(text) for text in fail_on or ()]
    pair = sources.resolve_pair(before, after, notify=output.say)
    comparison = compare_snapshots(*pair, match=match)
    held = [condition for condition in asked if condition.holds(comparison)]
    text = RENDERERS[form].comparison(comparison, findings.find(comparison), options)
    output.show(text, to, force=force)
    redacting.warn(form, {before: comparison.before, after or before: comparison.after})
    _say_what_holds(held)
    if exit_code and (comparison.differs or copied_on_write(comparison)):
        raise typer.Exit(1)


def _say_what_holds(held: "list[Condition]") -> None:
    """Name the conditions that hold; leave with status 1 if one does."""
    for condition in held:
        output.say(f"condition holds: {condition.text}")
    if held:
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


@app.command()
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
    if (several := sources.resolve_set(file)) is not None:
        from vmdiff.cli import set_writing

        set_writing.save(several, to, force=force)
        return
    snapshot_writing.save(sources.resolve(file, notify=output.say), to, force=force)


app.command()(redacting.redact)
app.command()(export_command.export)
app.command()(fleet_command.fleet)
app.command()(recording_command.record)
app.command()(trend_command.trend)
app.command()(leaks_command.leaks)
app.command()(collector_command.collector)


@app.command()
def schema(
    of: Annotated[
        Document, typer.Argument(metavar="snapshot|comparison|set|trend|leaks", help="Which document.")
    ],
) -> None:
    """Print the JSON Schema of a document."""
    import json

    if of is Document.SNAPSHOT:
        from vmdiff.model import Snapshot

        described = Snapshot.model_json_schema()
    elif of is Document.SET:
        from vmdiff.model.snapshot_set import SnapshotSet

        described = SnapshotSet.model_json_schema()
    elif of is Document.LEAKS:
        from vmdiff.leaks.leak_report import LeakReport

        described = LeakReport.model_json_schema()
    elif of is Document.TREND:
        from vmdiff.report.json import trend_schema

        described = trend_schema.adapter().json_schema()
    else:
        from vmdiff.report.json.schema import adapter

        described = adapter().json_schema()
    output.write(json.dumps(described, indent=2) + "\n")


@app.command()
def demo(
    fleet: Annotated[
        bool,
        typer.Option("--fleet", help="Make a fleet of 2,000 hosts instead, and ask every question of it."),
    ] = False,
) -> None:
    """Watch a real process allocate, map a file and read it, in four acts; takes seconds."""
    width, colour = output.look(None)
    if fleet:
        from vmdiff.cli import fleet_demo

        fleet_demo.run(output.write, width)
        return
    from vmdiff.cli import demo as play

    play.run(output.write, ViewOptions(width=width, colour=colour))


def _options(
    by: By | None, sort: str | None, minimum: str | None, only: str | None, show_all: bool, to: Path | None
) -> ViewOptions:
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
