"""Ranges of addresses, and the one look-up of what lies at an address."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar


class AddressRange(NamedTuple):
    """The half-open range of addresses ``[start, end)``."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.end - self.start

    def holds(self, address: int) -> bool:
        """Return whether *address* lies inside."""
        return self.start <= address < self.end


class Placed(Protocol):
    """Whatever has an address range: a mapping, a part, a file's segment."""

    @property
    def start(self) -> int:
        """The first address."""

    @property
    def end(self) -> int:
        """The first address behind it."""


_Item = TypeVar("_Item", bound=Placed)


class AddressIndex(Generic[_Item]):
    """Look up what lies at an address, among things that are ordered and disjoint."""

    __slots__ = ("_starts", "items")

    def __init__(self, items: Iterable[_Item]) -> None:
        self.items: tuple[_Item, ...] = tuple(items)
        self._starts = list(map(attrgetter("start"), self.items))

    def at(self, address: int) -> _Item | None:
        """Return the thing that holds *address*, None if there is none."""
        index = bisect_right(self._starts, address) - 1
        return self.items[index] if index >= 0 and address < self.items[index].end else None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the half-open range of indices of what overlaps ``[start, end)``."""
        first = bisect_right(self._starts, start) - 1
        if first < 0 or self.items[first].end <= start:
            first += 1
        return first, max(first, bisect_left(self._starts, end))

    def within(self, start: int, end: int) -> Sequence[_Item]:
        """Return what overlaps ``[start, end)``, in order."""
        return self.items[slice(*self.span(start, end))]
