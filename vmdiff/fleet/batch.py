"""Turn snapshots into tables of rows: a row a piece, with the facts of its snapshot beside it."""

import hashlib
from collections import abc
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from vmdiff.fleet.columns import FACTS, array, printable, spread, tag_columns
from vmdiff.fleet.likenesses import Likenesses
from vmdiff.fleet.piece_columns import PackedPieces, PieceColumns
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_columns import SnapshotColumns

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

UNKNOWN_DAY = "unknown"
_MOST_LIKENESSES = 20_000  # that are remembered, some 10 MB


class Batch(NamedTuple):
    """The rows of some snapshots of one day (UTC), packed: what is equal in many rows is there once.

    *snapshots* are their identities, each with how many rows it has, in the order of the rows. *facts* has
    columns (pyarrow arrays) with a value a snapshot, *pieces* what tells its rows apart.
    """

    day: str
    snapshots: tuple[tuple[str, int], ...]
    facts: abc.Mapping[str, Any]
    pieces: PackedPieces

    @property
    def table(self) -> Any:
        """The rows, a pyarrow table; six times as large as a batch."""
        import pyarrow as pa  # an extra

        counts = (count for _, count in self.snapshots)
        places = pa.array([at for at, count in enumerate(counts) for _ in range(count)], type=pa.int32())
        facts = {name: spread(values, places) for name, values in self.facts.items()}
        return pa.table(facts | self.pieces.arrays())

    def without(self, known: abc.Set[str]) -> tuple[list[str], Any]:
        """Return the snapshots that are not *known*, each once, and a table of their rows; None for none."""
        places: dict[str, tuple[int, int]] = {}
        at = 0
        for identity, count in self.snapshots:
            if identity not in known:
                places.setdefault(identity, (at, count))
            at += count
        if not places:
            return [], None
        table = self.table
        if len(places) < len(self.snapshots):
            import pyarrow as pa  # an extra

            table = pa.concat_tables([table.slice(first, count) for first, count in places.values()])
        return list(places), table


def rows(snapshot: Snapshot) -> Batch:
    """Return the rows of a snapshot, one a piece, in address order."""
    (batch,) = Tables().batches([SnapshotColumns.of(snapshot)])
    return batch


class Tables:
    """Makes tables of snapshots; remembers what is alike between those of one call and the next."""

    def __init__(self, most: int = _MOST_LIKENESSES) -> None:
        """Forget what is alike as soon as that is more than *most*."""
        self._most = most
        self._likenesses: dict[tuple[str, ...], Likenesses] = {}  # by counters

    def batches(self, several: abc.Iterable[SnapshotColumns]) -> list[Batch]:
        """Return the rows of several snapshots: a table for those of one day that have the same counters."""
        if sum(len(one) + 1 for one in self._likenesses.values()) > self._most:
            self._likenesses.clear()
        alike: dict[tuple[str, tuple[str, ...]], list[SnapshotColumns]] = {}
        for columns in several:
            alike.setdefault((_day(columns.shell.taken_at), columns.shell.counters), []).append(columns)
        pieces = [PieceColumns(self._of(counters), some) for (_, counters), some in alike.items()]
        # All of them are known by now: so what none had before becomes columns in one step.
        return [_batch(day, some, each) for ((day, _), some), each in zip(alike.items(), pieces, strict=True)]

    def _of(self, counters: tuple[str, ...]) -> Likenesses:
        return self._likenesses.setdefault(counters, Likenesses(counters))


def _batch(day: str, several: abc.Sequence[SnapshotColumns], pieces: PieceColumns) -> Batch:
    identities = [identify(columns) for columns in several]
    facts = [_facts(columns.shell, identity) for columns, identity in zip(several, identities, strict=True)]
    names = dict.fromkeys(name for one in facts for name in one)
    arrays = {name: array(name, [one.get(name) for one in facts]) for name in names}
    return Batch(day, tuple(zip(identities, pieces.counts, strict=True)), arrays, pieces.packed())


def identify(columns: SnapshotColumns) -> str:
    """Return what tells a snapshot from all others, and is equal for the same one in another file.

    A digest of its facts and its layout. An instant in microseconds and a pid do most of the work; imports
    that lack one of them are told apart by their totals, too.
    """
    shell = columns.shell
    told = [
        shell.model_dump_json(exclude={"mappings", "usage"}).encode(errors="backslashreplace"),
        to_json(list(zip(columns.starts, columns.ends, strict=True))),
    ]
    if shell.taken_at is None or shell.process.pid is None:
        told.append(to_json(sorted(columns.whole().totals.items())))
    return hashlib.sha256(b"\n".join(told)).hexdigest()[:24]


def _facts(snapshot: Snapshot, identity: str) -> dict[str, object]:
    host, process, origin = snapshot.host, snapshot.process, snapshot.origin
    values = (
        identity,
        None if snapshot.taken_at is None else snapshot.taken_at.timestamp(),
        snapshot.label,
        origin.source,
        host.name,
        host.boot_id,
        host.kernel,
        host.machine,
        process.pid,
        process.name,
        process.executable,
        process.cgroup,
        origin.redaction is not None,
    )
    facts: dict[str, object] = dict(zip(FACTS, map(printable, values), strict=True))
    return facts | {name: printable(value) for name, value in tag_columns(snapshot.tags).items()}


def _day(taken_at: datetime | None) -> str:
    return UNKNOWN_DAY if taken_at is None else f"{taken_at.astimezone(UTC):%Y-%m-%d}"
