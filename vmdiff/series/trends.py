"""What each group of memory does over a series of snapshots."""

from collections import abc
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from vmdiff.comparison.tally import GROUPINGS
from vmdiff.errors import ConditionError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.series.figure_columns import COUNTERS, FREE, IN_USE, MAPPING, ROLE, TOTAL, USAGE
from vmdiff.series.series import Series
from vmdiff.series.verdict import Judgement, judge
from vmdiff.units import rate as rate_words
from vmdiff.units import size

_MOSTLY = 0.75  # of the judged points


@dataclass(frozen=True, slots=True)
class Steps:
    """How many of the steps from one known point to the next grew, fell, and did neither."""

    grew: int
    fell: int
    same: int


@dataclass(frozen=True)
class GroupTrend:
    """What one group of memory does over a series; figures are bytes of one counter.

    *values* has every point, the rest is of the piece that was judged. *first* and *last* are its first and
    last known values; None if there is none.
    """

    name: str
    counter: str
    values: tuple[int | None, ...]
    first: int | None
    last: int | None
    steps: Steps
    judgement: Judgement

    @property
    def change(self) -> int | None:
        """Last less first."""
        return None if self.first is None or self.last is None else self.last - self.first

    @property
    def rate(self) -> float | None:
        """The growth of its floor in bytes a second; None where there is no steady one."""
        return self.judgement.rate


@dataclass(frozen=True)
class Trend:
    """A series judged by one counter, as a whole and by group."""

    series: Series
    counter: str = "rss"

    @cached_property
    def total(self) -> GroupTrend:
        """The whole process, or all processes of a set."""
        return self._group(TOTAL, TOTAL)

    @cached_property
    def groups(self) -> abc.Mapping[str, tuple[GroupTrend, ...]]:
        """The groups of each grouping that the series has: what leaks first, then what moved most."""
        return {by: self.grouped(by) for by in (*GROUPINGS, ROLE, MAPPING) if any(self.series.names(by))}

    def grouped(self, by: str) -> tuple[GroupTrend, ...]:
        """Judge the groups of one of `GROUPINGS`, of ``mapping``, or of ``role`` where sets are judged."""
        return tuple(sorted((self._group(by, name) for name in self.series.names(by)), key=_weight))

    def _group(self, by: str, name: str) -> GroupTrend:
        found = self._judged_values(name, self.counter, self.series.values(by, name, self.counter))
        if by == "owner" and found.judgement.name == "leak":
            return replace(found, judgement=self._unless_kept(name, found.judgement))
        return found

    def _judged_values(self, name: str, counter: str, values: tuple[int | None, ...]) -> GroupTrend:
        known = [value for value in self.series.part(values) if value is not None]
        first, last = (known[0], known[-1]) if known else (None, None)
        return GroupTrend(name, counter, values, first, last, _steps(known), self.judged(values))

    def judged(self, values: abc.Sequence[int | None]) -> Judgement:
        """Judge values, one for each point of the series."""
        found = judge(self.series.part(self.series.times), self.series.part(values))
        return found if self.series.timed else Judgement(found.name, None, found.evidence)

    def in_use(self, owner: str) -> GroupTrend | None:
        """Judge what the program has in use of an owner's memory; None where that is not known mostly.

        Points at which somebody looked inside only because the layout had moved would be no fair sample.
        """
        if owner not in self.series.names(USAGE):
            return None
        found = self._judged_values(owner, IN_USE, self.series.values(USAGE, owner, IN_USE))
        steps = found.steps
        known = steps.grew + steps.fell + steps.same + 1
        return found if known >= len(self.series.judged) * _MOSTLY else None

    def _unless_kept(self, owner: str, growing: Judgement) -> Judgement:
        """Look at what is in use where the allocator says so: what it got back and keeps is no leak."""
        used = self.in_use(owner)
        if used is None or used.judgement.name in {"leak", "undecided"}:
            return growing
        inner = used.judgement
        free = self.series.values(USAGE, owner, FREE)
        left = next((value for value in reversed(self.series.part(free)) if value is not None), None)
        kept = f", {size(left)} of it free at the end" if left else ""
        told = f"resident grows by {rate_words(growing.rate)}" if growing.rate else "resident grows"
        evidence = f"{told}, and what is in use does not{kept}: {inner.evidence}"
        return Judgement(inner.name, growing.rate, evidence)


def trend(
    snapshots: Iterable[Snapshot] | Iterable[SnapshotSet] | Series, *, counter: str | None = None
) -> Trend:
    """Return what each group of memory does over snapshots of a process, or over sets of several.

    *counter* is judged; by default ``rss``, of sets ``pss``, which alone adds up over processes.

    Raises:
        ConditionError: a series does not keep that counter.
        MatchError: some are of one process, others of a set.
    """
    if counter is not None and counter not in COUNTERS:
        raise ConditionError(f"a series has no {counter!r}; it has {', '.join(COUNTERS)}")
    series = snapshots if isinstance(snapshots, Series) else Series(snapshots)
    return Trend(series, counter or ("pss" if series.of_sets else "rss"))


def _steps(known: abc.Sequence[int]) -> Steps:
    moves = [after - before for before, after in pairwise(known)]
    grew, fell = sum(move > 0 for move in moves), sum(move < 0 for move in moves)
    return Steps(grew, fell, len(moves) - grew - fell)


def _weight(group: GroupTrend) -> tuple[bool, float, int, int, str]:
    leaks = group.judgement.name == "leak"
    rate = group.rate or 0.0 if leaks else 0.0
    return not leaks, -rate, -abs(group.change or 0), -(group.last or 0), group.name
