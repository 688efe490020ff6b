"""Series of snapshots drawn by hand: a value in MiB a minute for each owner."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vmdiff.model import Host, Mapping, Origin, Owner, Process, Snapshot

MIB = 1 << 20
START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=1)


def moments(
    *, pids: Sequence[int] | None = None, every: timedelta = EVERY, **owners: Sequence[int | None]
) -> Iterator[Snapshot]:
    """Draw snapshots whose owners have so many resident MiB; None is an owner that is not there."""
    for at, values in enumerate(zip(*owners.values(), strict=True)):
        held = {name: value for name, value in zip(owners, values, strict=True) if value is not None}
        yield moment(START + at * every, pids[at] if pids else 7, **held)


def moment(
    taken_at: datetime | None, pid: int = 7, facts: dict[str, Any] | None = None, **owners: int
) -> Snapshot:
    mappings = tuple(
        Mapping(
            place << 40,
            (place << 40) + (1 << 32),
            "rw-p",
            owner=Owner(name, "certain", "record", "drawn"),
            values={"rss": value * MIB},
        )
        for place, (name, value) in enumerate(sorted(owners.items()), start=1)
    )
    return Snapshot(
        taken_at=taken_at,
        origin=Origin(source="drawn", counters=("rss",), owners=True),
        host=Host(boot_id="b", memory_total=1 << 40),
        process=Process(pid=pid, start_ticks=pid, name="server", limits={"stack": 8 * MIB}),
        mappings=mappings,
        **facts or {},
    )
