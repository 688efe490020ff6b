"""Read twice what a running process may change in between, and say whether it did."""

from collections.abc import Callable
from typing import TypeVar

MOVED = "the process changed it while it was read; --freeze holds it still"
_TRIES = 4

T = TypeVar("T")


def two_readings(read: Callable[[], T]) -> tuple[T, bool]:
    """Return what *read* returns, and whether two readings in a row were equal within a few tries.

    Equal readings bound a moment between them at which all that was read held together, unless it changed
    and changed back. The last reading is returned either way.
    """
    last = read()
    for _ in range(_TRIES - 1):
        again = read()
        if again == last:
            return again, True
        last = again
    return last, False
