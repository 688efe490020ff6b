"""A set of processes, or what changed between two, as one HTML page that carries the sets."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vmdiff.answer.of_set import answer_of_set, answer_of_sets
from vmdiff.model.snapshot_set import SnapshotSet
from vmdiff.report import wording
from vmdiff.report.html import set_data
from vmdiff.report.html.report_page import ADDED_UP, figures_of, rendered
from vmdiff.report.set_report import comparison_sections, set_sections
from vmdiff.report.text_table import TextColumn
from vmdiff.report.view.compose import Figure
from vmdiff.sets.set_comparison import Became, SetComparison
from vmdiff.sets.set_totals import Held, total
from vmdiff.storage import html_embedding

_SCRIPT = (
    "words",
    "data",
    "colours",
    "chart",
    "choice",
    "squares",
    "tree",
    "composition",
    "dark",
    "theme",
    "set_page",
)
_MOST_ROWS = 100
_DRAWN = frozenset({"", "by owner", "where, by owner"})  # tables that the chart and the picture show


def snapshots(taken: SnapshotSet) -> str:
    """Write what a set holds."""
    sections = set_sections(taken, "owner", _MOST_ROWS)
    return rendered(
        "set.html",
        _SCRIPT,
        title=_title(taken),
        answer=wording.printable(answer_of_set(taken).sentence),
        kicker="memory of a set of processes",
        told=[_when(taken)],
        figures=list(figures_of(_figures(None, total(taken)), signed=False)),
        counts=_count(taken),
        growth_title="What it is made of",
        sections=list(_tables(sections, first="processes, by role")),
        missing=[wording.printable(one.reason) for one in taken.missing],
        footer="Made by vmdiff. The set rides inside this file: vmdiff show report.html reads it back.",
        data=set_data.of_set(taken),
        carried=html_embedding.carry_sets([taken]),
    )


def comparison(found: SetComparison) -> str:
    """Write what changed between two sets."""
    sections = comparison_sections(found, "owner", _MOST_ROWS)
    return rendered(
        "set.html",
        _SCRIPT,
        title=f"{_title(found.before)} → {_title(found.after)}",
        answer=wording.printable(answer_of_sets(found).sentence),
        kicker="memory of two sets of processes",
        told=[f"{_when(found.before)} → {_when(found.after)}"],
        figures=list(figures_of(_figures(*found.totals), signed=True)),
        counts=_counts(found),
        growth_title="Where the change came from",
        sections=list(_tables(sections)),
        missing=[wording.printable(one.reason) for one in found.after.missing],
        footer="Made by vmdiff. Both sets ride inside this file: vmdiff compare report.html reads them back.",
        data=set_data.of_sets(found),
        carried=html_embedding.carry_sets([found.before, found.after]),
    )


def _title(taken: SnapshotSet) -> str:
    count = wording.plural(len(taken.members), "process", "processes")
    return f"{count}, ‘{wording.name(taken.label)}’" if taken.label else count


def _when(taken: SnapshotSet) -> str:
    return wording.moment(taken.taken_at) if taken.taken_at else "taken at an unknown time"


def _count(taken: SnapshotSet) -> str:
    return (
        f"{wording.plural(len(taken.missing), 'process', 'processes')} could not be read"
        if taken.missing
        else ""
    )


def _counts(found: SetComparison) -> str:
    counts = {became: sum(pair.became is became for pair in found.pairs) for became in Became}
    return ", ".join(f"{count:,} {became}" for became, count in counts.items() if count)


def _figures(before: Held | None, after: Held) -> tuple[Figure, ...]:
    names = {"pss": "proportional (PSS)", "private": "private", "swap": "swap", "rss": ADDED_UP}
    return tuple(
        Figure(words, None if before is None else getattr(before, name), getattr(after, name))
        for name, words in names.items()
    )


def _tables(
    sections: Iterable[tuple[str, Sequence[TextColumn]]], first: str = ""
) -> Iterator[dict[str, Any]]:
    """Yield the tables that no picture shows, each a title, heads and rows of (text, is a figure)."""
    for title, columns in sections:
        shown = title or first
        if shown in _DRAWN or not columns:
            continue
        aligned = [(column, column.align == "right") for column in columns]
        cells = ([(wording.printable(cell), right) for cell in column.cells] for column, right in aligned)
        yield {
            "title": wording.printable(shown),
            "heads": [(column.title, right) for column, right in aligned],
            "rows": list(zip(*cells, strict=True)),
        }
