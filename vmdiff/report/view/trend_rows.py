"""A trend in words: the first sentence, a row a group, and what was found."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.findings import Finding
from vmdiff.report import wording
from vmdiff.report.options import By, ViewOptions
from vmdiff.report.sparkline import sparkline
from vmdiff.series.figure_columns import ROLE
from vmdiff.series.trends import GroupTrend, Trend
from vmdiff.units import rate as rate_words

_SPARK, _NARROW_SPARK = 24, 12  # columns
_WIDE = 110
HEAD = ("", "first", "last", "change", "rate", "grew", "over time", "verdict")
_NOTHING = ("flat", 0)
_GROWING = frozenset({"steady-growth", "growing-inside", "growing-role"})


class TrendRow(NamedTuple):
    """One group as its cells, in the order of `HEAD`, and its verdict's evidence."""

    cells: tuple[str, ...]
    verdict: str
    evidence: str


class TrendTable(NamedTuple):
    """Rows of one grouping, what all is together first, and a sentence on the groups left out."""

    by: str
    rows: tuple[TrendRow, ...]
    hidden: str


class TrendView(NamedTuple):
    """What every renderer of a trend shows."""

    title: str
    answer: str
    when: str
    tables: tuple[TrendTable, ...]
    findings: tuple[Finding, ...]


def of_trend(found: Trend, findings: Sequence[Finding], options: ViewOptions) -> TrendView:
    """Choose what is shown of a trend, and say it."""
    spark = _SPARK if options.width >= _WIDE else _NARROW_SPARK
    of_sets = found.series.of_sets
    shown = [str(options.by or By.OWNER), *([ROLE] if of_sets else [])]
    total = _row(found.total, "all processes" if of_sets else "the process", spark)
    return TrendView(
        wording.name(found.series.name or "a process"),
        answer(found, findings),
        _when(found),
        tuple(_table(found, by, total, options, spark) for by in shown),
        tuple(findings),
    )


def _table(found: Trend, by: str, total: TrendRow, options: ViewOptions, spark: int) -> TrendTable:
    groups = [group for group in found.groups.get(by, ()) if _shown(group, options)]
    most = len(groups) if options.show_all or options.rows is None else options.rows
    kept = [group for group in groups if options.show_all or not _still(group)][:most] or groups[:3]
    hidden = len(found.groups.get(by, ())) - len(kept)
    told = f"{wording.plural(hidden, 'more group')} that moved less or not at all (--all shows them)"
    rows = (_row(group, wording.name(group.name), spark) for group in kept)
    return TrendTable(by, (total, *rows), told if hidden else "")


def answer(found: Trend, findings: Sequence[Finding]) -> str:
    """Return what the series means, in one sentence."""
    growing = [finding for finding in findings if finding.id in _GROWING]
    if growing:
        more = f"; and {len(growing) - 1} more" if len(growing) > 1 else ""
        return f"{wording.printable(growing[0].message)}{more}"
    total = found.total
    moved = f"{_counter(found.counter)} {wording.signed(total.change)}"
    if total.judgement.name == "undecided":
        return f"{moved}; undecided: {total.judgement.evidence}"
    return f"no steady growth: {moved}, {total.judgement.name}: {total.judgement.evidence}"


def _counter(name: str) -> str:
    return {"rss": "resident", "size": "virtual", "pss": "PSS"}.get(name, name.replace("_", " "))


def _shown(group: GroupTrend, options: ViewOptions) -> bool:
    reach = abs(group.change or 0)
    return reach >= options.minimum or group.judgement.name == "leak"


def _still(group: GroupTrend) -> bool:
    return (group.judgement.name, group.change) == _NOTHING


def _when(found: Trend) -> str:
    series = found.series
    count = wording.plural(len(series.points), "point")
    if not series.timed or not series.points:
        return f"{count}, whose times are not known"
    first, last = series.points[0].taken_at, series.points[-1].taken_at
    if first is None or last is None or first == last:
        return count
    cut = f", {len(series.judged):,} judged" if len(series.runs) > 1 else ""
    return f"{count}{cut} in {wording.span((last - first).total_seconds())}, from {wording.moment(first)}"


def _row(group: GroupTrend, name: str, spark: int) -> TrendRow:
    steps = group.steps
    moves = steps.grew + steps.fell + steps.same
    cells = (
        name,
        wording.size(group.first),
        wording.size(group.last),
        wording.signed(group.change),
        _rate(group.rate),
        f"{steps.grew:,}/{moves:,}",
        sparkline(group.values, spark),
        group.judgement.name,
    )
    return TrendRow(cells, group.judgement.name, group.judgement.evidence)


def _rate(rate: float | None) -> str:
    return "" if not rate else rate_words(rate)


def remarks(view: TrendView) -> Iterator[tuple[str, str]]:
    """Yield what was found, and why each group that moved is judged as it is: style and text."""
    for finding in view.findings:
        yield finding.severity, wording.printable(finding.message)
    for row in dict.fromkeys(row for table in view.tables for row in table.rows):
        if row.verdict != "flat":
            yield "dim", f"{row.cells[0]}: {row.verdict}, {wording.printable(row.evidence)}"
