"""Markdown for issue trackers: the answer, whose memory it was, what changed; the rest in ``<details>``.

Names from outside stand in code spans, where neither HTML nor Markdown nor ``@name`` means anything.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from vmdiff.comparison.compare import Comparison
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.terminal.table_layout import fit
from vmdiff.report.view import compose
from vmdiff.report.view.compose import ComparisonView, Figure, Remark, Role, Row, SnapshotView, Table
from vmdiff.report.view.tables import shortened

LIMIT = 65_536  # characters that GitHub takes in one comment
SHORT = 10  # rows of the table that everybody sees
_MOST_ROWS = LIMIT // 20  # more would be cut anyway: no row is as short as that
_TITLE = 56  # columns of a name that leave the figures in sight
_RESERVE = 400  # characters for saying that something was cut, and for closing what is open

_MARKS = {"warning": "⚠️ ", "notice": "", "info": ""}


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write a comparison as Markdown of at most `LIMIT` characters."""
    shown = compose.of_comparison(found, findings, replace(options, width=compose.NARROW))
    return _cut([*_comparison_head(shown), *_tables(shown.groups, shown.table), *_facts(shown)])


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:
    """Write one snapshot as Markdown of at most `LIMIT` characters."""
    shown = compose.of_snapshot(taken, findings, replace(options, width=compose.NARROW))
    return _cut([*_snapshot_head(shown), *_tables(shown.groups, shown.table)])


Block = list[str]


def _comparison_head(shown: ComparisonView) -> Iterator[Block]:
    told = [text for text in (shown.when, shown.match) if text]
    yield [
        f"**Memory of {code(shown.title)}: {escape(shown.answer)}**",
        *([""] if told else []),
        *map(escape, told),
    ]
    rows = [
        (
            figure.name,
            wording.size(figure.before),
            wording.size(figure.after),
            _bold(wording.signed(figure.delta)),
        )
        for figure in shown.figures
    ]
    yield [*_table(("", "before", "after", "change"), rows), *_stated(shown.figures)]
    yield [escape(shown.counts + (f"; {shown.faults}" if shown.faults else ""))]
    yield from _remarks(shown.remarks)


def _snapshot_head(shown: SnapshotView) -> Iterator[Block]:
    yield [f"**Memory of {code(shown.title)}: {escape(shown.answer)}**", "", escape(shown.when)]
    rows = [(figure.name, wording.size(figure.after)) for figure in shown.figures]
    yield [*_table(("", "size"), rows), *_stated(shown.figures)]
    yield [escape(shown.counts)]
    yield from _remarks(shown.remarks)


def _bold(figure: str) -> str:
    return figure if figure in ("0", wording.UNKNOWN) else f"**{figure}**"


def _stated(figures: Iterable[Figure]) -> list[str]:
    notes = [f"{figure.name}: {figure.note}" for figure in figures if figure.note]
    return ["", *map(escape, notes)] if notes else []


def _remarks(remarks: Sequence[Remark]) -> Iterator[Block]:
    if remarks:
        yield [f"- {_MARKS[remark.severity]}{escape(remark.message)}" for remark in remarks]


def _facts(shown: ComparisonView) -> Iterator[Block]:
    rows = [(code(fact.name), code(fact.before), code(fact.after)) for fact in shown.facts]
    if rows:
        yield from _details("Process and host", _table(("fact", "before", "after"), rows, figures=0))


# ---- tables


def _tables(groups: Table | None, table: Table) -> Iterator[Block]:
    shown, hidden = table.rows[:SHORT], table.rows[SHORT:]
    folds = [fold for fold in table.folds if fold.members]
    if groups is not None:
        short = shortened(groups, SHORT)
        yield _rows(short, [*short.rows, *short.folds, short.total])
    yield _rows(table, [*map(_shortened, shown), *_unseen(table, hidden), *table.folds, table.total])
    if hidden:
        yield from _details(wording.plural(len(hidden), "more row"), _rows(table, hidden))
    for fold in folds:
        yield from _details(fold.title, _rows(table, table.unfold(fold)))


def _shortened(row: Row) -> Row:
    """Cut a long path, so that the figures stay in sight."""
    return replace(row, title=fit(row.title, _TITLE))


def _unseen(table: Table, hidden: Sequence[Row]) -> Iterator[Row]:
    """Yield one row for those that only the details show, so that the short table adds up as well."""
    if hidden:
        yield compose.summed_row(table, hidden, f"{wording.plural(len(hidden), 'more row')} below")


def _rows(table: Table, rows: Iterable[Row]) -> Block:
    listed = list(islice(rows, _MOST_ROWS))
    told = [column for column in ("word", "perms") if any(getattr(row, column) for row in listed)]
    heads = [*(_HEADS[column] for column in told), table.title, *(column.name for column in table.columns)]
    return _table(heads, [_row(row, told) for row in listed], figures=len(table.columns))


_HEADS = {"word": "", "perms": ""}


def _row(row: Row, told: Sequence[str]) -> list[str]:
    plain = row.role in (Role.FOLD, Role.TOTAL)
    title = escape(row.title) if plain else code(row.title)
    if row.note and not plain:
        title += f"<br>{escape(row.note)}"
    lead = [
        code(getattr(row, column)) if column == "perms" else escape(getattr(row, column)) for column in told
    ]
    return [*lead, title, *(cell.text for cell in row.cells)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], figures: int | None = None) -> Block:
    count = len(heads) - 1 if figures is None else figures
    rules = ["---"] * (len(heads) - count) + ["--:"] * count
    return [f"| {' | '.join(line)} |" for line in (heads, rules, *rows)]


def _details(summary: str, lines: Sequence[str]) -> Iterator[Block]:
    yield ["<details>", f"<summary>{escape(summary)}</summary>", "", *lines, "", "</details>"]


# ---- text that is not markup


def code(text: str) -> str:
    """Write a name as code that nothing in it can end or be markup in.

    A pipe would split a table's cell even inside of a code span, however it is escaped there.
    """
    if not text:
        return ""
    if "|" in text:
        return f"<code>{_NOT_PLAIN.sub(_entity, text)}</code>"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    edge = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{edge}{text}{edge}{fence}"


_NOT_PLAIN = re.compile(r"[^\w /.=+,-]|_")


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"


_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$]")
_CALLING = re.compile(r"([@#]|://|\bwww\.|\bGH-)(?=\w)", re.IGNORECASE)


def escape(text: str) -> str:
    """Write a sentence so that nothing in it is markup, and no name or number in it calls anybody.

    Trackers look for ``@name`` and ``#12`` after they have undone the entities, so an invisible
    character has to part them.
    """
    return _SPECIAL.sub(_entity, _CALLING.sub("\\1\u200b", text))


# ---- the limit


def _cut(blocks: Sequence[Block]) -> str:
    """Join blocks, and leave out rows, last ones first, until they fit the limit; say so."""
    whole = "\n\n".join("\n".join(block) for block in blocks) + "\n"
    if len(whole) <= LIMIT:
        return whole
    kept: list[str] = []
    room = LIMIT - _RESERVE
    for at, block in enumerate(blocks):
        text = "\n".join(block)
        if len(text) + 2 > room:
            part = _part(block, room)
            left = len(blocks) - at - (1 if part else 0)
            kept += [part] if part else []
            kept.append(_notice(left))
            break
        kept.append(text)
        room -= len(text) + 2
    return "\n\n".join(kept) + "\n"


def _part(block: Block, room: int) -> str:
    """Return as many lines of a block as fit, with its end."""
    ending = ["", "</details>"] if block[-1] == "</details>" else []
    lines: list[str] = []
    for line in block[: len(block) - len(ending)]:
        room -= len(line) + 1
        if room < 20:
            break
        lines.append(line)
    least = 8 if ending else 4  # a table without a row says nothing
    return "\n".join([*lines, *ending]) if len(lines) >= least else ""


def _notice(left: int) -> str:
    more = f" and {wording.plural(left, 'whole section')}" if left else ""
    return (
        f"*Cut to the {LIMIT:,} characters that fit here: the last rows above{more} are missing."
        " Attach the snapshots, or the HTML report, for the rest.*"
    )
