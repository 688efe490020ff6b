"""The snapshots that ride inside an HTML report, written and read back.

Each stands in an element that no browser runs, as its document, compressed and in base64: an alphabet
that cannot end the element. Everything else in a report has its ``<`` escaped, so that no name from
outside can pose as one of these elements.
"""

import base64
import binascii
from collections.abc import Iterator, Sequence
from itertools import islice

from vmdiff.errors import InputError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.storage import json_document, set_document, unpacking

_GZIP = b"\x1f\x8b"
_MARK = b"data-vmdiff-snapshot"
_SET_MARK = b"data-vmdiff-set"
_LONGEST_TAG = 200
_MOST = 2
_MADE_BY = b'data-made-by="vmdiff"'  # an attribute of a report's first element
_HEAD = 4096


def carry(snapshots: Sequence[Snapshot]) -> str:
    """Write one snapshot, or before and after, as elements of an HTML page."""
    return "\n".join(_element(_MARK, json_document.dump(snapshot)) for snapshot in snapshots)


def carry_sets(sets: Sequence[SnapshotSet]) -> str:
    """Write one set, or before and after, as elements of an HTML page."""
    return "\n".join(_element(_SET_MARK, set_document.dump(one)) for one in sets)


def is_report(data: bytes) -> bool:
    """Return whether this looks like an HTML report of vmdiff, whole or not."""
    return _MADE_BY in data[:_HEAD]


def carried(data: bytes, *, source: str, largest: int = unpacking.LARGEST) -> tuple[Snapshot, ...]:
    """Read back what `carry` put into a report: one snapshot, or before and after.

    Each may unpack to *largest* bytes.

    Raises:
        InputError: nothing rides in it, it was cut short, or it is damaged.
    """
    packed = list(islice(_elements(data, _MARK), _MOST + 1))
    if not 1 <= len(packed) <= _MOST:
        found = "no snapshots ride in it" if not packed else "more than two ride in it"
        raise InputError(
            f"{source}: a report of vmdiff, but {found}; was it saved from a browser or cut short?"
        )
    documents = (_unpacked(text, source, largest) for text in packed)
    return tuple(json_document.load(document, source=source) for document in documents)


def carried_sets(data: bytes, *, source: str, largest: int = unpacking.LARGEST) -> tuple[SnapshotSet, ...]:
    """Read back what `carry_sets` put into a report; nothing where no set rides in it.

    Raises:
        InputError: it was cut short, or is damaged.
    """
    packed = list(islice(_elements(data, _SET_MARK), _MOST + 1)) if is_report(data) else []
    if len(packed) > _MOST:
        raise InputError(f"{source}: a report of vmdiff, but more than two sets ride in it")
    documents = (_unpacked(text, source, largest) for text in packed)
    return tuple(set_document.load(document, source=source) for document in documents)


def _elements(data: bytes, mark: bytes) -> Iterator[bytes]:
    """Yield what stands in each carrying element, in time that grows with the data alone."""
    at = data.find(mark)
    while at >= 0:
        tag = data.rfind(b"<", max(0, at - _LONGEST_TAG), at)
        body = data.find(b">", max(tag, 0), at + _LONGEST_TAG) + 1
        if body > at and data[tag : tag + 7].lower() == b"<script":
            end = data.find(b"<", body)
            if data[end : end + 8].lower() == b"</script":
                yield data[body:end]
        at = data.find(mark, at + 1)


def _element(mark: bytes, document: Iterator[bytes]) -> str:
    packed = base64.encodebytes(b"".join(json_document.compressed(document))).decode("ascii")
    return f'<script type="application/gzip" {mark.decode()}>\n{packed}</script>'


def _unpacked(text: bytes, source: str, largest: int) -> bytes:
    try:
        compressed = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise InputError(f"{source}: a snapshot in this report is damaged ({error})") from error
    if not compressed.startswith(_GZIP):
        raise InputError(f"{source}: a snapshot in this report is damaged (it is not gzip data)")
    return unpacking.unpack(compressed, source=source, largest=largest).data
