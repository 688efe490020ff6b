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
from vmdiff.model.memory_figures import figure, parts_of
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


class Rows(NamedTuple):
    """The rows of one snapshot: its identity, the day (UTC) it was taken on, and a pyarrow table."""

    snapshot: str
    day: str
    table: Any


def rows(snapshot: Snapshot) -> Rows:
    """Return the rows of a snapshot, one a piece, in address order."""
    import pyarrow as pa  # an extra

    found = list(_rows(snapshot))
    count = len(found)
    identity = identify(snapshot)
    arrays = {name: _repeated(pa, name, value, count) for name, value in _facts(snapshot, identity).items()}
    for name, column in zip(OF_A_PIECE, zip(*(row.texts for row in found), strict=True), strict=False):
        arrays[name] = pa.array(column, type=_type(pa, name))
    known = {*snapshot.counters, PRIVATE}
    for name in dict.fromkeys((*COUNTERS, *snapshot.counters)):
        arrays[name] = _counters(pa, found, name) if name in known else pa.nulls(count, pa.int64())
    return Rows(identity, _day(snapshot.taken_at), pa.table(arrays))


class _PieceRow(NamedTuple):
    """A piece: the values of `OF_A_PIECE`, and its counters; one that is absent is 0."""

    texts: tuple[object, ...]
    counts: Counts


def _rows(snapshot: Snapshot) -> Iterator[_PieceRow]:
    nothing = {name: 0 for name in parts_of(PRIVATE) if name in snapshot.counters}
    for mapping in snapshot.mappings:
        if mapping.owner is not None and mapping.owner.parts:
            for piece in pieces_of(snapshot, mapping):
                low, high = piece.ranges[0].start, piece.ranges[-1].end
                yield _PieceRow(_texts(mapping, piece.owner, low, high), piece.counts)
        else:
            yield _PieceRow(
                _texts(mapping, mapping.owner, mapping.start, mapping.end), _whole(mapping, nothing)
            )


def _whole(mapping: Mapping, nothing: Counts) -> Counts:
    """Return the counters of a mapping that is one piece, as far as they are not 0."""
    counts: dict[str, Any] = {
        **nothing,
        **mapping.values,
        "size": mapping.size,
        "accessible": mapping.accessible,
    }
    counts[PRIVATE] = figure(counts, PRIVATE)
    return counts


def _repeated(pa: Any, name: str, value: object, count: int) -> Any:
    return (
        pa.nulls(count, _type(pa, name))
        if value is None
        else pa.repeat(pa.scalar(value, _type(pa, name)), count)
    )


def _counters(pa: Any, found: abc.Sequence[_PieceRow], name: str) -> Any:
    values = [row.counts.get(name, 0) for row in found]
    try:
        return pa.array(values, type=pa.int64())
    except OverflowError:  # beyond 63 bits: unknown is better than wrapped around
        return pa.array([None if v is None or v > _MOST_COUNTER else v for v in values], type=pa.int64())


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


def _texts(mapping: Mapping, owner: Owner | None, low: int | None, high: int | None) -> tuple[object, ...]:
    """Return the values of `OF_A_PIECE`."""
    return (
        _signed(low),
        _signed(high),
        mapping.perms,
        str(mapping.kind),
        *((None,) * 4 if owner is None else (owner.name, owner.label, owner.certainty, owner.basis)),
        _printable(mapping.path),
        mapping.deleted,
        mapping.build_id,
        None if mapping.flags is None else " ".join(mapping.flags),
    )


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
