"""Kinds of files that vmdiff reads, told apart by their first bytes.

At most one of `RECOGNISERS` accepts a file, so their order means nothing; what none accepts is text, in
which `vmdiff.importers.format_registry` searches for listings.
"""

from collections.abc import Callable
from enum import Enum

from vmdiff.storage import html_embedding, json_document, point_delta

ELF = b"\x7fELF"


class FileKind(Enum):
    """What a file is, unpacked."""

    DELTA = "a point of a recording, to be read with its keyframe"
    DOCUMENT = "a snapshot document"
    REPORT = "an HTML report with snapshots in it"
    CORE = "an ELF core file"
    TEXT = "text that may hold listings"


def is_core(data: bytes) -> bool:
    """Return whether a file begins like an ELF file."""
    return data.startswith(ELF)


RECOGNISERS: tuple[tuple[FileKind, Callable[[bytes], bool]], ...] = (
    (FileKind.DELTA, point_delta.is_delta),
    (FileKind.DOCUMENT, json_document.is_document),
    (FileKind.REPORT, html_embedding.is_report),
    (FileKind.CORE, is_core),
)


def kind_of_file(data: bytes) -> FileKind:
    """Recognise a file by its first bytes."""
    return next((kind for kind, accepts in RECOGNISERS if accepts(data)), FileKind.TEXT)
