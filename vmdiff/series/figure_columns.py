"""Snapshots folded into columns of figures: what a series keeps of each point.

A night has 10,000 points, and a snapshot takes a megabyte as objects. So each snapshot is folded when it is
added: a column a group and counter, eight bytes a figure.
"""

from array import array
from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from vmdiff.comparison.tally import GROUPINGS, Grouping, Tally, tallied
from vmdiff.model import Process, Snapshot
from vmdiff.model.snapshot_set import Moment, SnapshotSet, members_of, role_of

COUNTERS = ("size", "rss", "pss", "private_clean", "private_dirty", "swap")
TOTAL, MAPPING, USAGE, ROLE = "total", "mapping", "usage", "role"
CGROUP_LIMIT = "cgroup_memory"  # among a process's limits
IN_USE, FREE = "in_use", "free"  # the counters of usage
_UNKNOWN = -1
_UNSIGNED = (1 << 63) - 1

Key = tuple[str, str]  # the grouping, the group
Sums = abc.Mapping[str, int | None]


class FigureColumn:
    """The figures of one group and counter, one a point; None where it is unknown."""

    __slots__ = ("_figures",)

    def __init__(self) -> None:
        self._figures = array("q")

    def __iter__(self) -> Iterator[int | None]:
        return (None if figure == _UNKNOWN else figure for figure in self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    def part(self, start: int, end: int) -> tuple[int | None, ...]:
        """Return the figures of the points from *start* to before *end*."""
        return tuple(None if figure == _UNKNOWN else figure for figure in self._figures[start:end])

    def pad(self, figures: "FigureColumn") -> None:
        """Append the figures of another column from where this one ends."""
        self._figures.extend(figures._figures[len(self._figures) :])

    def append(self, figure: int | None) -> None:
        """Append a figure."""
        self._figures.append(_UNKNOWN if figure is None else min(figure, _UNSIGNED))


@dataclass(frozen=True, slots=True)
class Point:
    """When and of which process a point is, and where its snapshot lies."""

    taken_at: datetime | None
    label: str | None
    file: str | None
    process: "Identity"


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a process the same one; None where unknown."""

    boot_id: str | None
    pid_namespace: str | None
    pid: int | None
    start_ticks: int | None
    executable: str | None
    name: str | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Identity":
        """Return the identity of a snapshot's process."""
        process = snapshot.process
        return cls(
            snapshot.host.boot_id,
            process.pid_namespace,
            process.innermost_pid,
            process.start_ticks,
            process.executable,
            process.name,
        )

    @classmethod
    def of_set(cls, several: SnapshotSet) -> "Identity":
        """Return the identity of a set: its processes come and go, the host's boot stays."""
        boot_id = several.members[0].host.boot_id if several.members else None
        return cls(boot_id, None, None, None, None, set_name(several))

    def differs(self, other: "Identity") -> bool:
        """Return whether these are certainly two programs: a restart, an exec, another process."""
        names = ("boot_id", "pid_namespace", "pid", "start_ticks", "executable")
        pairs = ((getattr(self, name), getattr(other, name)) for name in names)
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def set_name(several: SnapshotSet) -> str:
    """Return what a set is called: its control group, else its label, else how many processes it has."""
    count = len(several.members)
    return (several.cgroup and several.cgroup.path) or several.label or f"{count} processes"


class FigureColumns:
    """The columns of all groups, filled a snapshot at a time.

    A group that a point does not have is 0 there, or unknown where the point could not have had it: where
    the counter is not known throughout, or nobody looked for owners.
    """

    def __init__(self, *, mappings: bool = False) -> None:
        self._mappings = mappings
        self._absent: dict[tuple[str, str], FigureColumn] = {}
        self.groups: dict[Key, dict[str, FigureColumn]] = {}

    def add(self, moment: Moment) -> None:
        """Fold one more snapshot, or the sums over a set, into the columns."""
        sums = sums_of(moment, mappings=self._mappings)
        for grouping in (TOTAL, *GROUPINGS, MAPPING, USAGE, ROLE):
            known = frozenset(COUNTERS).intersection(
                *(_known(member, grouping) for member in members_of(moment))
            )
            for counter in COUNTERS if grouping != USAGE else (IN_USE, FREE):
                absent = self._absent.setdefault((grouping, counter), FigureColumn())
                absent.append(0 if counter in known else None)
        for key, figures in sums.items():
            self._append(key, figures)
        for (grouping, _), columns in self.groups.items():
            for counter, column in columns.items():
                column.pad(self._absent[grouping, counter])

    def _append(self, key: Key, figures: Sums) -> None:
        columns = self.groups.get(key)
        if columns is None:
            counters = COUNTERS if key[0] != USAGE else (IN_USE, FREE)
            columns = self.groups[key] = {counter: FigureColumn() for counter in counters}
        before = len(self._absent[key[0], next(iter(columns))]) - 1
        for counter, column in columns.items():
            if len(column) < before:
                column.pad(self._before(key[0], counter, before))
            column.append(figures.get(counter))

    def _before(self, grouping: str, counter: str, count: int) -> FigureColumn:
        """Return the column of a group that no point had so far."""
        absent = FigureColumn()
        for figure in self._absent[grouping, counter].part(0, count):
            absent.append(figure)
        return absent


def _known(snapshot: Snapshot, grouping: str) -> frozenset[str]:
    """Return the counters that are 0 for a group of *grouping* that the snapshot does not have."""
    if grouping == USAGE or (grouping == "owner" and not snapshot.origin.owners):
        return frozenset()
    return frozenset(counter for counter in COUNTERS if snapshot.total(counter) is not None)


def sums_of(moment: Moment, *, mappings: bool = False) -> abc.Mapping[Key, Sums]:
    """Return the figures of each group at one moment; of a set they are sums over its processes."""
    if isinstance(moment, SnapshotSet):
        return _sums_of_set(moment)
    return dict(_sums(moment, mappings=mappings))


def _sums(snapshot: Snapshot, *, mappings: bool) -> Iterator[tuple[Key, Sums]]:
    yield (TOTAL, TOTAL), snapshot.totals
    yield from _of_groups(snapshot, tallied(snapshot), None)
    if mappings:
        yield from _of_mappings(snapshot)
    yield from _of_usage(snapshot)


def _of_groups(
    snapshot: Snapshot, made: Tally, unsplit: abc.Set[tuple[str, str]] | None
) -> Iterator[tuple[Key, Sums]]:
    for grouping in Grouping:
        if grouping is not Grouping.OWNER or snapshot.origin.owners:
            yield from (((grouping.value, name), sums) for name, sums in made.by(grouping, unsplit).items())


def _sums_of_set(several: SnapshotSet) -> abc.Mapping[Key, Sums]:
    """Add up the figures of all members; what cannot be split in one of them is not in any."""
    folded: dict[Key, dict[str, int | None]] = {}
    tallies = [tallied(member) for member in several.members]
    unsplit = frozenset[tuple[str, str]]().union(*(made.unsplit for made in tallies))
    for member, made in zip(several.members, tallies, strict=True):
        for key in ((TOTAL, TOTAL), (ROLE, role_of(member))):
            _pour(folded.setdefault(key, {}), member.totals)
        for key, sums in _of_groups(member, made, unsplit):
            _pour(folded.setdefault(key, {}), sums)
        for key, sums in _of_usage(member):
            _pour(folded.setdefault(key, {}), sums, (IN_USE, FREE))
    return folded


def _pour(into: dict[str, int | None], share: Sums, counters: abc.Iterable[str] = COUNTERS) -> None:
    for counter in counters:
        held, more = into.get(counter, 0), share.get(counter)
        into[counter] = None if held is None or more is None else held + more


def _of_mappings(snapshot: Snapshot) -> Iterator[tuple[Key, Sums]]:
    folded: dict[Key, dict[str, int | None]] = {}
    for mapping in snapshot.mappings:
        owner = mapping.owner.name if mapping.owner else str(mapping.kind)
        place = "" if mapping.start is None else f"{mapping.start:x} "
        values = {counter: snapshot.value(mapping, counter) for counter in COUNTERS}
        _pour(folded.setdefault((MAPPING, f"{place}{mapping.path or owner}"), {}), values)
    yield from folded.items()


def _of_usage(snapshot: Snapshot) -> Iterator[tuple[Key, Sums]]:
    """Add up what allocators and runtimes have in use, by owner; what is partial is unknown."""
    folded: dict[Key, dict[str, int | None]] = {}
    for usage in snapshot.usage or ():
        into = folded.setdefault((USAGE, usage.owner), {IN_USE: 0, FREE: 0})
        for counter, value in ((IN_USE, usage.in_use), (FREE, usage.free)):
            held = into[counter]
            into[counter] = None if held is None or value is None or usage.partial else held + value
    yield from folded.items()


def facts_of(process: Process) -> abc.Mapping[str, int]:
    """Return the limits of a process that are numbers."""
    return {name: limit for name, limit in (process.limits or {}).items() if isinstance(limit, int)}
