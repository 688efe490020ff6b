"""The answer: the one sentence that a report begins with, and the figures that it rests on."""

from dataclasses import dataclass
from typing import Any, Literal

Grouping = Literal["owner", "kind", "object"]


@dataclass(frozen=True, slots=True)
class Mover:
    """A part of the memory that accounts for a movement (in a snapshot: for the size), in bytes.

    *by* says what *name* is: an owner, a kind where no owner is known, or an object (a file).
    *at_least* says that it may account for more, which could not be told from its neighbours' memory.
    """

    by: Grouping
    name: str
    delta: int
    at_least: bool = False

    def record(self) -> dict[str, Any]:
        """Return the JSON object: ``{"owner": "jemalloc", "delta": 122683392}``."""
        return {self.by: self.name, "delta": self.delta} | ({"at_least": True} if self.at_least else {})


@dataclass(frozen=True, slots=True)
class Answer:
    """What happened, or what a snapshot consists of, in one sentence.

    *delta* is the movement of *counter* in bytes (in a snapshot: its total), None where unknown.
    *explained* is the share of all movement that the *movers* are; None if nothing moved.
    """

    sentence: str
    counter: str | None = None
    delta: int | None = None
    movers: tuple[Mover, ...] = ()
    explained: float | None = None

    def record(self) -> dict[str, Any]:
        """Return the JSON object, as ``docs/format.md`` describes it."""
        return {
            "sentence": self.sentence,
            "counter": self.counter,
            "delta": self.delta,
            "movers": [mover.record() for mover in self.movers],
            "explained": self.explained,
        }
