"""Turn snapshots into columns: a row a piece, with the facts of its snapshot beside it.

``docs/fleet.md`` lists the columns for users. Names avoid SQL's keywords (``low`` and ``high``, not
``start`` and ``end``), times are seconds since 1970 in a double, and everything that is not a number is
a string, because that is what DuckDB and Spark both read without conversion.
"""

import hashlib
import re
from collections import abc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from vmdiff.model import DERIVED, KNOWN_COUNTERS, Mapping, Owner, Snapshot
from vmdiff.model.memory_figures import figure_of_two, parts_of
from vmdiff.model.piece import PRIVATE, Counts, pieces_of

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

VERSION = 1  # of the columns; kept in the metadata of each file

# Facts of the snapshot, equal in all its rows.
FACTS: abc.Mapping[str, str] = {
    "snapshot": "string",
    "taken_at": "double",
    "label": "string",
    "source": "string",
    "host": "string",
    "boot_id": "string",
    "kernel": "string",
    "machine": "string",
    "pid": "int64",
    "process": "string",
    "executable": "string",
    "cgroup": "string",
    "redacted": "bool",
}
OF_A_PIECE: abc.Mapping[str, str] = {
    "low": "int64",
    "high": "int64",
    "perms": "string",
    "kind": "string",
    "owner": "string",
    "owner_label": "string",
    "certainty": "string",
    "basis": "string",
    "path": "string",
    "deleted": "bool",
    "build_id": "string",
    "flags": "string",
}
COUNTERS: tuple[str, ...] = (*DERIVED, PRIVATE, *(name for name in KNOWN_COUNTERS if name not in DERIVED))
TAG = "tag_"
UNKNOWN_DAY = "unknown"
_SIGN = 1 << 63
_MOST_COUNTER = _SIGN - 1
_TYPES = {**FACTS, **OF_A_PIECE}


class Batch(NamedTuple):
    """The rows of some snapshots of one day (UTC), in a pyarrow table.

    *snapshots* are their identities, each with how many rows it has, in the order of the rows.
    """

    day: str
    snapshots: tuple[tuple[str, int], ...]
    table: Any

    def without(self, known: abc.Set[str]) -> "Batch":
        """Return the rows of the snapshots that are not *known*, each once."""
        seen, kept, parts, at = set(known), [], [], 0
        for identity, count in self.snapshots:
            if identity not in seen:
                seen.add(identity)
                kept.append((identity, count))
                parts.append(self.table.slice(at, count))
            at += count
        if len(kept) == len(self.snapshots):
            return self
        import pyarrow as pa  # an extra

        table = pa.concat_tables(parts) if parts else self.table.slice(0, 0)
        return Batch(self.day, tuple(kept), table)


def rows(snapshot: Snapshot) -> Batch:
    """Return the rows of a snapshot, one a piece, in address order."""
    (batch,) = batches([snapshot])
    return batch


def batches(snapshots: abc.Iterable[Snapshot]) -> list[Batch]:
    """Return the rows of several snapshots by day: one table for many costs a third of one for each."""
    days: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        days.setdefault(_day(snapshot.taken_at), []).append(snapshot)
    return [_batch(day, some) for day, some in days.items()]


def _batch(day: str, snapshots: abc.Sequence[Snapshot]) -> Batch:
    import pyarrow as pa  # an extra

    identities = [identify(snapshot) for snapshot in snapshots]
    columns: dict[str, list[Any]] = {name: [] for name in (*OF_A_PIECE, *COUNTERS)}
    counts = [_append(columns, snapshot) for snapshot in snapshots]
    places = pa.array([at for at, count in enumerate(counts) for _ in range(count)], type=pa.int32())
    facts = [_facts(snapshot, identity) for snapshot, identity in zip(snapshots, identities, strict=True)]
    arrays = {
        name: pa.array([one.get(name) for one in facts], type=_type(pa, name)).take(places)
        for name in dict.fromkeys(name for one in facts for name in one)
    }
    arrays |= {name: _array(pa, name, column) for name, column in columns.items()}
    return Batch(day, tuple(zip(identities, counts, strict=True)), pa.table(arrays))


class _Unit(NamedTuple):
    """A piece: its mapping, owner and bounds, and its counters, None where they are the mapping's own."""

    mapping: Mapping
    owner: Owner | None
    low: int | None
    high: int | None
    counts: Counts | None


def _append(columns: dict[str, list[Any]], snapshot: Snapshot) -> int:
    """Append the pieces of a snapshot to the columns; return how many there were."""
    units = list(_units(snapshot))
    before = len(columns["low"])
    _append_texts(columns, units)
    held = [unit.mapping.values if unit.counts is None else unit.counts for unit in units]
    known = snapshot.counters
    for name in known:
        if name not in DERIVED:
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * before
            column += [values.get(name, 0) for values in held]
    for name in DERIVED:
        columns[name] += [
            getattr(unit.mapping, name) if unit.counts is None else unit.counts[name] for unit in units
        ]
    columns[PRIVATE] += _private(
        units, {name: columns[name][before:] for name in parts_of(PRIVATE) if name in known}
    )
    for name in columns.keys() - {*OF_A_PIECE, *known, PRIVATE}:
        columns[name] += [None] * len(units)
    return len(units)


def _units(snapshot: Snapshot) -> Iterator[_Unit]:
    for mapping in snapshot.mappings:
        owner = mapping.owner
        if owner is None or not owner.parts:
            yield _Unit(mapping, owner, mapping.start, mapping.end, None)
            continue
        for piece in pieces_of(snapshot, mapping):
            low, high = piece.ranges[0].start, piece.ranges[-1].end
            yield _Unit(mapping, piece.owner, low, high, piece.counts)


def _append_texts(columns: dict[str, list[Any]], units: abc.Sequence[_Unit]) -> None:
    """Append the columns of `OF_A_PIECE`."""
    mappings, owners = [unit.mapping for unit in units], [unit.owner for unit in units]
    columns["low"] += [_signed(unit.low) for unit in units]
    columns["high"] += [_signed(unit.high) for unit in units]
    columns["perms"] += [mapping.perms for mapping in mappings]
    columns["kind"] += [mapping.kind.value for mapping in mappings]
    columns["owner"] += [owner and owner.name for owner in owners]
    columns["owner_label"] += [owner and owner.label for owner in owners]
    columns["certainty"] += [owner and owner.certainty for owner in owners]
    columns["basis"] += [owner and owner.basis for owner in owners]
    columns["path"] += [mapping.path for mapping in mappings]
    columns["deleted"] += [mapping.deleted for mapping in mappings]
    columns["build_id"] += [mapping.build_id for mapping in mappings]
    flags = (mapping.flags for mapping in mappings)
    columns["flags"] += [None if some is None else " ".join(some) for some in flags]


def _private(units: abc.Sequence[_Unit], parts: abc.Mapping[str, list[int | None]]) -> list[int | None]:
    """Return what of each piece no other process maps: counted, or the sum of its parts."""
    whole = [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]
    return [
        figure_of_two(counts, PRIVATE) if unit.counts is None else unit.counts[PRIVATE]
        for unit, counts in zip(units, whole or [{}] * len(units), strict=True)
    ]


def _array(pa: Any, name: str, column: list[Any]) -> Any:
    try:
        return pa.array(column, type=_type(pa, name))
    except OverflowError:  # beyond 63 bits: unknown is better than wrapped around
        return pa.array([None if v is None or v > _MOST_COUNTER else v for v in column], type=pa.int64())
    except UnicodeEncodeError:  # half characters of a name
        return pa.array(list(map(_printable, column)), type=_type(pa, name))


def _type(pa: Any, name: str) -> Any:
    kinds = {"string": pa.string(), "double": pa.float64(), "bool": pa.bool_()}
    return pa.string() if name.startswith(TAG) else kinds.get(_TYPES.get(name, ""), pa.int64())


def identify(snapshot: Snapshot) -> str:
    """Return what tells a snapshot from all others, and is equal for the same one in another file.

    A digest of everything but the mappings' contents: when, where and of what it was taken, its layout
    and its totals. An instant in microseconds and a pid do most of the work; imports have neither.
    """
    facts = snapshot.model_dump_json(exclude={"mappings", "usage"})
    layout = [(mapping.start, mapping.end) for mapping in snapshot.mappings]
    told = f"{facts}\n{layout}\n{sorted(snapshot.totals.items())}"
    return hashlib.sha256(told.encode(errors="backslashreplace")).hexdigest()[:24]


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
    facts: dict[str, object] = dict(zip(FACTS, map(_printable, values), strict=True))
    return facts | {tag_column(name): _printable(value) for name, value in snapshot.tags.items()}


def tag_column(tag: str) -> str:
    """Return the column of a tag: ``tag_version``; what no column's name may hold becomes ``_``."""
    return TAG + re.sub(r"[^A-Za-z0-9_]", "_", tag)


def _signed(address: int | None) -> int | None:
    """Return an address as the signed 64 bits that Parquet and Spark have: ``high - low`` stays right."""
    if address is None:
        return None
    address &= 2 * _SIGN - 1
    return address - 2 * _SIGN if address >= _SIGN else address


def _printable(value: object) -> object:
    """Return text as valid UTF-8, which Parquet demands: half characters of a name become escapes."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _day(taken_at: datetime | None) -> str:
    return UNKNOWN_DAY if taken_at is None else f"{taken_at.astimezone(UTC):%Y-%m-%d}"
