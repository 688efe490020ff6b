"""A memory that counts what rules ask of it: what a look costs, without a clock."""

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Mapping, Residency


class Counting(LiveMemory):
    """Count the places that are read and the calls that are made."""

    places = 0
    calls = 0
    opened = 0  # files

    def read(self, address: int, length: int) -> bytes | None:
        self.places += 1
        self.calls += 1
        return super().read(address, length)

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        self.places += len(addresses)
        self.calls += 1
        return super().read_many(addresses, length)

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        self.calls += 1
        return super().stack_pointers(tids)

    def open_object(self, mapping: Mapping) -> BinaryIO | None:
        self.calls += 1
        self.opened += 1
        return super().open_object(mapping)

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> list[Residency] | None:
        self.calls += 1
        return super().residency(borders, exclusive=exclusive)

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:
        self.calls += 1
        return super().guards(start, end)
