"""A trend as OpenMetrics text: every point with its time, and the verdicts.

What is unknown has no sample. Objects are left out, as in `vmdiff.report.profiles.openmetrics`.
"""

from collections.abc import Iterator, Sequence

from vmdiff.findings import Finding
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.profiles.openmetrics import Labels, braces
from vmdiff.series.figure_columns import COUNTERS, TOTAL
from vmdiff.series.trends import GroupTrend, Trend

_GROUPINGS = (TOTAL, "kind", "owner")


def trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write the points and the verdicts of a trend."""
    return "".join(_exposition(found))


def _exposition(found: Trend) -> Iterator[str]:
    yield "# TYPE vmdiff_series_bytes gauge\n# UNIT vmdiff_series_bytes bytes\n"
    yield "# HELP vmdiff_series_bytes A counter of one group of memory at one point of a series.\n"
    for by, group in _groups(found):
        yield from _points(found, by, group)
    yield "# TYPE vmdiff_trend_bytes_per_second gauge\n"
    yield "# HELP vmdiff_trend_bytes_per_second The growth of the floor of one group of memory.\n"
    for by, group in _groups(found):
        if group.rate is not None:
            yield f"vmdiff_trend_bytes_per_second{braces(_labels(found, by, group))} {group.rate:.6g}\n"
    yield "# TYPE vmdiff_trend_verdict gauge\n"
    yield "# HELP vmdiff_trend_verdict What one group of memory does over the series.\n"
    for by, group in _groups(found):
        labels = (*_labels(found, by, group), ("verdict", group.judgement.name))
        yield f"vmdiff_trend_verdict{braces(labels)} 1\n"
    yield "# EOF\n"


def _groups(found: Trend) -> Iterator[tuple[str, GroupTrend]]:
    if found.series.points:
        yield TOTAL, found.total
    for by in _GROUPINGS[1:]:
        for group in found.groups.get(by, ()):
            yield by, group


def _labels(found: Trend, by: str, group: GroupTrend) -> Labels:
    process = () if found.series.name is None else (("name", wording.name(found.series.name)),)
    return (*process, ("by", by), ("group", wording.name(group.name)))


def _points(found: Trend, by: str, group: GroupTrend) -> Iterator[str]:
    """Yield the samples of a group, each counter in order of time; equal times have one sample."""
    for counter in COUNTERS:
        labels = braces((*_labels(found, by, group), ("counter", counter)))
        last = None
        for point, value in zip(
            found.series.points, found.series.values(by, group.name, counter), strict=True
        ):
            moment = None if point.taken_at is None else point.taken_at.timestamp()
            if value is None or moment is None or moment == last:
                continue
            last = moment
            yield f"vmdiff_series_bytes{labels} {value} {moment:.3f}\n"
