"""Count work instead of timing it, so that a slow or busy machine changes no result."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

LINEAR = 2.3  # the growth of n log n from a few thousand to twice as many, and some room


def lines(work: Callable[[], object]) -> int:
    """Return how many lines of Python *work* executes, loops included."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return local

    def called(frame: FrameType, event: str, argument: Any) -> Any:
        return local

    before = sys.gettrace()  # coverage's, where it is measured
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def assert_linear(count: Callable[[int], int], n: int) -> None:
    """Check that twice the input is about twice the work, as *count* counts it for a size."""
    once, twice = count(n), count(2 * n)
    assert once >= n / 2, "this counts something else than the work"
    assert twice <= LINEAR * once, f"{n}: {once}, {2 * n}: {twice}"


class CountingBytes(bytes):
    """Bytes that count how many of them a search looks at."""

    looked_at = 0

    def find(self, what: Any, start: Any = 0, end: Any = None) -> int:
        low, high, _ = slice(start, end).indices(len(self))
        found = super().find(what, low, high)
        self.looked_at += max((high if found < 0 else found) - low, 0) + 1
        return found

    def rfind(self, what: Any, start: Any = 0, end: Any = None) -> int:
        low, high, _ = slice(start, end).indices(len(self))
        found = super().rfind(what, low, high)
        self.looked_at += max(high - (low if found < 0 else found), 0) + 1
        return found

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.looked_at += len(found) if isinstance(key, slice) else 1
        return found
