"""Snapshots of one process, or sets of several, in order of time.

What is compared over time must be one process: where a process was restarted the series is cut, and only
one piece is judged, which is the last that is long enough.
"""

from collections import abc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from vmdiff.errors import MatchError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import Moment, SnapshotSet
from vmdiff.series.figure_columns import CGROUP_LIMIT, FigureColumns, Identity, Point, facts_of
from vmdiff.series.verdict import FEWEST

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Limits:
    """What may end growth, as the last snapshot or set has it; bytes by name."""

    process: abc.Mapping[str, int]
    host_memory: int | None

    @classmethod
    def of(cls, moment: Snapshot | SnapshotSet | None) -> "Limits":
        """Return the limits of a process, or of the control group that a set is; None has none."""
        if isinstance(moment, Snapshot):
            return cls(facts_of(moment.process), moment.host.memory_total)
        members = moment.members if moment is not None else ()
        most = moment.cgroup.max if moment is not None and moment.cgroup is not None else None
        host = members[0].host.memory_total if members else None
        return cls({} if most is None else {CGROUP_LIMIT: most}, host)


class Series:
    """Snapshots of one process, or sets of processes, in order of time, kept as columns of figures.

    Of sets the figures are sums over all processes, of which only those of PSS are memory. Without times
    (listings of other tools have none) they are in the order in which they came, and have no rates.
    """

    def __init__(
        self, snapshots: Iterable[Moment | tuple[str | None, Moment]], *, mappings: bool = False
    ) -> None:
        """Fold the snapshots into columns, one at a time.

        Raises:
            MatchError: some are of one process, others of a set.
        """
        columns = FigureColumns(mappings=mappings)
        points: list[Point] = []
        latest: Moment | None = None
        for one in snapshots:
            file, last = one if isinstance(one, tuple) else (None, one)
            if latest is not None and type(last) is not type(latest):
                raise MatchError(f"{file or 'a series'}: one process and a set of several are no series")
            columns.add(last)
            identity = Identity.of(last) if isinstance(last, Snapshot) else Identity.of_set(last)
            points.append(Point(last.taken_at, last.label, file, identity))
            if latest is None or _later(last, latest):
                latest = last
        self._columns = columns.groups
        self._order = _order(points)
        self.points = tuple(points[at] for at in self._order)
        self.limits = Limits.of(latest)
        self.name = self.points[-1].process.name if points else None
        self.of_sets = isinstance(latest, SnapshotSet)

    @cached_property
    def timed(self) -> bool:
        """Whether every point has a time."""
        return all(point.taken_at is not None for point in self.points)

    @cached_property
    def times(self) -> tuple[float, ...]:
        """Seconds since the first point; the numbers of the points where they have no time."""
        if not self.timed:
            return tuple(map(float, range(len(self.points))))
        moments = [point.taken_at.timestamp() for point in self.points if point.taken_at is not None]
        return tuple(moment - moments[0] for moment in moments)

    @cached_property
    def runs(self) -> tuple[range, ...]:
        """The pieces in which the process was the same."""
        pairs = enumerate(pairwise(self.points), start=1)
        cuts = [at for at, (before, after) in pairs if before.process.differs(after.process)]
        return tuple(range(start, end) for start, end in pairwise((0, *cuts, len(self.points))))

    @cached_property
    def judged(self) -> range:
        """The last piece that has enough points, else the longest."""
        enough = [run for run in self.runs if len(run) >= FEWEST]
        return enough[-1] if enough else max(reversed(self.runs), key=len)

    def part(self, values: abc.Sequence[_Value]) -> abc.Sequence[_Value]:
        """Return the values of the piece that is judged."""
        return values[self.judged.start : self.judged.stop]

    def names(self, grouping: str) -> Iterator[str]:
        """Yield the names of the groups of one of `GROUPINGS`."""
        return (name for by, name in self._columns if by == grouping)

    def values(self, grouping: str, name: str, counter: str) -> tuple[int | None, ...]:
        """Return the values of a group, one a point; None where it is unknown."""
        columns = self._columns.get((grouping, name))
        if columns is None:
            return (None,) * len(self.points)
        every = columns[counter].part(0, len(self.points))
        return tuple(every[at] for at in self._order)


def _later(one: Moment, other: Moment) -> bool:
    return one.taken_at is None or other.taken_at is None or one.taken_at >= other.taken_at


def _order(points: abc.Sequence[Point]) -> list[int]:
    places = list(range(len(points)))
    moments = [point.taken_at for point in points]
    return places if None in moments else sorted(places, key=moments.__getitem__)  # type: ignore[arg-type]
