"""What a series means: who grows steadily, until when that can go on, and where the series was cut."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, counted
from vmdiff.series.figure_columns import CGROUP_LIMIT
from vmdiff.series.trends import GroupTrend, Trend
from vmdiff.units import rate, signed, size

_DAY = 86400
_NOTEWORTHY = NOTEWORTHY / _DAY  # bytes a second
_SHARE = 100  # growth by a hundredth of the whole is seen, however little it is
_FARTHEST = timedelta(days=3650)


class Horizon(NamedTuple):
    """A limit, and when growth reaches it."""

    limit: str
    most: int
    seconds: float


def steady_growth(trend: Trend) -> Found:
    """Find the owners that grow steadily; the process, where no owner does."""
    growing = [group for group in trend.groups.get("owner", ()) if _leaks(trend, group)]
    whole = [] if growing or not _leaks(trend, trend.total) else [trend.total]
    for group in [*growing, *whole]:
        name = group.name if growing else _all_of(trend)
        told = f"{name} grows steadily by {_rate(group)}{_until(trend, group.rate or 0)}"
        evidence = (f"{name}: {_moved(group)}", group.judgement.evidence)
        yield Finding("steady-growth", "warning", told, evidence)


def growing_roles(trend: Trend) -> Found:
    """Find the roles in a set whose processes together grow steadily."""
    for group in trend.groups.get("role", ()):
        if _leaks(trend, group):
            told = f"the processes of role {group.name} grow steadily by {_rate(group)}"
            yield Finding("growing-role", "warning", told, (_moved(group), group.judgement.evidence))


def _all_of(trend: Trend) -> str:
    return "the set" if trend.series.of_sets else "the process"


def kept_inside(trend: Trend) -> Found:
    """Find owners whose resident memory grows while what is in use does not."""
    for group in trend.groups.get("owner", ()):
        if group.judgement.name != "leak" and (group.rate or 0) >= _NOTEWORTHY and _kept(group):
            told = f"{group.name} keeps what the program gives back: {group.judgement.evidence}"
            yield Finding("kept-inside", "info", told, (f"{group.name}: {_moved(group)}",))


def growing_inside(trend: Trend) -> Found:
    """Find owners of whose memory ever more is in use, while it is resident already: a leak in holes."""
    for group in trend.groups.get("owner", ()):
        used = trend.in_use(group.name)
        if used is not None and group.judgement.name != "leak" and _leaks(trend, used):
            told = (
                f"what is in use of {group.name} grows steadily by {_rate(used)},"
                " inside memory that is resident already"
            )
            evidence = (f"{_moved(used)}; {used.judgement.evidence}", f"{group.name}: {_moved(group)}")
            yield Finding("growing-inside", "warning", told, evidence)


def cut(trend: Trend) -> Found:
    """Report that the process was not the same throughout, and which piece was judged."""
    series = trend.series
    if len(series.runs) < 2:
        return
    judged = len(series.judged)
    told = (
        f"{'the host' if series.of_sets else 'the process'} was restarted"
        f" {counted(len(series.runs) - 1, 'time')}: the series is cut there, and"
        f" {judged:,} of its {len(series.points):,} points are judged"
    )
    yield Finding("restarted", "notice", told, tuple(_starts(trend))[:9])


def _starts(trend: Trend) -> Iterator[str]:
    for run in trend.series.runs:
        point = trend.series.points[run.start]
        when = "" if point.taken_at is None else f" from {point.taken_at:%Y-%m-%d %H:%M:%S}"
        yield f"pid {point.process.pid}{when}: {counted(len(run), 'point')}"


def _rate(group: GroupTrend) -> str:
    return "an unknown rate" if group.rate is None else rate(group.rate).removeprefix("+")


def _leaks(trend: Trend, group: GroupTrend) -> bool:
    """Return whether a group leaks, and enough of it was seen to be worth a sentence."""
    if group.judgement.name != "leak" or (group.rate is not None and group.rate < _NOTEWORTHY):
        return False
    seen, whole = group.change or 0, trend.total.last or 0
    return seen >= NOTEWORTHY or seen * _SHARE >= whole


def _kept(group: GroupTrend) -> bool:
    return "in use does not" in group.judgement.evidence


def _moved(group: GroupTrend) -> str:
    change = "unknown" if group.change is None else signed(group.change)
    steps = group.steps
    told = f"of its steps {steps.grew:,} grew, {steps.fell:,} fell, {steps.same:,} did neither"
    return f"{group.counter} {change}; {told}"


def _until(trend: Trend, per_second: float) -> str:
    """Return when the nearest limit is reached at this rate, if within ten years."""
    found = min(horizons(trend, per_second), key=lambda horizon: horizon.seconds, default=None)
    if found is None or found.seconds > _FARTHEST.total_seconds():
        return ""
    last = trend.series.points[trend.series.judged.stop - 1].taken_at
    return f"; at this rate {found.limit} of {size(found.most)} is reached {_when(last, found.seconds)}"


def _when(last: datetime | None, seconds: float) -> str:
    if seconds <= 0:
        return "now"
    left = timedelta(seconds=round(seconds))
    hours = f"{left.days:,} days" if left.days >= 2 else f"{left.total_seconds() / 3600:.1f} h"
    return f"in {hours}" + ("" if last is None else f", on {last + left:%Y-%m-%d %H:%M} UTC")


def horizons(trend: Trend, per_second: float) -> Iterator[Horizon]:
    """Yield the limits ahead, and in how many seconds growth by *per_second* reaches each.

    Others grow beside this process, and a control group counts page cache and kernel memory, too: the
    limits of the group and of the host may be reached earlier.
    """
    if per_second <= 0:
        return
    limits = trend.series.limits
    resident = "pss" if trend.series.of_sets else "rss"
    levels = {
        "address_space": ("the limit on virtual memory (RLIMIT_AS)", "size"),
        "data": ("the limit on data (RLIMIT_DATA)", "data"),
        CGROUP_LIMIT: ("the memory limit of its control group", resident),
    }
    for name, (told, counter) in levels.items():
        level = _level(trend, counter)
        if (most := limits.process.get(name)) is not None and level is not None:
            yield Horizon(told, most, (most - level) / per_second)
    if limits.host_memory and (level := _level(trend, resident)) is not None:
        yield Horizon("the memory of the host", limits.host_memory, (limits.host_memory - level) / per_second)


def _level(trend: Trend, counter: str) -> int | None:
    """Return the last total of a counter; ``data`` is about what RLIMIT_DATA counts, by kind."""
    series = trend.series
    if counter != "data":
        return series.part(series.values("total", "total", counter))[-1]
    kinds = [name for name in series.names("kind") if name in {"heap", "anonymous"}]
    sizes = [series.part(series.values("kind", name, "size"))[-1] for name in kinds]
    return None if None in sizes else sum(sizes)  # type: ignore[arg-type]  # none is None


TREND_RULES: tuple[Callable[[Trend], Found], ...] = (
    steady_growth,
    growing_inside,
    growing_roles,
    cut,
    kept_inside,
)
