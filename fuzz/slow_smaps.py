"""``/proc/PID/smaps`` read plainly, a line at a time: what the fast reader is held to."""

import string

from vmdiff.importers.procfs.fast_reader import snake_case
from vmdiff.importers.procfs.maps_row import name_of
from vmdiff.model import PAGE_SIZES, Scalar

_HEX = frozenset(b"0123456789abcdef")
_DIGITS = frozenset(string.digits.encode())
_LETTERS = frozenset(string.ascii_letters.encode())
_WORD = _LETTERS | _DIGITS | {ord("_")}
_PERMS = (b"r-", b"w-", b"x-", b"psPS")

Row = tuple[int, int, str, str | None, bool, tuple[str, ...] | None, dict[str, Scalar]]


def read_slowly(data: bytes) -> list[Row] | None:
    """Give what is told of each mapping; None if it is no smaps."""
    *lines, rest = data.split(b"\n")
    if rest:
        return None
    rows: list[Row] = []
    for line in lines:
        if header := _header(line):
            rows.append(header)
        elif not rows or not _take(line, rows):
            return None
    return [_without_ordinary(row) for row in rows]


def _header(line: bytes) -> Row | None:
    parts = line.split(b" ", 5)
    start, dash, end = parts[0].partition(b"-")
    if len(parts) < 5 or not (dash and _is_address(start) and _is_address(end)):
        return None
    perms, offset, device, inode = parts[1:5]
    major, colon, minor = device.partition(b":")
    if len(perms) != 4 or any(letter not in known for letter, known in zip(perms, _PERMS, strict=True)):
        return None
    numbers = ((offset, 16, _HEX), (major, 8, _HEX), (minor, 8, _HEX), (inode, 20, _DIGITS))
    if not colon or any(len(text) > most or not _all(text, known) for text, most, known in numbers):
        return None
    name = name_of(parts[5].lstrip(b" ") if len(parts) > 5 else b"")
    return (int(start, 16), int(end, 16), perms.decode().lower(), name.path, name.deleted, None, {})


def _take(line: bytes, rows: list[Row]) -> bool:
    """Add a ``Key: value`` line to the last row; False if it is none."""
    key, colon, text = line.partition(b":")
    if not colon or not key or key[0] in _DIGITS or len(key) > 64 or not _all(key, _WORD):
        return False
    row = rows[-1]
    text = text.lstrip(b" \t")
    if key == b"VmFlags":
        rows[-1] = (*row[:5], tuple(text.decode(errors="backslashreplace").split()), row[6])
    else:
        row[6][snake_case(key.decode())] = _value(text)
    return True


def _value(text: bytes) -> Scalar:
    words = text.replace(b"\t", b" ").rstrip(b" ").split(b" ")
    number, units = words[0], [word for word in words[1:] if word]
    if (
        not _all(number, _DIGITS)
        or len(number) > 20
        or len(units) > 1
        or not all(_all(unit, _LETTERS) for unit in units)
    ):
        return text.decode(errors="backslashreplace")
    if not units:
        return int(number)
    return int(number) * 1024 if units == [b"kB"] else None


def _without_ordinary(row: Row) -> Row:
    """Leave out what absence says as well: zeros, the size, page sizes as the host's."""
    values = {
        name: value
        for name, value in row[6].items()
        if name != "size" and value != (4096 if name in PAGE_SIZES else 0)
    }
    return (*row[:6], values)


def _is_address(text: bytes) -> bool:
    return _all(text, _HEX) and len(text) <= 17


def _all(text: bytes, known: frozenset[int]) -> bool:
    return bool(text) and all(letter in known for letter in text)
