"""Look up the values of symbols by searching symbol tables as bytes.

Walking a table of a hundred thousand entries one by one would take longer than a whole snapshot.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from vmdiff.elf.headers import ElfHeaders, FileHeader

_MOST_SECTIONS = 4096
_LONGEST_TABLE = 256 << 20
_MOST_SPELLINGS = 4096  # places in a string table that end like the name that is looked for
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_STT_TLS, _STT_IFUNC = 6, 10


class _SectionHeader(NamedTuple):
    """A section header, without what is not needed."""

    type: int
    offset: int
    size: int
    link: int


def symbol_values(file: BinaryIO, headers: ElfHeaders, names: set[str]) -> dict[str, int]:
    """Return the values of those *names* that are defined; the small table of dynamic symbols comes first."""
    sections = _sections(file, headers.file)
    found: dict[str, int] = {}
    for type_ in (_SHT_DYNSYM, _SHT_SYMTAB):
        for section in sections:
            missing = names - found.keys()
            if section.type != type_ or not missing or section.link >= len(sections):
                continue
            strings = _table(file, sections[section.link])
            symbols = _table(file, section)
            for name in missing:
                value = _value(strings, symbols, headers.file, name)
                if value is not None:
                    found[name] = value
    return found


def dynamic_names(file: BinaryIO, headers: ElfHeaders) -> bytes:
    """Return the names of the dynamic symbols as they lie in the file, each ended by a zero."""
    sections = _sections(file, headers.file)
    linked = (section.link for section in sections if section.type == _SHT_DYNSYM)
    at = next(linked, len(sections))
    return _table(file, sections[at]) if at < len(sections) else b""


def _sections(file: BinaryIO, header: FileHeader) -> list[_SectionHeader]:
    """Read the section headers: name, type, flags, address, offset, size, link, ..."""
    form = struct.Struct(header.order + ("IIQQQQIIQQ" if header.wide else "10I"))
    if header.section_size != form.size:
        return []
    file.seek(header.sections_at)
    raw = file.read(form.size * min(header.section_count, _MOST_SECTIONS))
    return [
        _SectionHeader(fields[1], fields[4], fields[5], fields[6])
        for fields in form.iter_unpack(raw[: len(raw) // form.size * form.size])
    ]


def _table(file: BinaryIO, section: _SectionHeader) -> bytes:
    file.seek(section.offset)
    return file.read(min(section.size, _LONGEST_TABLE))


def _value(strings: bytes, symbols: bytes, header: FileHeader, name: str) -> int | None:
    """Return the value of a symbol that is defined, by searching the two tables as bytes."""
    form = struct.Struct(header.order + ("IBBHQQ" if header.wide else "IIIBBH"))
    spelt = name.encode() + b"\0"
    at = strings.find(spelt)
    for _ in range(_MOST_SPELLINGS):
        if at < 0:
            return None
        for place in _aligned(symbols, struct.pack(header.order + "I", at), form.size):
            raw = form.unpack_from(symbols, place)
            value, info, section = (raw[4], raw[1], raw[3]) if header.wide else (raw[1], raw[3], raw[5])
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
