"""The latest point of a recording as gauges, for a collector that reads a file (node_exporter's textfile).

Labels are what stays when the process is restarted: what was recorded, and the names of the largest owners
and roles; all others are one, so that there are never more series than were allowed. The text is
OpenMetrics without times, which the older Prometheus format has as well: node_exporter refuses times
(https://github.com/prometheus/node_exporter#textfile-collector).
"""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import Metric

from vmdiff.model import add
from vmdiff.model.snapshot_set import Moment, members_of
from vmdiff.report import wording
from vmdiff.report.profiles import exposition
from vmdiff.report.profiles.exposition import Labels
from vmdiff.series.figure_columns import COUNTERS, FREE, IN_USE, ROLE, TOTAL, USAGE, sums_of

OTHERS = "(others)"
_GROUPS = (
    (TOTAL, "", "vmdiff_process_bytes", "A counter over the whole address space.", COUNTERS),
    ("owner", "owner", "vmdiff_owner_bytes", "A counter of the memory of one owner.", COUNTERS),
    (ROLE, "role", "vmdiff_role_bytes", "A counter of the processes of one role.", COUNTERS),
    (USAGE, "owner", "vmdiff_usage_bytes", "What an allocator has in use, and free.", (IN_USE, FREE)),
)

Sums = Mapping[str, int | None]


def gauges(moment: Moment, target: str, top: int) -> str:
    """Write a point: the *top* largest owners and roles by name; *target* is what was recorded."""
    every: dict[str, dict[str, Sums]] = {}
    for (grouping, name), sums in sums_of(moment).items():
        every.setdefault(grouping, {})[name] = sums
    families = [
        _family(name, text, _samples(every.get(grouping, {}), label, counters, top), target)
        for grouping, label, name, text, counters in _GROUPS
    ]
    count = [((), len(members_of(moment)))]
    families.append(_family("vmdiff_processes", "The number of processes.", count, target))
    if moment.taken_at is not None:
        when = [((), moment.taken_at.timestamp())]
        text = "When the snapshot was taken, as Unix time."
        families.append(_family("vmdiff_snapshot_seconds", text, when, target))
    return exposition.written(families)


def _family(name: str, text: str, samples: "Iterator[Sample] | Sequence[Sample]", target: str) -> Metric:
    unit = next((unit for unit in ("bytes", "seconds") if name.endswith(f"_{unit}")), "")
    family = exposition.gauge(name, unit, text)
    for labels, value in samples:
        exposition.add(family, (("target", wording.name(target)), *labels), value)
    return family


Sample = tuple[Labels, float]


def _samples(groups: Mapping[str, Sums], label: str, counters: Sequence[str], top: int) -> Iterator[Sample]:
    """Yield what is known of each group; the smallest are added up where there are more than *top*."""
    ordered = sorted(groups, key=lambda name: (-_weight(groups[name]), name))
    for name in ordered[:top]:
        yield from _known(groups[name], ((label, wording.name(name)),) if label else (), counters)
    if rest := [groups[name] for name in ordered[top:]]:
        sums = {counter: add(one.get(counter) for one in rest) for counter in counters}
        yield from _known(sums, ((label, OTHERS),), counters)


def _weight(sums: Sums) -> int:
    return max((sums.get(counter) or 0 for counter in ("rss", "pss", "swap", IN_USE, FREE)), default=0)


def _known(sums: Sums, labels: Labels, counters: Sequence[str]) -> Iterator[Sample]:
    for counter in counters:
        if (value := sums.get(counter)) is not None:
            yield (*labels, ("counter", counter)), value
