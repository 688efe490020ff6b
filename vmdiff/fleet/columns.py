"""The columns of an export: their names and types, and values as arrays of these types.

``docs/fleet.md`` lists the columns for users. Names avoid SQL's keywords (``low`` and ``high``, not
``start`` and ``end``), times are seconds since 1970 in a double, and everything that is not a number is
a string, because that is what DuckDB and Spark both read without conversion.
"""

import re
from collections import abc
from typing import Any

from vmdiff.errors import InputError
from vmdiff.model import DERIVED, KNOWN_COUNTERS
from vmdiff.model.piece import PRIVATE

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
_MOST = (1 << 63) - 1
_TYPES = {**FACTS, **OF_A_PIECE}


def schema_with(names: abc.Iterable[str]) -> Any:
    """Return the columns that every file has, and those *names* that are others: tags, later counters."""
    import pyarrow as pa

    every = dict.fromkeys((*FACTS, *OF_A_PIECE, *COUNTERS, *names))
    return pa.schema([(name, _type(pa, name)) for name in every])


def tag_column(tag: str) -> str:
    """Return the column of a tag: ``tag_version`` also for ``Version``, since SQL's names have no case.

    What no column's name may hold becomes ``_``.
    """
    return TAG + re.sub(r"[^A-Za-z0-9_]", "_", tag).lower()


def tag_columns(tags: abc.Mapping[str, str]) -> dict[str, str]:
    """Return the value in the column of each tag.

    Raises:
        InputError: two tags have one column and different values.
    """
    tag_of: dict[str, str] = {}
    for tag, value in tags.items():
        name = tag_column(tag)
        first = tag_of.setdefault(name, tag)
        if tags[first] != value:
            raise InputError(
                f"tags {first!r} and {tag!r} differ, but both are column {name}; drop one of them"
            )
    return {name: tags[tag] for name, tag in tag_of.items()}


def is_counter_column(name: str) -> bool:
    """Return whether a counter that a source announced can be a column, and is none that vmdiff fills."""
    taken = name in _TYPES or name in {*DERIVED, PRIVATE} or name.startswith(TAG)
    return not taken and re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None


def array(name: str, values: abc.Sequence[Any]) -> Any:
    """Return the values of a column as an array of its type; a number beyond 63 bits is unknown there."""
    import pyarrow as pa

    try:
        return pa.array(values, type=_type(pa, name))
    except OverflowError:  # unknown is better than wrapped around
        return pa.array([None if v is None or v > _MOST else v for v in values], type=pa.int64())
    except UnicodeEncodeError:  # half characters of a name
        return pa.array(list(map(printable, values)), type=_type(pa, name))


def spread(values: Any, places: Any) -> Any:
    """Return the value at each of *places*; the type is null where nothing is known, which takes no room."""
    import pyarrow as pa

    return pa.nulls(len(places)) if values.null_count == len(values) else values.take(places)


def addresses(values: abc.Sequence[int | None]) -> Any:
    """Return addresses as the signed 64 bits that Parquet and Spark have: ``high - low`` stays right."""
    import pyarrow as pa

    try:
        unsigned = pa.array(values, type=pa.uint64())
    except OverflowError:  # the end of the address space
        unsigned = pa.array([None if v is None else v & (2 * _MOST + 1) for v in values], type=pa.uint64())
    return unsigned.view(pa.int64())


def printable(value: object) -> object:
    """Return text as valid UTF-8, which Parquet demands: half characters of a name become escapes."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _type(pa: Any, name: str) -> Any:
    kinds = {"string": pa.string(), "double": pa.float64(), "bool": pa.bool_()}
    return pa.string() if name.startswith(TAG) else kinds.get(_TYPES.get(name, ""), pa.int64())
