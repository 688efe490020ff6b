"""Look into the memory that a core file holds.

Implements ``owners/memory_port.py`` for core files, so that owner rules find in cores what they
find in live processes. Bytes are read where they lie; a core of any size costs only what is asked for.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO

from vmdiff.importers.core_file.core_layout import MAGIC, Core
from vmdiff.model import Mapping
from vmdiff.storage.regular_file import open_regular

_LONGEST_READ = 64 << 20
_MOST_HEADERS = 256  # of an executable or library; linkers write about ten
_LONGEST_NOTES = 1 << 16
_PT_LOAD, _PT_NOTE = 1, 4
_NT_GNU_BUILD_ID = 3

Reader = Callable[[int, int], bytes | None]


class CoreMemory:
    """The memory in a core file; *stream* stays the caller's to close."""

    denied: frozenset[str] = frozenset()

    def __init__(self, stream: BinaryIO, core: Core) -> None:
        self._stream = stream
        self._core = core

    def read(self, address: int, length: int) -> bytes | None:
        """Give exactly *length* bytes at *address*, or None where the core does not hold them."""
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
        """Give `read` for every address."""
        return [self.read(address, length) for address in addresses]

    def stack_pointer(self, tid: int) -> int | None:
        """Give the stack pointer that a thread had, or None where the core does not tell."""
        return self._core.notes.pointers.get(tid)

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        """Give the stack pointers of those threads whose registers are in the core."""
        known = self._core.notes.pointers
        return {tid: pointer for tid in tids if (pointer := known.get(tid)) is not None}

    def open_object(self, mapping: Mapping) -> BinaryIO | None:
        """Open the file behind a mapping, if the one of that name here is proven to be the same.

        The proof is the build ID: the core holds the first page of every ELF file.
        """
        if mapping.path is None or mapping.deleted or not mapping.path.startswith("/"):
            return None
        name = bytes.fromhex(mapping.path_hex) if mapping.path_hex else os.fsencode(mapping.path)
        expected = self._build_id(name, mapping.start or 0)
        if expected is None:
            return None
        try:
            file = open_regular(name)
        except (OSError, ValueError):
            return None
        if file is not None and _build_id(lambda at, length: _at(file, at, length), loaded=False) == expected:
            file.seek(0)
            return file
        if file is not None:
            file.close()
        return None

    def _build_id(self, name: bytes, address: int) -> bytes | None:
        """Give the build ID of the file *name* that is mapped at or around *address*."""
        files = self._core.notes.files
        index = bisect_right(files, address, key=lambda file: file.start) - 1
        while index >= 0 and files[index].name == name and files[index].offset:
            index -= 1
        if index < 0 or files[index].name != name:
            return None
        base = files[index].start
        return _build_id(lambda at, length: self.read(base + at, length), loaded=True)

    def residency(self, start: int, end: int) -> tuple[int, int] | None:  # noqa: ARG002  # the port's
        """Give None: a core does not tell what was resident."""
        return None

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:  # noqa: ARG002  # the port's
        """Give None: a core does not tell where guard pages were."""
        return None


def _at(file: BinaryIO, offset: int, length: int) -> bytes | None:
    try:
        file.seek(offset)
        return file.read(length)
    except (OSError, ValueError, OverflowError):
        return None


def _build_id(read: Reader, *, loaded: bool) -> bytes | None:
    """Find the GNU build ID of an ELF file; *loaded* says that addresses lead to its notes, not offsets."""
    head = read(0, 64) or b""
    if not head.startswith(MAGIC) or len(head) < 64:
        return None
    order, wide = ("<" if head[5] == 1 else ">"), head[4] == 2
    offset, step, count = _table(head, order, wide=wide)
    table = read(offset, step * min(count, _MOST_HEADERS)) if step * count else None
    form = struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))
    if table is None or step != form.size:
        return None
    lowest, places = None, []
    for fields in form.iter_unpack(table[: len(table) - len(table) % form.size]):
        place, address, size = (
            (fields[2], fields[3], fields[5]) if wide else (fields[1], fields[2], fields[4])
        )
        if fields[0] == _PT_LOAD and lowest is None:
            lowest = address - place
        elif fields[0] == _PT_NOTE:
            places.append((address if loaded else place, size))
    for place, size in places:
        shift = (lowest or 0) if loaded else 0
        notes = read(place - shift, min(size, _LONGEST_NOTES)) if place >= shift else None
        if notes and (found := _gnu_build_id(notes, order)):
            return found
    return None


def _table(head: bytes, order: str, *, wide: bool) -> tuple[int, int, int]:
    """Give the offset of the program headers, the size of one, and their number."""
    (offset,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    step, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    return offset, step, count


def _gnu_build_id(notes: bytes, order: str) -> bytes | None:
    at = 0
    while at + 12 <= len(notes):
        named, stored, type_ = struct.unpack_from(order + "III", notes, at)
        first = at + 12 + (named + 3 & ~3)
        if type_ == _NT_GNU_BUILD_ID and notes[at + 12 : at + 16] == b"GNU\0" and stored:
            return notes[first : first + stored]
        at = first + (stored + 3 & ~3)
    return None
