"""Judge the rows of the question ``trend``: a slope alone calls every sawtooth a leak."""

from collections import abc

from vmdiff.fleet.fleet_answer import Value
from vmdiff.series.verdict import judge

_SECONDS = 3600
_WORST_FIRST = ("leak", "steps", "undecided", "sawtooth", "plateau", "flat", "declines")


def with_verdicts(rows: abc.Sequence[abc.Mapping[str, object]], most: int) -> tuple[dict[str, Value], ...]:
    """Replace each row's series by the verdict on it; return the *most* rows, leaks first.

    A leak's rate is that of the floor it grows from, not of the line through all points.
    """
    judged = [_judged(row) for row in rows]
    ordered = sorted(judged, key=_rank)[:most]
    return tuple(row | {"place": place} for place, row in enumerate(ordered, start=1))


def _judged(row: abc.Mapping[str, object]) -> dict[str, Value]:
    series = row["series"]
    points = sorted(_point(text) for text in series) if isinstance(series, list) else []
    verdict = judge([at for at, _ in points], [value for _, value in points])
    told: dict[str, Value] = {
        name: value for name, value in row.items() if isinstance(value, str | int | float | None)
    }
    if verdict.name == "leak" and verdict.rate is not None:
        told["rss_per_hour"] = round(verdict.rate * _SECONDS)
    return told | {"verdict": verdict.name}


def _point(text: str) -> tuple[float, int]:
    at, _, value = text.partition("=")
    return float(at), int(value)


def _rank(row: abc.Mapping[str, Value]) -> tuple[int, float, str]:
    rate = row["rss_per_hour"]
    return (
        _WORST_FIRST.index(str(row["verdict"])),
        -float(rate if isinstance(rate, int) else 0),
        f"{row['host']} {row['process']} {row['pid']} {row['who']}",
    )
