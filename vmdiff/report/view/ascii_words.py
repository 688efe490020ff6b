r"""A view in ASCII, for mails and logs that pass through who knows what.

What has a common ASCII form gets it; any other letter becomes an escape such as ``\u6f22``, so that two
names never look the same.
"""

from collections.abc import Iterable
from dataclasses import replace

from vmdiff.report.view.compose import ComparisonView, Figure, Remark, SnapshotView
from vmdiff.report.view.fact_words import Fact
from vmdiff.report.view.tables import Row, Table

_FORMS = str.maketrans(
    {"→": "->", "×": "x", "…": "...", "“": '"', "”": '"', "‘": "'", "’": "'", "·": "-", "−": "-"}
)


def ascii_text(text: str) -> str:
    """Write a text in ASCII."""
    return text.translate(_FORMS).encode("ascii", "backslashreplace").decode()


def comparison_in_ascii(view: ComparisonView) -> ComparisonView:
    """Return a view of which every text is ASCII, so that its columns still line up."""
    return replace(
        view,
        title=ascii_text(view.title),
        when=ascii_text(view.when),
        match=ascii_text(view.match),
        answer=ascii_text(view.answer),
        figures=_figures(view.figures),
        remarks=_remarks(view.remarks),
        groups=view.groups and _table(view.groups),
        table=_table(view.table),
        facts=tuple(map(_fact, view.facts)),
    )


def snapshot_in_ascii(view: SnapshotView) -> SnapshotView:
    """Return a view of which every text is ASCII."""
    return replace(
        view,
        title=ascii_text(view.title),
        when=ascii_text(view.when),
        answer=ascii_text(view.answer),
        figures=_figures(view.figures),
        remarks=_remarks(view.remarks),
        groups=view.groups and _table(view.groups),
        table=_table(view.table),
    )


def _fact(fact: Fact) -> Fact:
    name, before, after = map(ascii_text, fact)
    return Fact(name, "", f"{before} -> {after}") if before and after else Fact(name, before, after)


def _figures(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    return tuple(figure._replace(note=ascii_text(figure.note)) for figure in figures)


def _remarks(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    return tuple(remark._replace(message=ascii_text(remark.message)) for remark in remarks)


def _table(table: Table) -> Table:
    return replace(table, rows=_rows(table.rows), folds=_rows(table.folds), total=_row(table.total))


def _rows(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(map(_row, rows))


def _row(row: Row) -> Row:
    return replace(
        row,
        title=ascii_text(row.title),
        word=ascii_text(row.word),
        note=ascii_text(row.note),
        why=ascii_text(row.why),
    )
