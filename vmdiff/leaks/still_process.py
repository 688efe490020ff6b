"""A process that stands still, or a core file -> what the search for lost blocks looks at."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from vmdiff import units
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.freeze import Freeze, frozen
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.capture.memory_copy import CopiedPiece, MemoryCopy, pieces_of
from vmdiff.errors import ProcessError
from vmdiff.importers.core_file import core_layout
from vmdiff.importers.core_file.core_memory import CoreMemory
from vmdiff.model import PlacedMapping, Snapshot
from vmdiff.owners.memory_port import Memory

LARGEST = 4 << 30  # bytes that are copied
_PIECE = 1 << 20
# What the search takes besides: 1 GiB in blocks of 120 bytes took 1.9 GiB in all, of 48 bytes 3.0 GiB.
_TIMES, _AROUND = 3, 256 << 20


class SearchPiece(Protocol):
    """A stretch of memory that may hold pointers."""

    @property
    def start(self) -> int:
        """Its first address."""

    @property
    def end(self) -> int:
        """The address behind it."""

    def read(self, start: int, end: int) -> bytes | None:
        """Return what a part of it holds; empty where all of it is zeros, None where it cannot be read."""


class StillProcess(NamedTuple):
    """One moment of a process; *seconds* is how long it stood still for it, None if it did not run anyway."""

    snapshot: Snapshot
    memory: Memory
    pieces: tuple[SearchPiece, ...]
    registers: dict[int, bytes]
    seconds: float | None
    missing: int  # bytes that could not be read
    doubts: tuple[str, ...]


@contextmanager
def held_still(pid: int, limit: float) -> Iterator[StillProcess]:
    """Copy the data of a process, which stands still for at most *limit* seconds, and runs on in the block.

    Raises:
        ProcessError: it cannot be observed, is too large, or parts of it are swapped out.
    """
    with ProcessFolder(pid) as folder:
        with frozen(folder, limit, registers=True) as freeze:
            snapshot = read(folder, detail="smaps")
            _check_size(snapshot)
            with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as live:
                pieces = tuple(_copied(live, snapshot, freeze))
        if freeze.expired:
            raise ProcessError(
                f"process {pid} ran on after {limit:g} s, before it was copied: --freeze-limit allows more"
            )
        missing = sum(piece.end - piece.start for piece in pieces if piece.data is None)
        with LiveMemory(folder.pid, folder=folder, mappings=snapshot.mappings) as live:
            memory = MemoryCopy(live, pieces)
            yield StillProcess(
                snapshot, memory, pieces, freeze.registers, freeze.seconds, missing, tuple(freeze.doubts)
            )


def _copied(live: LiveMemory, snapshot: Snapshot, freeze: Freeze) -> Iterator[CopiedPiece]:
    for mapping in _searched(snapshot):
        for piece in pieces_of(live, mapping):
            yield piece
            if freeze.expired:
                return


def _searched(snapshot: Snapshot) -> Iterator[PlacedMapping]:
    """Yield the mappings that may hold pointers: what is writable, and what was written."""
    for one in snapshot.placed:
        written = one.perms[1] == "w" or one.values.get("anonymous") or one.values.get("private_dirty")
        if one.perms[0] == "r" and written:
            yield one


def _check_size(snapshot: Snapshot) -> None:
    held = sum(snapshot.value(one, "rss") or 0 for one in _searched(snapshot))
    swapped = sum(snapshot.value(one, "swap") or 0 for one in _searched(snapshot))
    if swapped:
        raise ProcessError(
            f"{units.size(swapped)} of it are swapped out and stay there:"
            " what only they point to would look lost"
        )
    if held > LARGEST:
        raise ProcessError(
            f"{units.size(held)} would be copied; vmdiff leaks copies {units.size(LARGEST)} at most"
        )
    available, needed = _available(), held * _TIMES + _AROUND
    if available is not None and needed > available:
        raise ProcessError(
            f"up to {units.size(needed)} of memory are needed here to copy and search it,"
            f" and {units.size(available)} are available; a core file of it can be searched elsewhere"
        )


def _available() -> int | None:
    """Return the bytes that this machine has left without swapping (Documentation/filesystems/proc.rst)."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith("MemAvailable:")), None)
    return int(found[1]) << 10 if found else None


class CorePiece(NamedTuple):
    """A stretch of a core file, read when it is looked at."""

    memory: CoreMemory
    start: int
    end: int

    def read(self, start: int, end: int) -> bytes | None:
        """Return what a part of it holds; empty where all of it is zeros."""
        data = self.memory.read(start, end - start)
        return b"" if data is not None and data.count(0) == len(data) else data


@contextmanager
def dumped(path: Path) -> Iterator[StillProcess]:
    """Look into a core file.

    Raises:
        InputError: it is no core of a process, or cannot be read.
    """
    with path.open("rb") as file:
        core = core_layout.layout(file, source=str(path))
        snapshot = core_layout.snapshot_of(core, source=str(path))
        memory = CoreMemory(file, core)
        kept = [one for one in core.segments if one.perms[0] == "r" and ("w" in one.perms or one.dumped)]
        pieces = tuple(piece for one in kept for piece in _core_pieces(memory, one))
        missing = sum(one.end - one.start - one.dumped for one in kept if "w" in one.perms)
        yield StillProcess(
            snapshot,
            memory,
            pieces,
            core.notes.registers,
            None,
            missing + core.missing,
            snapshot.origin.doubts,
        )


def _core_pieces(memory: CoreMemory, segment: core_layout.Segment) -> Iterator[CorePiece]:
    end = segment.start + segment.dumped
    for start in range(segment.start, end, _PIECE):
        yield CorePiece(memory, start, min(start + _PIECE, end))
