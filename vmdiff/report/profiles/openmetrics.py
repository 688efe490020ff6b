"""OpenMetrics text, for a collector: every counter by kind and owner, bounded in cardinality.

What is unknown has no sample: a gap in a graph is true, a zero would not be. Objects are left out, since
a label with a value for every file and thread is what collectors are brought down by.
"""

from collections.abc import Iterator, Sequence

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import Sums, tally
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.profiles import exposition
from vmdiff.report.profiles.exposition import Labels

_FAMILIES = (
    ("vmdiff_mappings", "", "The number of mappings of one kind and owner."),
    ("vmdiff_mapping_bytes", "bytes", "A counter of the mappings of one kind and owner."),
    ("vmdiff_process_bytes", "bytes", "A counter over the whole address space."),
    ("vmdiff_snapshot_seconds", "seconds", "When the snapshot was taken, as Unix time."),
)


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write what one snapshot holds."""
    return _exposition([((), taken)])


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write what both snapshots hold, told apart by the label ``side``."""
    sides = (("before", found.before), ("after", found.after))
    return _exposition([((("side", side),), snapshot) for side, snapshot in sides])


def _exposition(sides: list[tuple[Labels, Snapshot]]) -> str:
    told = [(labels + _process(snapshot), snapshot) for labels, snapshot in sides]
    samples = (_counts, _by_kind_and_owner, _totals, _time)
    families = []
    for named, sample in zip(_FAMILIES, samples, strict=True):
        family = exposition.gauge(*named)
        for labels, snapshot in told:
            for more, value in sample(snapshot):
                exposition.add(family, labels + more, value)
        families.append(family)
    return exposition.written(families)


def _process(snapshot: Snapshot) -> Labels:
    process = snapshot.process
    name = () if process.name is None else (("name", wording.name(process.name)),)
    return name if process.pid is None else (*name, ("pid", str(process.pid)))


def _counts(snapshot: Snapshot) -> Iterator[tuple[Labels, int]]:
    counts: dict[Labels, int] = {}
    for mapping in snapshot.mappings:
        owner = mapping.owner.name if mapping.owner else f"({mapping.kind})"
        labels = _kind_and_owner(mapping.kind, owner)
        counts[labels] = counts.get(labels, 0) + 1
    yield from sorted(counts.items())


def _by_kind_and_owner(snapshot: Snapshot) -> Iterator[tuple[Labels, int]]:
    sums: dict[Labels, Sums] = {}
    for (kind, owner, _), share in tally(snapshot).items():
        into = sums.setdefault(_kind_and_owner(kind, owner), {})
        for counter, value in share.items():
            so_far = into.get(counter, 0)
            into[counter] = None if value is None or so_far is None else so_far + value
    for labels, counters in sorted(sums.items()):
        for counter in snapshot.counters:
            if (value := counters.get(counter)) is not None:
                yield (*labels, ("counter", counter)), value


def _totals(snapshot: Snapshot) -> Iterator[tuple[Labels, int]]:
    for counter, value in snapshot.totals.items():
        if value is not None:
            yield (("counter", counter),), value


def _time(snapshot: Snapshot) -> Iterator[tuple[Labels, float]]:
    if snapshot.taken_at is not None:
        yield (), snapshot.taken_at.timestamp()


def _kind_and_owner(kind: str, owner: str) -> Labels:
    return (("kind", str(kind)), ("owner", wording.name(owner)))
