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
from vmdiff.storage import json_document, unpacking

_GZIP = b"\x1f\x8b"
_MARK = b"data-vmdiff-snapshot"
_OPEN = f'<script type="application/gzip" {_MARK.decode()}>'
_LONGEST_TAG = 200
_MOST = 2
_MADE_BY = b'data-made-by="vmdiff"'  # an attribute of a report's first element
_HEAD = 4096


def carry(snapshots: Sequence[Snapshot]) -> str:
    """Write one snapshot, or before and after, as elements of an HTML page."""
    return "\n".join(f"{_OPEN}\n{_packed(snapshot)}</script>" for snapshot in snapshots)


def is_report(data: bytes) -> bool:
    """Say whether this looks like an HTML report of vmdiff, whole or not."""
    return _MADE_BY in data[:_HEAD]


def carried(data: bytes, *, source: str, largest: int = unpacking.LARGEST) -> tuple[Snapshot, ...]:
    """Read back what `carry` put into a report: one snapshot, or before and after.

    Each may unpack to *largest* bytes.

    Raises:
        InputError: nothing rides in it, it was cut short, or it is damaged.
    """
    packed = list(islice(_elements(data), _MOST + 1))
    if not 1 <= len(packed) <= _MOST:
        found = "no snapshots ride in it" if not packed else "more than two ride in it"
        raise InputError(
            f"{source}: a report of vmdiff, but {found}; was it saved from a browser or cut short?"
        )
    return tuple(_unpacked(text, source, largest) for text in packed)


def _elements(data: bytes) -> Iterator[bytes]:
    """Yield what stands in each carrying element, in time that grows with the data alone."""
    at = data.find(_MARK)
    while at >= 0:
        tag = data.rfind(b"<", max(0, at - _LONGEST_TAG), at)
        body = data.find(b">", max(tag, 0), at + _LONGEST_TAG) + 1
        if body > at and data[tag : tag + 7].lower() == b"<script":
            end = data.find(b"<", body)
            if data[end : end + 8].lower() == b"</script":
                yield data[body:end]
        at = data.find(_MARK, at + 1)


def _packed(snapshot: Snapshot) -> str:
    compressed = b"".join(json_document.compressed(json_document.dump(snapshot)))
    return base64.encodebytes(compressed).decode("ascii")


def _unpacked(text: bytes, source: str, largest: int) -> Snapshot:
    try:
        compressed = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise InputError(f"{source}: a snapshot in this report is damaged ({error})") from error
    if not compressed.startswith(_GZIP):
        raise InputError(f"{source}: a snapshot in this report is damaged (it is not gzip data)")
    return json_document.load(
        unpacking.unpack(compressed, source=source, largest=largest).data, source=source
    )
