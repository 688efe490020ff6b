"""``python -m vmdiff``."""

from vmdiff.cli import main

main()
