"""What page-level reading counts of a stretch of memory."""

from typing import NamedTuple


class Residency(NamedTuple):
    """The bytes of a stretch that are resident, in swap, and resident and mapped by no other process.

    They are counted as the kernel does in smaps: the shared page of zeros is not resident. *exclusive* is
    None where it was not asked for or is unknown.
    """

    resident: int
    swapped: int
    exclusive: int | None = None
