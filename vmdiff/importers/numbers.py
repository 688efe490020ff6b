"""Numbers as listings write them: kB of 1024 bytes, ``1.1G``, hexadecimal; None for what is none."""

import re

from vmdiff.model.mapping import ADDRESS_LIMIT

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,17})")
_AMOUNT = re.compile(r"([0-9]{1,20})(?:[.,]([0-9]{1,6}))?[ \t]*([KMGTPE]?)(?:i?B)?", re.IGNORECASE)
_LONGEST = 20  # digits
_SHIFT = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40, "P": 50, "E": 60}


def hexadecimal(text: str) -> int | None:
    """Read a hexadecimal number with or without ``0x``; None if it is none or beyond 64 bits."""
    found = _HEX.fullmatch(text)
    if found is None:
        return None
    number = int(found[1], 16)
    return number if number <= ADDRESS_LIMIT else None


def whole(text: str) -> int | None:
    """Read a number of decimal digits; None if it is none or beyond 64 bits."""
    return _bounded(int(text)) if text.isascii() and text.isdigit() and len(text) <= _LONGEST else None


def kilobytes(text: str) -> int | None:
    """Read a number of units of 1024 bytes (``132``, ``132K``, ``132 kB``), in bytes; None if it is none."""
    number = whole(text.rstrip().rstrip("Bb").rstrip("Kk").rstrip())
    return None if number is None else _bounded(number << 10)


def amount(text: str) -> tuple[int, bool] | None:
    """Read a size with a unit (``4K``, ``38.1M``, ``1232``): bytes, and whether it was rounded to be shown.

    ``38.1M`` stands for any size that rounds to it. None if it is no size or beyond 64 bits.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    whole, fraction, unit = found[1], found[2] or "", found[3].upper()
    size = _bounded((int(whole + fraction) << _SHIFT[unit]) // 10 ** len(fraction))
    rounded = unit not in ("", "K") or bool(fraction)
    return None if size is None else (size, rounded)


def _bounded(number: int) -> int | None:
    return number if number <= ADDRESS_LIMIT else None
