"""``vmdiff record``: words -> the library's loop -> a live table, or nothing where nobody watches."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmdiff.cli import output

if TYPE_CHECKING:
    from vmdiff.capture import Notify
    from vmdiff.cli.gauge_file import GaugeFile

# Late imports: a command line that is wrong loads neither models nor rich.


def record(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A process number, name:NAME, or a set as of snap: tree:PID, cgroup:PATH, all.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="DIR", help="The folder; one that exists is gone on with."),
    ],
    every: Annotated[
        str, typer.Option(metavar="TIME", help="Time between points, such as 10s or 1min.")
    ] = "10s",
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after N points were kept.")
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="Stop after TIME.")] = None,
    when: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help="Keep a point only if it holds since the last kept: 'rss > +10MiB'."
        ),
    ] = None,
    moved: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Take a point between, too, when resident moved by SIZE."),
    ] = None,
    until_exit: Annotated[
        bool,
        typer.Option("--until-exit", help="Stop when the process ends; else wait for the next of its name."),
    ] = False,
    inside: Annotated[
        bool, typer.Option("--inside", help="Read the records of malloc and runtimes whole at every point.")
    ] = False,
    via: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="Read through a command that runs sh elsewhere, as snap --via does."
        ),
    ] = None,
    gauges: Annotated[
        Path | None,
        typer.Option(
            "--openmetrics",
            metavar="FILE",
            help="Keep the latest point in FILE, too (.prom for node_exporter's textfile collector).",
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Owners and roles with a name of their own in --openmetrics."),
    ] = 10,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write every point as an ordinary document, ten times as large.")
    ] = False,
) -> None:
    """Record snapshots of a process or set into a folder, for vmdiff trend.

    Points are numbered; DIR#17 is point 17 wherever a FILE is expected.
    """
    from vmdiff.recording.recorder import record as recorded

    gc.enable()  # commands are short and do without; this one may run for a night
    kept = None if gauges is None else _gauge_file(gauges, target, top)
    say: Notify = output.say

    def notify(message: str) -> None:
        say(message)
        if kept is not None:  # what is recorded ended, or is out of reach
            kept.remove()

    points = recorded(
        target,
        to,
        every=_seconds(every, "--every"),
        count=count,
        duration=None if duration is None else _seconds(duration, "--for"),
        when=when,
        moved=None if moved is None else _bytes(moved, "--moved"),
        until_exit=until_exit,
        inside=inside,
        plain=plain,
        via=via,
        notify=notify,
    )
    if kept is not None:
        points = kept.kept(points)
    if not output.is_terminal():
        for _ in points:
            pass
        return
    from vmdiff.cli.live_table import LiveTable

    width, colour = output.look(None)
    table = LiveTable(width=width, colour=colour)
    say = table.say
    table.watch(points, to)


def _gauge_file(path: Path, target: str, top: int) -> "GaugeFile":
    from vmdiff.cli.gauge_file import GaugeFile

    return GaugeFile(path, target, top)


def _seconds(text: str, option: str) -> float:
    from vmdiff import units

    try:
        return units.parse_span(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _bytes(text: str, option: str) -> int:
    from vmdiff import units

    try:
        return units.parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
