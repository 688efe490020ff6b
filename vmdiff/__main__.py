"""``python -m vmdiff``."""

from vmdiff.cli import command

command()
