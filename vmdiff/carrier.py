"""The snapshots that ride inside an HTML report, written and read back.

Each stands in an element that no browser runs, as its document, compressed and in base64: an alphabet
that cannot end the element. Everything else in a report has its ``<`` escaped, so that no name from
outside can pose as one of these elements.
"""

import base64
import binascii
import re
from collections.abc import Sequence

from vmdiff import document
from vmdiff.errors import InputError
from vmdiff.model import Snapshot

_OPEN = '<script type="application/gzip" data-vmdiff-snapshot>'
_ELEMENT = re.compile(
    rb"<script\b[^>]{0,200}\bdata-vmdiff-snapshot\b[^>]{0,200}>([A-Za-z0-9+/=\s]*)</script>", re.IGNORECASE
)
_MOST = 2
_HEAD = 4096


def carry(snapshots: Sequence[Snapshot]) -> str:
    """Write one snapshot, or before and after, as elements of an HTML page."""
    return "\n".join(f"{_OPEN}\n{_packed(snapshot)}</script>" for snapshot in snapshots)


def is_report(data: bytes) -> bool:
    """Say whether this looks like an HTML report of vmdiff, whole or not."""
    return b"<html" in data[:_HEAD].lower() and b"vmdiff" in data[:_HEAD]


def carried(data: bytes, *, source: str, largest: int = document.LARGEST) -> tuple[Snapshot, ...]:
    """Read back what `carry` put into a report: one snapshot, or before and after.

    Each may unpack to *largest* bytes.

    Raises:
        InputError: nothing rides in it, it was cut short, or it is damaged.
    """
    packed = _ELEMENT.findall(data)
    if not 1 <= len(packed) <= _MOST:
        found = "no snapshots ride in it" if not packed else f"{len(packed)} snapshots ride in it"
        raise InputError(
            f"{source}: a report of vmdiff, but {found}; was it saved from a browser or cut short?"
        )
    return tuple(_unpacked(text, source, largest) for text in packed)


def _packed(snapshot: Snapshot) -> str:
    compressed = b"".join(document.compressed(document.dump(snapshot)))
    return base64.encodebytes(compressed).decode("ascii")


def _unpacked(text: bytes, source: str, largest: int) -> Snapshot:
    try:
        compressed = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise InputError(f"{source}: a snapshot in this report is damaged ({error})") from error
    return document.load(document.decompress(compressed, source=source, largest=largest), source=source)
