"""The command line as a whole: its commands, of which only the one that is asked for is loaded."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer

import vmdiff

# Each command is the function of that name in a module of `vmdiff.cli`, in the order of the help.
COMMANDS: Mapping[str, str] = {
    "snap": "snap_command",
    "show": "show_command",
    "compare": "compare_command",
    "convert": "convert_command",
    "redact": "redacting",
    "export": "export_command",
    "fleet": "fleet_command",
    "record": "recording_command",
    "trend": "trend_command",
    "leaks": "leaks_command",
    "collector": "collector_command",
    "schema": "schema_command",
    "demo": "demo_command",
}


def app_for(words: Sequence[str]) -> typer.Typer:
    """Return the application with the command that *words* begin with; where they begin with none, with all.

    Typer looks at the parameters of every command that it knows, which takes as long as a small snapshot.
    """
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
    app.callback(invoke_without_command=True)(_vmdiff)
    asked = [name for name in words[:1] if name in COMMANDS]
    for name in asked or COMMANDS:
        app.command()(getattr(import_module(f"vmdiff.cli.{COMMANDS[name]}"), name))
    return app


def _vmdiff(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"vmdiff {vmdiff.__version__}")
        raise typer.Exit
