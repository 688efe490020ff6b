"""A copy of a process's data, made while it stands still, to be looked into while it runs on."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import PlacedMapping, Residency, Snapshot

LARGEST = 192 << 20  # bytes; some 2 GiB a second are copied, so the process stands still for 0.1 s more
_PIECE = 1 << 20
_ZEROS = bytes(_PIECE)


class CopiedPiece(NamedTuple):
    """What ``[start, end)`` held: *data*, None where it could not be read, empty where it was all zeros."""

    start: int
    end: int
    data: bytes | None

    def read(self, start: int, end: int) -> bytes | None:
        """Return what a part of it held."""
        if self.data == b"":
            return bytes(end - start)
        return None if self.data is None else self.data[start - self.start : end - self.start]


class MemoryCopy:
    """The private data of a process as it was, and the rest of its memory as it is now.

    Implements the same port as `LiveMemory`, which stays the caller's to close. What is resident is told as
    of now.
    """

    def __init__(self, live: LiveMemory, pieces: Iterable[CopiedPiece]) -> None:
        self._live = live
        self._pieces = sorted(pieces)
        self._starts = [piece.start for piece in self._pieces]

    @property
    def denied(self) -> frozenset[str]:
        """What was asked for and not permitted."""
        return self._live.denied

    def read(self, address: int, length: int) -> bytes | None:
        """Return *length* bytes at *address*, from the copy where it has them."""
        parts, at, end = [], address, address + length
        while at < end:
            index = bisect_right(self._starts, at)
            piece = self._pieces[index - 1] if index else None
            if piece is not None and at < piece.end:
                reach = min(end, piece.end)
                part = piece.read(at, reach)
            else:
                reach = min(end, self._starts[index]) if index < len(self._starts) else end
                part = self._live.read(at, reach - at)
            if part is None:
                return None
            parts.append(part)
            at = reach
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        """Return `read` for every address."""
        return [self.read(address, length) for address in addresses]

    def stack_pointer(self, tid: int) -> int | None:
        """Return the stack pointer of a thread now."""
        return self._live.stack_pointer(tid)

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the stack pointers of threads now."""
        return self._live.stack_pointers(tids)

    def own_ids(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the ids here of threads by the ids that the process has for them."""
        return self._live.own_ids(tids)

    def open_object(self, mapping: PlacedMapping) -> BinaryIO | None:
        """Open the file behind a mapping for reading; None where it cannot be had."""
        return self._live.open_object(mapping)

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> list[Residency] | None:
        """Count the pages between *borders* now."""
        return self._live.residency(borders, exclusive=exclusive)

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Return the guard ranges now."""
        return self._live.guards(start, end)

    def activity(self) -> tuple[()]:
        """Return the same each time: nothing changes a copy."""
        return ()


def copied(live: LiveMemory, snapshot: Snapshot) -> MemoryCopy | None:
    """Copy the private data of a process; None if it is too large, or a thread ran meanwhile."""
    held = [one for one in snapshot.placed if one.perms.startswith("rw") and one.perms[3] == "p"]
    sizes = [snapshot.value(mapping, "rss") for mapping in held]
    if any(size is None for size in sizes) or sum(size or 0 for size in sizes) > LARGEST:
        return None
    before = live.activity()
    pieces = [piece for mapping in held for piece in pieces_of(live, mapping)]
    steady = before is not None and before == live.activity()
    return MemoryCopy(live, pieces) if steady else None


def pieces_of(live: LiveMemory, mapping: PlacedMapping) -> Iterator[CopiedPiece]:
    """Copy a mapping, a piece at a time.

    Private pages that were never touched are not looked at: anonymous ones are zeros, and those of a file
    are left to whoever asks for them.
    """
    untouched = not mapping.values.get("rss") and not mapping.values.get("swap")
    if untouched and mapping.path is None:
        yield CopiedPiece(mapping.start, mapping.end, b"")
        return
    at = mapping.start
    for low, high in _populated(live, mapping):
        if mapping.path is None and at < low:
            yield CopiedPiece(at, low, b"")
        yield from _pieces(live, low, high)
        at = high
    if mapping.path is None and at < mapping.end:
        yield CopiedPiece(at, mapping.end, b"")


def _populated(live: LiveMemory, mapping: PlacedMapping) -> list[tuple[int, int]]:
    """Return what of a mapping may hold data of the process, in order."""
    found = live.populated(mapping.start, mapping.end) if mapping.perms[3] == "p" else None
    return [(mapping.start, mapping.end)] if found is None else found


def _pieces(live: LiveMemory, low: int, high: int) -> Iterator[CopiedPiece]:
    for start in range(low, high, _PIECE):
        end = min(start + _PIECE, high)
        data = live.read(start, end - start)
        yield CopiedPiece(start, end, b"" if data == _ZEROS[: end - start] else data)
