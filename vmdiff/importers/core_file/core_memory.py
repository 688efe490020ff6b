"""Look into the memory that a core file holds.

Implements ``owners/memory_port.py`` for core files, so that owner rules find in cores what they
find in live processes. Bytes are read where they lie; a core of any size costs only what is asked for.
"""

import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from vmdiff.elf.note_entries import build_id
from vmdiff.importers.core_file.core_layout import Core
from vmdiff.model import Mapping
from vmdiff.storage.regular_file import open_regular

_LONGEST_READ = 64 << 20


class CoreMemory:
    """The memory in a core file; *stream* stays the caller's to close."""

    denied: frozenset[str] = frozenset()

    def __init__(self, stream: BinaryIO, core: Core) -> None:
        self._stream = stream
        self._core = core

    def read(self, address: int, length: int) -> bytes | None:
        """Return exactly *length* bytes at *address*, or None where the core does not hold them."""
        if not 0 < length <= _LONGEST_READ:
            return None
        parts = []
        while length:
            segment = self._core.at(address)
            there = 0 if segment is None else segment.start + segment.dumped - address
            if segment is None or there <= 0:
                return None
            wanted = min(length, there)
            self._stream.seek(segment.offset + address - segment.start)
            part = self._stream.read(wanted)
            if len(part) < wanted:
                return None
            parts.append(part)
            address, length = address + wanted, length - wanted
        return b"".join(parts)

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        """Return `read` for every address."""
        return [self.read(address, length) for address in addresses]

    def stack_pointer(self, tid: int) -> int | None:
        """Return the stack pointer that a thread had, or None where the core does not tell."""
        return self._core.notes.pointers.get(tid)

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the stack pointers of those threads whose registers are in the core."""
        known = self._core.notes.pointers
        return {tid: pointer for tid in tids if (pointer := known.get(tid)) is not None}

    def own_ids(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the ids as they are: a core has them as the process knew them."""
        return {tid: tid for tid in tids}

    def open_object(self, mapping: Mapping) -> BinaryIO | None:
        """Open the file behind a mapping, if the one of that name here is proven to be the same.

        The proof is the build ID: the core holds the first page of every ELF file.
        """
        if (
            mapping.start is None
            or mapping.path is None
            or mapping.deleted
            or not mapping.path.startswith("/")
        ):
            return None
        name = bytes.fromhex(mapping.path_hex) if mapping.path_hex else os.fsencode(mapping.path)
        expected = self._build_id(name, mapping.start)
        if expected is None:
            return None
        try:
            file = open_regular(name)
        except (OSError, ValueError):
            return None
        if file is not None and build_id(lambda at, length: _at(file, at, length), loaded=False) == expected:
            file.seek(0)
            return file
        if file is not None:
            file.close()
        return None

    def _build_id(self, name: bytes, address: int) -> bytes | None:
        """Return the build ID of the file *name* that is mapped at or around *address*."""
        files = self._core.notes.files
        index = bisect_right(files, address, key=lambda file: file.start) - 1
        while index >= 0 and files[index].name == name and files[index].offset:
            index -= 1
        if index < 0 or files[index].name != name:
            return None
        base = files[index].start
        return build_id(lambda at, length: self.read(base + at, length), loaded=True)

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> None:  # noqa: ARG002  # the port's
        """Return None: a core does not record what was resident."""
        return

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:  # noqa: ARG002  # the port's
        """Return None: a core does not record where guard pages were."""
        return None

    def activity(self) -> tuple[()]:
        """Return the same each time: nothing runs in a core."""
        return ()


def _at(file: BinaryIO, offset: int, length: int) -> bytes | None:
    try:
        file.seek(offset)
        return file.read(length)
    except (OSError, ValueError, OverflowError):
        return None
