"""A trend as OpenMetrics text: every point with its time, and the verdicts.

What is unknown has no sample. Objects are left out, as in `vmdiff.report.profiles.openmetrics`.
"""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from vmdiff.findings import Finding
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.profiles import exposition
from vmdiff.report.profiles.exposition import Labels
from vmdiff.series.figure_columns import COUNTERS, ROLE, TOTAL
from vmdiff.series.trends import GroupTrend, Trend

_GROUPINGS = (TOTAL, "kind", "owner", ROLE)


def trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write the points and the verdicts of a trend."""
    return exposition.written((_series(found), _rates(found), _verdicts(found)))


def _series(found: Trend) -> Metric:
    family = exposition.gauge(
        "vmdiff_series_bytes", "bytes", "A counter of one group of memory at one point of a series."
    )
    for by, group in _groups(found):
        _add_points(family, found, by, group)
    return family


def _rates(found: Trend) -> Metric:
    text = "The growth of the floor of one group of memory."
    family = exposition.gauge("vmdiff_trend_bytes_per_second", "", text)
    for by, group in _groups(found):
        if group.rate is not None:
            exposition.add(family, _labels(found, by, group), group.rate)
    return family


def _verdicts(found: Trend) -> Metric:
    text = "What one group of memory does over the series."
    family = exposition.gauge("vmdiff_trend_verdict", "", text)
    for by, group in _groups(found):
        exposition.add(family, (*_labels(found, by, group), ("verdict", group.judgement.name)), 1)
    return family


def _groups(found: Trend) -> Iterator[tuple[str, GroupTrend]]:
    if found.series.points:
        yield TOTAL, found.total
    for by in _GROUPINGS[1:]:
        for group in found.groups.get(by, ()):
            yield by, group


def _labels(found: Trend, by: str, group: GroupTrend) -> Labels:
    process = () if found.series.name is None else (("name", wording.name(found.series.name)),)
    return (*process, ("by", by), ("group", wording.name(group.name)))


def _add_points(family: Metric, found: Trend, by: str, group: GroupTrend) -> None:
    """Add the samples of a group, each counter in order of time; equal times have one sample."""
    for counter in COUNTERS:
        labels = (*_labels(found, by, group), ("counter", counter))
        last = None
        for point, value in zip(
            found.series.points, found.series.values(by, group.name, counter), strict=True
        ):
            moment = None if point.taken_at is None else point.taken_at.timestamp()
            if value is None or moment is None or moment == last:
                continue
            last = moment
            exposition.add(family, labels, value, round(moment, 3))
