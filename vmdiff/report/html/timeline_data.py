"""The figures behind a timeline page: small ones as JSON, those of every point compressed.

A column is its first value and then the differences, null where it is unknown; a thousand points of three
hundred mappings, most of which stay as they are, then take some ten kilobytes.
"""

import base64
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from vmdiff.model import add
from vmdiff.report import wording
from vmdiff.report.html.report_data import safe
from vmdiff.series.figure_columns import MAPPING
from vmdiff.series.trends import GroupTrend, Trend

MOST_POINTS = 2000  # of a page; of more, some are left out
_GROUPS = 60  # of one grouping
_MAPPINGS = 2000

Values = Sequence[int | None]


def places(found: Trend) -> list[int]:
    """Return the points that are drawn: all, or so many at even distances, the last among them."""
    count = len(found.series.points)
    if count <= MOST_POINTS:
        return list(range(count))
    return [at * (count - 1) // (MOST_POINTS - 1) for at in range(MOST_POINTS)]


def head(found: Trend, drawn: Sequence[int]) -> str:
    """Write when the points are, and what the groups are called and judged as."""
    series = found.series
    first = series.points[0].taken_at if series.points else None
    return safe(
        {
            "start": first.timestamp() if series.timed and first is not None else None,
            "times": [round(series.times[at], 3) for at in drawn],
            "counter": found.counter,
            "whole": "all processes" if series.of_sets else "the process",
            "cuts": [run.start for run in series.runs[1:]],
            "groups": {
                by: [
                    [
                        wording.name(group.name),
                        group.judgement.name,
                        group.rate,
                        wording.printable(group.judgement.evidence),
                    ]
                    for group in _most(groups)
                ]
                for by, groups in found.groups.items()
                if by != MAPPING
            },
        }
    )


def packed(found: Trend, drawn: Sequence[int]) -> str:
    """Write the columns of all groups and mappings, compressed, as text for a page."""
    columns = {
        "total": _column(found.total.values, drawn),
        "groups": {
            by: [_column(group.values, drawn) for group in _most(groups)]
            for by, groups in found.groups.items()
            if by != MAPPING
        },
        "mappings": list(_mappings(found, drawn)),
    }
    return base64.b64encode(zlib.compress(to_json(columns), 9)).decode()


def _most(groups: Sequence[GroupTrend]) -> list[GroupTrend]:
    """Return the groups that are drawn, in the order of the trend; the page adds up what is left."""
    largest = sorted(groups, key=lambda group: (group.judgement.name != "leak", -_highest(group.values)))
    kept = {group.name for group in largest[:_GROUPS]}
    return [group for group in groups if group.name in kept]


def _highest(values: Values) -> int:
    return max((value for value in values if value is not None), default=0)


def _mappings(found: Trend, drawn: Sequence[int]) -> Iterator[list[Any]]:
    """Yield name, judged counter and size of each mapping; those that moved least are one."""
    series = found.series
    groups = sorted(found.groups.get(MAPPING, ()), key=lambda group: -_reach(group.values))
    for group in groups[:_MAPPINGS]:
        size = series.values(MAPPING, group.name, "size")
        yield [wording.name(group.name), _column(group.values, drawn), _column(size, drawn)]
    if rest := groups[_MAPPINGS:]:
        sums = [[add(row) for row in zip(*columns, strict=True)] for columns in _of(found, rest)]
        yield [f"{len(rest):,} others", *(_column(values, drawn) for values in sums)]


def _of(found: Trend, groups: Sequence[GroupTrend]) -> Iterator[list[Values]]:
    yield [group.values for group in groups]
    yield [found.series.values(MAPPING, group.name, "size") for group in groups]


def _reach(values: Values) -> int:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else 0


def _column(values: Values, drawn: Sequence[int]) -> list[int | None]:
    last = 0
    column: list[int | None] = []
    for value in (values[at] for at in drawn):
        column.append(None if value is None else value - last)
        last = last if value is None else value
    return column
