"""The table that ``vmdiff record`` shows in a terminal while it runs."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from vmdiff.comparison.tally import Grouping, tallied
from vmdiff.harmless_text import printable
from vmdiff.model.snapshot_set import Moment, SnapshotSet, members_of
from vmdiff.recording.recorder import Recorded
from vmdiff.report import wording
from vmdiff.report.sparkline import sparkline

_SHOWN = 8  # owners
_WIDTH = 24  # points of a sparkline


class Watch:
    """What is shown: the first and the last figures of each owner, and its latest ones."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._latest: dict[str, deque[int | None]] = {}
        self._points = 0
        self._start: Recorded | None = None

    def table(self, point: Recorded, folder: Path) -> Group:
        """Return the table after one more point."""
        self._start = self._start or point
        self._points += point.number is not None
        held = _by_owner(point.snapshot)
        for name in {*held, *self._latest}:
            value = held.get(name, 0)
            self._first.setdefault(name, 0 if self._points > 1 else value)
            self._latest.setdefault(name, deque(maxlen=_WIDTH)).append(value)
        movers = sorted(held, key=lambda name: (-abs(self._change(name)), -held[name], name))[:_SHOWN]
        return Group(Text(self._head(point, folder)), self._rows(movers, held))

    def _change(self, name: str) -> int:
        return (self._latest[name][-1] or 0) - self._first[name]

    def _head(self, point: Recorded, folder: Path) -> str:
        start, now = self._start or point, point.snapshot
        elapsed = _between(start.snapshot, now)
        counter = _counter(now)
        rss, was = now.total(counter), start.snapshot.total(counter)
        change = None if rss is None or was is None else rss - was
        who = _who(now)
        share = f"{point.seconds / elapsed:.2%} of a core" if elapsed > 0 else ""
        more = "more point" if start.number else "point"  # the folder had some
        return (
            f"{who} for {wording.span(elapsed)}: resident {wording.size(rss)}, {wording.signed(change)}\n"
            f"{wording.plural(self._points, more)} in {wording.name(str(folder))},"
            f" {wording.size(point.written)}; cost {point.seconds:.1f} s {share}\n"
        )

    def _rows(self, movers: list[str], held: dict[str, int]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("owner", no_wrap=True)
        table.add_column("resident", justify="right")
        table.add_column("change", justify="right")
        table.add_column("latest points", no_wrap=True)
        for name in movers:
            change = wording.cell(self._change(name), sign=True)
            line = sparkline(list(self._latest[name]), _WIDTH)
            table.add_row(Text(wording.name(name)), wording.size(held[name]), change, Text(line))
        return table


def _who(moment: Moment) -> str:
    if isinstance(moment, SnapshotSet):
        told = wording.plural(len(moment.members), "process", "processes")
        return f"{wording.name(moment.cgroup.path)}: {told}" if moment.cgroup else told
    return f"{wording.name(moment.process.name or '?')} (pid {moment.process.pid})"


def _counter(moment: Moment) -> str:
    """Return the counter that is shown: over several processes only PSS adds up to memory."""
    return "pss" if isinstance(moment, SnapshotSet) else "rss"


def _by_owner(moment: Moment) -> dict[str, int]:
    counter, held = _counter(moment), dict[str, int]()
    for member in members_of(moment):
        for name, sums in tallied(member).by(Grouping.OWNER).items():
            held[name] = held.get(name, 0) + (sums.get(counter) or 0)
    return held


def _between(before: Moment, after: Moment) -> float:
    if before.taken_at is None or after.taken_at is None:
        return 0.0
    return max(0.0, (after.taken_at - before.taken_at).total_seconds())


class LiveTable:
    """A table on the terminal that follows a recording, and sentences above it."""

    def __init__(self, *, width: int, colour: bool) -> None:
        self._console = Console(width=width, no_color=not colour, highlight=False)

    def say(self, message: str) -> None:
        """Write a line where it does not tear the table."""
        self._console.print(Text(f"vmdiff: {printable(message)}"))

    def watch(self, points: Iterable[Recorded], folder: Path) -> None:
        """Show the table while *points* are recorded; the last one stays."""
        watch = Watch()
        with Live(console=self._console, auto_refresh=False) as live:
            for point in points:
                live.update(watch.table(point, folder), refresh=True)
