"""``vmdiff collector``: the script that prints processes' text files where nothing may be installed."""

from vmdiff.cli import output


def collector() -> None:
    """Print a shell script that collects processes' files where vmdiff is not installed.

    There: sh collector PID... > bundle.txt; the bundle is a FILE for every command. Needs cat and readlink.
    """
    from vmdiff.capture.collector_script import collector as script  # what no other command needs

    output.write(script())
