"""What two snapshots have on the same ground."""

from typing import NamedTuple

from vmdiff.model import Mapping


class Region(NamedTuple):
    """A connected group of mappings, before and after; each in the order of its snapshot.

    *because* says what the pairing rests on where it was not the addresses: ``by path and offset``.
    *moved* marks a pair from different addresses of one address space, *replaced* a pair from different
    runs that are parts of different builds of one object.
    """

    before: tuple[Mapping, ...]
    after: tuple[Mapping, ...]
    because: str | None = None
    moved: bool = False
    replaced: bool = False
