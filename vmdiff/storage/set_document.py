"""Snapshot sets as JSON documents: each member is a snapshot document as it stands alone."""

import json
from collections.abc import Iterator

from pydantic import ValidationError

from vmdiff.errors import DocumentError
from vmdiff.model.snapshot import MOST_MAPPINGS
from vmdiff.model.snapshot_set import SET_FORMAT, SET_VERSION, SnapshotSet
from vmdiff.storage import json_document, point_delta

_HEAD = 400  # bytes; the format is the first key that `dump` writes
_BETWEEN = b",\n"
_GZIP = b"\x1f\x8b"


def is_set(data: bytes) -> bool:
    """Return whether a JSON document says that it is a set."""
    return f'"{SET_FORMAT}"'.encode() in data[:_HEAD]


def may_be_set(data: bytes) -> bool:
    """Return whether a file may hold a set: it does, or it is compressed or a point of a recording."""
    return data.startswith(_GZIP) or point_delta.is_delta(data) or is_set(data)


def dump(snapshots: SnapshotSet, lines_of: json_document.RepeatedLines | None = None) -> Iterator[bytes]:
    """Write a set as UTF-8 JSON, in pieces: a key a line, and each member as a document of its own."""
    head = snapshots.model_dump(mode="json", exclude={"members"})
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    yield ("{\n" + ",\n".join(lines) + ',\n  "members": [\n').encode(errors="replace")
    for number, member in enumerate(snapshots.members):
        if number:
            yield _BETWEEN
        yield from json_document.dump(member, lines_of)
    yield b"]\n}\n"


def load(data: bytes, *, source: str) -> SnapshotSet:
    """Read a set document; *source* only names the place in errors.

    Raises:
        DocumentError: it is no set of a version that this vmdiff knows, with every problem.
    """
    if data.count(b'"perms"') > MOST_MAPPINGS:
        raise DocumentError(source, [("$.members", f"more than {MOST_MAPPINGS:,} mappings")])
    try:
        return SnapshotSet.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(
            source, json_document.problems(error, data, expected=SET_FORMAT, newest=SET_VERSION)
        ) from error
