"""A series of figures as one line of bars."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"
_GAP = " "


def sparkline(values: Sequence[int | None], width: int) -> str:
    """Draw values between their lowest and highest; several that share a column show their highest.

    What is unknown is a gap. Values that are all equal lie at the bottom.
    """
    known = [value for value in values if value is not None]
    if not known or width < 1:
        return ""
    low, reach = min(known), max(known) - min(known)
    columns = [_highest(values, at, min(width, len(values))) for at in range(min(width, len(values)))]
    return "".join(
        _GAP if value is None else _BARS[(value - low) * (len(_BARS) - 1) // reach if reach else 0]
        for value in columns
    )


def _highest(values: Sequence[int | None], at: int, columns: int) -> int | None:
    share = values[at * len(values) // columns : (at + 1) * len(values) // columns]
    return max((value for value in share if value is not None), default=None)
