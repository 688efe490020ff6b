"""Read ELF headers, segments and symbol values.

Everything here comes from files that anybody may have written, so every count and length is
bounded. The few structures needed are read with `struct`: importing pyelftools costs more than a
whole snapshot, and it walks symbol tables of a hundred thousand entries one by one.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

PT_LOAD, PT_TLS, PT_GNU_RELRO = 1, 7, 0x6474E552

_MOST_SEGMENTS = 256
_MOST_SECTIONS = 4096
_LONGEST_TABLE = 256 << 20
_MOST_SPELLINGS = 4096  # places in a string table that end like the name that is looked for
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_STT_TLS, _STT_IFUNC = 6, 10


class Segment(NamedTuple):
    """One program header: where a part of the file goes, in the object's own addresses."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    memory_size: int


class Layout(NamedTuple):
    """How an object file spells its structures, and its segments."""

    wide: bool
    order: str
    sections_at: int
    section_size: int
    section_count: int
    segments: tuple[Segment, ...]


def parse(head: bytes) -> Layout | None:
    """Read the ELF header and the program headers that lie in *head*; None if this is no ELF."""
    if len(head) < 64 or head[:4] != b"\x7fELF" or head[4] not in {1, 2} or head[5] not in {1, 2}:
        return None
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    try:
        fields = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), head, 16)
        form = struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))
        segments = _segments(head, form, fields[4], fields[9]) if fields[8] == form.size else ()
    except struct.error:
        return None
    return Layout(wide, order, fields[5], fields[10], fields[11], tuple(segments))


def _segments(head: bytes, form: struct.Struct, at: int, count: int) -> Iterator[Segment]:
    for place in range(at, at + min(count, _MOST_SEGMENTS) * form.size, form.size):
        if place + form.size > len(head):
            return
        raw = form.unpack_from(head, place)
        if form.size == 56:  # the order of the fields differs between 64 and 32 bits
            type_, flags, offset, address, _, file_size, memory_size, _ = raw
        else:
            type_, offset, address, _, file_size, memory_size, flags, _ = raw
        yield Segment(type_, flags, offset, address, file_size, memory_size)


def values(file: BinaryIO, layout: Layout, names: set[str]) -> dict[str, int]:
    """Look *names* up in the symbol tables, the small one of dynamic symbols first."""
    sections = _sections(file, layout)
    found: dict[str, int] = {}
    for kind in (_SHT_DYNSYM, _SHT_SYMTAB):
        for section in sections:
            missing = names - found.keys()
            if section[1] != kind or not missing or section[6] >= len(sections):
                continue
            strings = _table(file, sections[section[6]])
            symbols = _table(file, section)
            for name in missing:
                value = _value(strings, symbols, layout, name)
                if value is not None:
                    found[name] = value
    return found


def _sections(file: BinaryIO, layout: Layout) -> list[tuple[int, ...]]:
    """Give the section headers: name, type, flags, address, offset, size, link, ..."""
    form = struct.Struct(layout.order + ("IIQQQQIIQQ" if layout.wide else "10I"))
    if layout.section_size != form.size:
        return []
    file.seek(layout.sections_at)
    raw = file.read(form.size * min(layout.section_count, _MOST_SECTIONS))
    return list(form.iter_unpack(raw[: len(raw) // form.size * form.size]))


def _table(file: BinaryIO, section: tuple[int, ...]) -> bytes:
    file.seek(section[4])
    return file.read(min(section[5], _LONGEST_TABLE))


def _value(strings: bytes, symbols: bytes, layout: Layout, name: str) -> int | None:
    """Give the value of a symbol that is defined, by searching the two tables as bytes."""
    form = struct.Struct(layout.order + ("IBBHQQ" if layout.wide else "IIIBBH"))
    spelt = name.encode() + b"\0"
    at = strings.find(spelt)
    for _ in range(_MOST_SPELLINGS):
        if at < 0:
            return None
        for place in _aligned(symbols, struct.pack(layout.order + "I", at), form.size):
            raw = form.unpack_from(symbols, place)
            value, info, section = (raw[4], raw[1], raw[3]) if layout.wide else (raw[1], raw[3], raw[5])
            if section and value and info & 15 not in {_STT_TLS, _STT_IFUNC}:
                return int(value)
        at = strings.find(spelt, at + 1)
    return None


def _aligned(table: bytes, word: bytes, step: int) -> Iterator[int]:
    """Yield where an entry of *step* bytes begins with *word*."""
    at = table.find(word)
    while at >= 0:
        if at % step == 0 and at + step <= len(table):
            yield at
        at = table.find(word, at + 1)
