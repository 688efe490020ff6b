"""Other tools' listings -> Snapshot, recognised by what they contain (`vmdiff.importers.format_registry`).

Nothing here opens a file. What a listing does not say stays unknown, and what is known to be wrong in it
becomes a sentence in ``origin.doubts``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmdiff.model import Snapshot
    from vmdiff.model.snapshot_set import SnapshotSet


def read(data: bytes, *, source: str, choice: int | None = None) -> "Snapshot":
    """Read a listing of any known format.

    *source* names it in errors; *choice*, from 1, says which listing of a text that holds several.

    Raises:
        InputError: nothing in it is a listing, or there are several and none was chosen.
        ListingError: a line is not what its format demands.
    """
    from vmdiff.importers import format_registry  # all formats at once; reading /proc needs one

    return format_registry.read(data, source=source, choice=choice)


def count(data: bytes, *, source: str) -> int:
    """Count the listings in a text."""
    from vmdiff.importers import format_registry  # as above

    return format_registry.count(data, source=source)


def read_set(data: bytes, *, source: str) -> "SnapshotSet | None":
    """Read a bundle of several processes (``vmdiff collector``); None where the text is no such.

    Raises:
        InputError: none of them can be read.
    """
    from vmdiff.importers import format_registry  # as above

    return format_registry.read_set(data, source=source)
