"""MkDocs hooks: the page of commands is written from the commands themselves."""

from typing import Any

from typer.testing import CliRunner

_COMMANDS = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put each command's help where a page asks for it."""
    return markdown.replace(_COMMANDS, _helps()) if _COMMANDS in markdown else markdown


def _helps() -> str:
    from vmdiff.cli.app import COMMANDS

    return "\n".join(map(_help, COMMANDS))


def _help(name: str) -> str:
    from vmdiff.cli.app import app_for

    shown = CliRunner().invoke(app_for([name]), [name, "--help"], prog_name="vmdiff", terminal_width=100)
    if shown.exit_code:
        raise SystemExit(f"vmdiff {name} --help: {shown.output}")
    return f"## vmdiff {name}\n\n```text\n{shown.output.strip()}\n```\n"
