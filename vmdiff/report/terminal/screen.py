"""The terminal: the columns of the plain text at the terminal's width, in 16 colours if wanted."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report.options import ViewOptions
from vmdiff.report.terminal import strip, table_layout
from vmdiff.report.view import compose

_TALL = 32  # lines from which the strip of addresses does not take the place of the tables
NARROWEST = 60  # a table does not fit into less
WIDEST = 140  # columns; further apart, a name and its figures are hard to read as one line

# Readable on dark and on light ground: no white, no black, no blue; dim only for what can be missed.
STYLES = {
    "title": "bold",
    "head": "bold",
    "answer": "bold",
    "bold": "bold",
    "word": "cyan",
    "dim": "dim",
    "plus": "red",
    "minus": "green",
    "warning": "bold red",
    "notice": "bold",
    "info": "",
    "image": "cyan",
    "file": "green",
    "shared-memory": "magenta",
    "heap": "red",
    "stack": "bright_magenta",
    "anonymous": "yellow",
    "reserved": "dim",
    "kernel": "dim",
    "device": "bright_cyan",
    "": "",
}


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison for a terminal of ``options.width`` columns."""
    options = readable(options)
    picture = _room_for_picture(options) and strip.of_comparison(found, options.width, colour=options.colour)
    shown = compose.of_comparison(found, findings, options)
    return dressed(table_layout.comparison_lines(shown, options, picture or ()), options)


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot for a terminal of ``options.width`` columns."""
    options = readable(options)
    picture = _room_for_picture(options) and strip.of_snapshot(taken, options.width, colour=options.colour)
    shown = compose.of_snapshot(taken, findings, options)
    return dressed(table_layout.snapshot_lines(shown, options, picture or ()), options)


def _room_for_picture(options: ViewOptions) -> bool:
    return options.height is None or options.show_all or options.height >= _TALL


def readable(options: ViewOptions) -> ViewOptions:
    """Bound the width of a terminal to what can be read."""
    return replace(options, width=max(NARROWEST, min(options.width, WIDEST)))


def dressed(lines: table_layout.Lines, options: ViewOptions) -> str:
    """Write styled lines, in colour where the options say so."""
    if not options.colour:
        return "".join(table_layout.plain(line) + "\n" for line in lines)
    from rich.console import Console  # 40 ms that a pipe never pays
    from rich.text import Text

    out = StringIO()
    console = Console(
        file=out,
        force_terminal=True,
        color_system="standard",
        width=100_000,  # the lines are cut already
        no_color=False,
        legacy_windows=False,
        _environ={},
    )
    for line in lines:
        # Text, never str: Rich would read `[heap]` as markup.
        console.print(Text.assemble(*((text, STYLES[style]) for text, style in line)), soft_wrap=True)
    return out.getvalue()
