"""Read the notes of ELF files: the build id of an object, what a core says of its process."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vmdiff.elf.headers import (
    HEADER_SIZE,
    ProgramHeader,
    SegmentType,
    program_header_size,
    read_file_header,
    read_program_headers,
)

_MOST_SEGMENTS = 256  # of an executable or library; linkers write about ten
_LONGEST_NOTES = 1 << 16
_NT_GNU_BUILD_ID = 3
_LONGEST_OWNER = 64

ReadAt = Callable[[int, int], bytes | None]


class Note(NamedTuple):
    """A note: the *owner* decides what *type* means."""

    owner: bytes
    type: int
    content: bytes


def read_notes(data: bytes, order: str) -> Iterator[Note]:
    """Yield the notes in *data*; one that is cut off ends them."""
    at = 0
    while at + 12 <= len(data):
        named, stored, type_ = struct.unpack_from(order + "III", data, at)
        owner = data[at + 12 : at + 12 + min(named, _LONGEST_OWNER)]
        first = at + 12 + (named + 3 & ~3)
        content = data[first : first + stored]
        if len(content) < stored:
            return
        yield Note(owner.rstrip(b"\0"), type_, content)
        at = first + (stored + 3 & ~3)


def build_id(read: ReadAt, *, loaded: bool) -> bytes | None:
    """Return the GNU build id of an object, read by offset in its file or, *loaded*, by its addresses.

    *read* returns the bytes at a distance from the start of the object, fewer or None where there are none.
    """
    header = read_file_header(read(0, HEADER_SIZE) or b"")
    if header is None or header.segment_size != program_header_size(header) or not header.segment_count:
        return None
    length = header.segment_size * min(header.segment_count, _MOST_SEGMENTS)
    segments = list(read_program_headers(read(header.segments_at, length) or b"", header))
    shift = _lowest(segments) if loaded else 0
    for segment in segments:
        place = (segment.address if loaded else segment.offset) - shift
        if segment.type != SegmentType.NOTE or place < 0:
            continue
        notes = read(place, min(segment.file_size, _LONGEST_NOTES)) or b""
        for note in read_notes(notes, header.order):
            if note.type == _NT_GNU_BUILD_ID and note.owner == b"GNU" and note.content:
                return note.content
    return None


def _lowest(segments: list[ProgramHeader]) -> int:
    """Return the address at which the start of the file is loaded."""
    loads = (s.address - s.offset for s in segments if s.type == SegmentType.LOAD)
    return next(loads, 0)
