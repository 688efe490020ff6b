"""Bytes in words: KiB and MiB exist only where a person reads them."""

import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_FACTORS: dict[str, int] = {unit.lower(): 1 << 10 * power for power, unit in enumerate(_UNITS)}
_FACTORS |= {"": 1, **{letter: 1 << 10 * power for power, letter in enumerate("bkmgtpe")}}
_FACTORS |= {f"{letter}b": 1 << 10 * power for power, letter in enumerate("kmgtpe", start=1)}

# Compiled when one is read: a snapshot only writes sizes.
_TIME = r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|)\s*"
_SIZE = r"\s*([0-9]{1,20})(?:\.([0-9]{1,6}))?\s*([A-Za-z]*)\s*"


def size(count: int) -> str:
    """Write a number of bytes for people: ``132 KiB``, ``954 MiB``, ``1.5 GiB``.

    Whole KiB below 10 MiB, three digits or more above, so that small changes stay visible.
    """
    sign, count = ("-", -count) if count < 0 else ("", count)
    if count < 1024:
        return f"{sign}{count} B"
    power = min((count.bit_length() - 1) // 10, len(_UNITS) - 1)
    if power == 2 and count < 10 << 20:
        power = 1
    scaled = count / (1 << 10 * power)
    if power == 1 and count % 1024 == 0:
        return f"{sign}{count >> 10:,} KiB"
    if scaled >= 1023.5 and power < len(_UNITS) - 1:
        power, scaled = power + 1, scaled / 1024
    digits = 0 if scaled >= 99.95 else 1
    return f"{sign}{scaled:,.{digits}f} {_UNITS[power]}"


def signed(count: int) -> str:
    """Write a change in bytes, always with its sign: ``+132 KiB``, ``-4 KiB``, ``0``."""
    return "0" if count == 0 else f"+{size(count)}" if count > 0 else f"-{size(-count)}"


_TIMES = {"s": 1, "min": 60, "h": 3600, "d": 86400, "day": 86400}


def rate(per_second: float) -> str:
    """Write a growth in bytes a second for people, by the hour or by the day: ``+82 MiB/h``."""
    hourly = per_second * 3600
    if abs(hourly) >= 1 << 20:
        return f"{signed(round(hourly))}/h"
    return f"{signed(round(hourly * 24))}/day"


def parse_rate(text: str) -> float:
    """Read ``1MiB/h``, ``64KiB/min`` or ``1GiB/d`` as bytes a second.

    Raises:
        ValueError: the text is no rate.
    """
    amount, slash, time = (part.strip() for part in text.partition("/"))
    if not slash or time not in _TIMES:
        raise ValueError(f"{text!r} is not a rate such as 1MiB/h; times are {', '.join(_TIMES)}")
    return parse_size(amount) / _TIMES[time]


_SPAN = r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|s|min|h|d|day|days|)\s*"


def parse_span(text: str) -> float:
    """Read ``500ms``, ``10s``, ``5min``, ``8h`` or ``2d`` as seconds; a bare number is seconds.

    Raises:
        ValueError: the text is no stretch of time longer than nothing.
    """
    found = re.fullmatch(_SPAN, text)
    seconds = 0.0 if found is None else float(found[1]) * _factor(found[2])
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a time such as 10s, 5min or 8h")
    return seconds


def _factor(unit: str) -> float:
    return 0.001 if unit == "ms" else _TIMES[unit.removesuffix("s") or "s"]


def parse_size(text: str) -> int:
    """Read ``4096``, ``10MiB``, ``10M``, ``1.5 GiB`` or ``64 kB`` as bytes (1024-based).

    Raises:
        ValueError: the text is no size.
    """
    found = re.fullmatch(_SIZE, text)
    if found is None or (factor := _FACTORS.get(found[3].lower())) is None:
        raise ValueError(f"{text!r} is not a size such as 4096, 64KiB or 1.5GiB")
    fraction = found[2] or ""
    return int(found[1]) * factor + int(fraction or "0") * factor // int("1" + "0" * len(fraction))


def parse_time(text: str) -> float:
    """Read ``200ms``, ``1.5s`` or ``2`` (seconds) as seconds.

    Raises:
        ValueError: the text is no time.
    """
    found = re.fullmatch(_TIME, text)
    if found is None:
        raise ValueError(f"{text!r} is not a time such as 200ms or 1.5s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)
