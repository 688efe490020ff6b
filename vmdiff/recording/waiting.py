"""Waiting for what is to be recorded to come back, within the time that a recording has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vmdiff.capture import Notify
from vmdiff.recording.pacing import Pacer

LOOK = 1.0  # seconds between two looks at how much is resident, or whether a process is back

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How a recording waits: by which clock, how long between points, and for what it does not."""

    pacer: Pacer
    every: float
    until_exit: bool
    notify: Notify

    def until(
        self, look: Callable[[], _Found | None], end: float | None, *, between: float | None = None
    ) -> _Found | None:
        """Look again and again until something is found; None once *end* has passed."""
        pause = min(self.every, LOOK) if between is None else between
        while (found := look()) is None:
            if end is not None and self.pacer.now() >= end:
                return None
            self.pacer.wait(pause)
        return found
