"""What an owner rule may ask of a process: a port that live processes and core files implement."""

from collections.abc import Hashable, Iterable, Sequence
from typing import BinaryIO, Protocol

from vmdiff.model import PlacedMapping, Residency


class Memory(Protocol):
    """Read-only access to the memory of one process."""

    @property
    def denied(self) -> frozenset[str]:
        """What was asked for and not permitted: memory, stack pointers, pages, files."""

    def read(self, address: int, length: int) -> bytes | None:
        """Return exactly *length* bytes at *address*, or None where they cannot be read."""

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        """Return `read` for every address, thousands in a few calls."""

    def stack_pointer(self, tid: int) -> int | None:
        """Return the stack pointer of a thread, or None while it runs or is not ours to see."""

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the stack pointers of those threads that could be seen waiting, in a few tries."""

    def own_ids(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the ids here of some threads by the ids that the process itself has for them."""

    def open_object(self, mapping: PlacedMapping) -> BinaryIO | None:
        """Open the file behind a mapping for reading; None where it cannot be had."""

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> list[Residency] | None:
        """Count the pages of each stretch between *borders*, which ascend; None where that is unknown.

        *exclusive* asks for the pages that no other process maps, too, which takes longer.
        """

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Return the guard ranges (MADV_GUARD_INSTALL) in ``[start, end)``; None where unknown."""

    def activity(self) -> Hashable | None:
        """Return a value that changes whenever a thread of the process runs; None while one does, or unknown.

        Two equal values tell that the process changed nothing of its memory in between.
        """
