"""``vmdiff demo``: a walk through what vmdiff sees, on a real process or a made fleet."""

from typing import Annotated

import typer

from vmdiff.cli import output
from vmdiff.report import ViewOptions

# Late imports: a command loads only what it uses, so --help starts quickly (tests/test_economy.py).


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
