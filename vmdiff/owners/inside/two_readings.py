"""Read what a running process may change meanwhile, and say whether it did."""

from collections.abc import Callable
from typing import TypeVar

from vmdiff.owners.memory_port import Memory

MOVED = "the process changed it while it was read; --freeze holds it still"
_TRIES = 4

T = TypeVar("T")


def two_readings(read: Callable[[], T], memory: Memory | None = None, tries: int = _TRIES) -> tuple[T, bool]:
    """Return what *read* returns, and whether it held together at one moment, which is tried a few times.

    It did if no thread of *memory*'s process ran while it was read. Else two equal readings in a row bound a
    moment between them, unless something changed and changed back. The last reading is returned either way.
    """
    last: T | None = None
    for number in range(tries):
        before = None if memory is None else memory.activity()
        found = read()
        if memory is not None and before is not None and before == memory.activity():
            return found, True
        if number and found == last:
            return found, True
        last = found
    return found, False
