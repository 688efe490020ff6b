"""Read the headers of ELF files: what kind of file it is, and where its segments and sections are.

Everything here comes from files that anybody may have written, so every count and length is bounded.
The structures are read with `struct`: importing pyelftools costs more than a whole snapshot.
Facts: elf(5), the System V ABI.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from typing import NamedTuple

MAGIC = b"\x7fELF"
HEADER_SIZE = 64  # of the longer of the two forms
_SMALLEST_HEADER = 52
_MOST_SEGMENTS = 256


class SegmentType(IntEnum):
    """The types of program headers that matter here."""

    LOAD = 1
    NOTE = 4
    TLS = 7
    RELRO = 0x6474E552


class SegmentFlag(IntFlag):
    """The permissions of a segment."""

    EXECUTE = 1
    WRITE = 2
    READ = 4


class FileType(IntEnum):
    """The types of ELF files."""

    NONE = 0
    REL = 1
    EXEC = 2
    DYN = 3
    CORE = 4


# e_machine, by the names that uname(2) has for them.
_MACHINES = {
    2: "sparc",
    3: "i686",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    43: "sparcv9",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch",
}


class ProgramHeader(NamedTuple):
    """Where a part of the file goes, in the object's own addresses."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class FileHeader(NamedTuple):
    """The ELF header; *order* is the order of bytes as `struct` spells it."""

    wide: bool
    order: str
    type: int
    machine_number: int
    segments_at: int
    sections_at: int
    segment_size: int
    segment_count: int
    section_size: int
    section_count: int

    @property
    def word(self) -> int:
        """The bytes of an address."""
        return 8 if self.wide else 4

    @property
    def machine(self) -> str:
        """The processor, by the name that uname(2) has for it."""
        return _MACHINES.get(self.machine_number, str(self.machine_number))

    @property
    def type_name(self) -> str:
        """The type of the file as elf(5) spells it."""
        known = self.type in FileType.__members__.values()
        return f"ET_{FileType(self.type).name}" if known else str(self.type)


class ElfHeaders(NamedTuple):
    """The ELF header and the program headers of an object."""

    file: FileHeader
    segments: tuple[ProgramHeader, ...]

    def of_type(self, type_: SegmentType) -> list[ProgramHeader]:
        """Return the program headers of one type."""
        return [segment for segment in self.segments if segment.type == type_]


def read_file_header(head: bytes) -> FileHeader | None:
    """Read the ELF header at the start of *head*; return None if this is no ELF file."""
    if len(head) < _SMALLEST_HEADER or not head.startswith(MAGIC):
        return None
    if head[4] not in {1, 2} or head[5] not in {1, 2}:
        return None
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    try:
        fields = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), head, 16)
    except struct.error:
        return None
    type_, machine, _, _, segments_at, sections_at, _, _, size, count, section_size, section_count, _ = fields
    return FileHeader(
        wide, order, type_, machine, segments_at, sections_at, size, count, section_size, section_count
    )


def program_header_size(header: FileHeader) -> int:
    """Return the bytes of one program header."""
    return _form(header).size


def read_program_headers(table: bytes, header: FileHeader) -> Iterator[ProgramHeader]:
    """Yield the whole program headers in *table*."""
    form = _form(header)
    for raw in form.iter_unpack(table[: len(table) // form.size * form.size]):
        if header.wide:  # the order of the fields differs between 64 and 32 bits
            type_, flags, offset, address, _, file_size, memory_size, _ = raw
        else:
            type_, offset, address, _, file_size, memory_size, flags, _ = raw
        yield ProgramHeader(type_, flags, offset, address, file_size, memory_size)


def read_headers(head: bytes) -> ElfHeaders | None:
    """Read the ELF header and the program headers that lie in *head*; return None if this is no ELF file."""
    header = read_file_header(head)
    if header is None:
        return None
    if header.segment_size != program_header_size(header):
        return ElfHeaders(header, ())
    length = min(header.segment_count, _MOST_SEGMENTS) * header.segment_size
    table = head[header.segments_at : header.segments_at + length]
    return ElfHeaders(header, tuple(read_program_headers(table, header)))


def _form(header: FileHeader) -> struct.Struct:
    return struct.Struct(header.order + ("IIQQQQQQ" if header.wide else "IIIIIIII"))
