"""When the next point is due. Time is a parameter: tests bring their own."""

import time
from dataclasses import dataclass
from typing import Protocol


class Pacer(Protocol):
    """A clock that never goes back, and a way to wait by it."""

    def now(self) -> float:
        """Return seconds since some moment."""

    def wait(self, seconds: float) -> None:
        """Return after so many seconds."""


class Monotonic:
    """The machine's own; setting the date does not move it."""

    def now(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Return after so many seconds."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Beat:
    """Moments *every* seconds from *start* on; those that were missed are left out, not caught up with."""

    start: float
    every: float

    def after(self, now: float) -> float:
        """Return the first moment after *now*."""
        if self.every <= 0:
            return now
        return self.start + (int((now - self.start) / self.every) + 1) * self.every
