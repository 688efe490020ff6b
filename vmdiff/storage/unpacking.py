"""Unpack gzip, bzip2, xz and zip within a bound on the size that comes out.

A file may hold several compressed members one after another (``cat a.gz b.gz``, bgzip, appending log
rotation); gzip(1), bzip2(1) and xz(1) write all of them out, and so does this. Compression that the standard
library does not know, and other containers, are refused by name.
"""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import NamedTuple

from vmdiff.errors import InputError

LARGEST = 1 << 30  # bytes that compressed data may unpack to
_DEEPEST = 3  # containers inside one another: snapshot.json.gz in a zip
_SHOWN = 5  # members of a zip in an error
_PACKED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)

_Opener = Callable[[BytesIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]
_GZIP = b"\x1f\x8b"
_READERS: tuple[tuple[str, bytes, _Opener], ...] = (
    ("gzip", _GZIP, lambda stream: gzip.GzipFile(fileobj=stream)),
    ("bzip2", b"BZh", bz2.BZ2File),
    ("xz", b"\xfd7zXZ\0", lzma.LZMAFile),
)
_ZIP = b"PK\x03\x04"

# What begins like this holds no text, however long one looks: named instead of searched.
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"\x28\xb5\x2f\xfd", "zstd-compressed; unpack it first (zstd -d)"),
    (b"\x04\x22\x4d\x18", "lz4-compressed; unpack it first (lz4 -d)"),
    (b"\x1f\x9d", "compressed with compress(1); unpack it first (uncompress)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x89PNG", "a picture; vmdiff reads the text that it shows"),
    (b"\xff\xd8\xff", "a picture; vmdiff reads the text that it shows"),
    (b"GIF8", "a picture; vmdiff reads the text that it shows"),
    (b"%PDF", "a PDF file; copy the listing out of it as text"),
    (b"MDMP", "a Windows or Breakpad minidump; vmdiff reads ELF cores"),
    (b"PAGEDU", "a Windows crash dump; vmdiff reads VMMap's CSV files"),
    (b"JAVA PROFILE", "a Java heap dump (hprof); vmdiff reads 'jcmd PID System.map' and hs_err logs"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file; vmdiff reads the output of macOS vmmap"),
    (b"\xca\xfe\xba\xbe", "a Mach-O or Java class file; vmdiff reads the output of macOS vmmap"),
    (b"PERFILE2", "a perf.data file; vmdiff reads /proc/PID/smaps of the process"),
    (b"SQLite format 3\0", "an SQLite database, no listing or snapshot"),
)
_TAR = slice(257, 262)


class Unpacked(NamedTuple):
    """Plain bytes, and the number of a listing that is still to be chosen in them."""

    data: bytes
    choice: int | None


def unpack(data: bytes, *, source: str, choice: int | None = None, largest: int = LARGEST) -> Unpacked:
    """Return plain bytes of what may be compressed, several times over.

    *choice*, from 1, picks the file of a zip that holds several.

    Raises:
        InputError: it is damaged, cut short, larger than *largest* when unpacked, or of a kind that is named.
    """
    for _ in range(_DEEPEST):
        if data.startswith(_ZIP):
            data, choice = _from_zip(data, source, choice, largest)
        elif reader := next((each for each in _READERS if data.startswith(each[1])), None):
            data = _read(reader, data, source, largest)
        else:
            break
    if reason := next((reason for magic, reason in _REFUSED if data.startswith(magic)), None):
        raise InputError(f"{source}: {reason}")
    if data[_TAR] == b"ustar":
        raise InputError(f"{source}: a tar archive; unpack it first (tar -xf)")
    return Unpacked(data, choice)


def _read(reader: tuple[str, bytes, _Opener], data: bytes, source: str, largest: int) -> bytes:
    name, magic, opener = reader
    if magic == _GZIP and (whole := _one_member(data, largest)) is not None:
        return _bounded(whole, source, largest)
    try:
        with opener(BytesIO(data)) as stream:
            plain = stream.read(largest + 1)
    except _PACKED as error:
        raise InputError(f"{source}: damaged or cut {name} data ({error})") from error
    return _bounded(plain, source, largest)


def _one_member(data: bytes, largest: int) -> bytes | None:
    """Unpack gzip data of one member in half the time of a file object; None of other or damaged data."""
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    with suppress(zlib.error):
        plain = unpacker.decompress(data, largest + 1)
        if len(plain) > largest or (unpacker.eof and not unpacker.unused_data):
            return plain
    return None


def _from_zip(data: bytes, source: str, choice: int | None, largest: int) -> Unpacked:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            chosen, rest = _member(names, source, choice)
            with archive.open(chosen) as member:
                return Unpacked(_bounded(member.read(largest + 1), source, largest), rest)
    except (
        *_PACKED,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        ValueError,
    ) as error:  # a password, a method
        raise InputError(f"{source}: the zip archive cannot be read ({error})") from error


def _member(names: list[str], source: str, choice: int | None) -> tuple[str, int | None]:
    if len(names) == 1:
        return names[0], choice
    if choice is not None and 1 <= choice <= len(names):
        return names[choice - 1], None
    if not names:
        raise InputError(f"{source}: a zip archive without files")
    listed = ", ".join(f"#{number} {name!r:.100}" for number, name in enumerate(names[:_SHOWN], 1))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise InputError(f"{source}: holds {len(names)} files: {listed}{more}; choose one with {source}#NUMBER")


def _bounded(plain: bytes, source: str, largest: int) -> bytes:
    if len(plain) > largest:
        raise InputError(f"{source}: unpacks to more than {largest >> 20} MiB; this is no snapshot")
    return plain
