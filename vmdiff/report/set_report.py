"""A set of processes, or what changed between two: in a terminal, as Markdown, as JSON."""

from collections import abc
from typing import Any

from vmdiff.answer.of_set import answer_of_set, answer_of_sets
from vmdiff.harmless_text import printable
from vmdiff.model.held_memory import CachedFile
from vmdiff.model.piece import NOT_SPLIT
from vmdiff.model.snapshot_set import ControlGroup, SnapshotSet
from vmdiff.report.text_table import TextColumn, text_table
from vmdiff.sets.cgroup_account import account, account_change
from vmdiff.sets.set_comparison import Became, MemberPair, SetComparison
from vmdiff.sets.set_totals import (
    Grouping,
    GroupRow,
    Held,
    RoleRow,
    by_role,
    grouped,
    held_by,
    shared_objects,
    total,
)
from vmdiff.units import signed, size

MOST_ROWS = 12
_LONGEST_NAME = 36  # which leaves room for three figures in 80 columns
_GOES = {True: "can be dropped", False: "", None: "can be dropped in part"}
_WHERE = {"owner": "by owner", "kind": "by kind", "object": "by object"}


def set_sections(
    snapshots: SnapshotSet, by: Grouping, most: int
) -> abc.Iterator[tuple[str, list[TextColumn]]]:
    """Yield the tables of a set: a title and the columns of each."""
    yield "", _role_columns(by_role(snapshots), total(snapshots), most)
    rows = grouped(snapshots, by)
    if any(row.name != NOT_SPLIT for row in rows):  # else only totals are known
        yield _WHERE[by], _group_columns(rows, most)
    if objects := shared_objects(snapshots)[:most]:
        yield (
            "shared, each counted once",
            [
                TextColumn("object", tuple(_short(row.name) for row in objects), "left"),
                TextColumn("processes", tuple(f"{row.processes:,}" for row in objects)),
                TextColumn("size", tuple(_size(row.size) for row in objects), rank=2),
                TextColumn("shared", tuple(_size(row.shared) for row in objects)),
                TextColumn("private to one", tuple(_size(row.held.private) for row in objects), rank=1),
            ],
        )
    if snapshots.cgroup is not None:
        yield from _account_sections(snapshots.cgroup, most)


def _account_sections(group: ControlGroup, most: int) -> abc.Iterator[tuple[str, list[TextColumn]]]:
    """Yield what is charged to a control group, and the files of its processes that are cached most."""
    if lines := account(group):
        yield (
            f"charged to {group.path}",
            [
                TextColumn("what", tuple(line.name for line in lines), "left"),
                TextColumn("bytes", tuple(_size(line.bytes) for line in lines)),
                TextColumn("", tuple(_GOES[line.freed] for line in lines), "left"),
            ],
        )
    if files := group.files[:most]:
        yield (
            "files of its processes in the page cache (some may be charged to another group)",
            [
                TextColumn("file", tuple(_short(file.path) for file in files), "left"),
                TextColumn("cached", tuple(_size(file.cached) for file in files)),
                TextColumn("to be written", tuple(_size(file.dirty) for file in files), rank=2),
                TextColumn("size", tuple(_size(file.size) for file in files), rank=1),
                TextColumn("", tuple(_how(file) for file in files), "left"),
            ],
        )


def _how(file: CachedFile) -> str:
    return ", ".join(
        word for word, holds in (("mapped", file.mapped), ("in memory only", file.in_memory)) if holds
    )


def comparison_sections(
    found: SetComparison, by: Grouping, most: int
) -> abc.Iterator[tuple[str, list[TextColumn]]]:
    """Yield the tables of a comparison."""
    before, after = found.totals
    yield "", _figure_columns(before, after)
    moved = found.moved(by)[:most]
    if moved:
        yield (
            f"where, {_WHERE[by]}",
            [
                TextColumn("role", tuple(row.role for row in moved), "left", wraps=True),
                TextColumn("name", tuple(_short(row.name) for row in moved), "left", wraps=True),
                TextColumn("pss", tuple(_signed(row.delta) for row in moved)),
            ],
        )
    yield from _charged(found)
    changed = [pair for pair in found.pairs if pair.became is not Became.SAME or pair.delta]
    shown = changed[:most]
    if shown:
        yield (
            "processes",
            [
                TextColumn(
                    "", tuple("" if pair.became is Became.SAME else pair.became for pair in shown), "left"
                ),
                TextColumn("role", tuple(pair.role for pair in shown), "left", wraps=True),
                TextColumn("pid", tuple(_pid(pair) for pair in shown)),
                TextColumn("before", tuple(_pss(pair.before) for pair in shown), rank=1),
                TextColumn("after", tuple(_pss(pair.after) for pair in shown), rank=1),
                TextColumn("pss", tuple(_signed(pair.delta) for pair in shown)),
            ],
        )
    if len(changed) > len(shown):
        yield f"and {len(changed) - len(shown):,} more processes; --all shows them", []


def _charged(found: SetComparison) -> abc.Iterator[tuple[str, list[TextColumn]]]:
    """Yield the table of what a control group is charged more or less, if both sides have its account."""
    before, after = found.before.cgroup, found.after.cgroup
    if before is None or after is None or not (changes := account_change(before, after)):
        return
    yield (
        f"charged to {after.path}",
        [
            TextColumn("what", tuple(line.name for line in changes), "left"),
            TextColumn("change", tuple(_signed(line.bytes) for line in changes)),
            TextColumn("", tuple(_GOES[line.freed] for line in changes), "left"),
        ],
    )


def _group_columns(rows: abc.Sequence[GroupRow], most: int) -> list[TextColumn]:
    """Return a row for each group that holds anything; a PSS with ``+`` is the least that it can be."""
    held = [row for row in rows if any(value != 0 for value in row.held)]
    shown = held[:most]
    return [
        TextColumn("name", tuple(_short(row.name) for row in shown), "left"),
        TextColumn("pss", tuple(_known(row) for row in shown)),
        TextColumn("private", tuple(_size(row.held.private) for row in shown), rank=1),
        TextColumn("swap", tuple(_size(row.held.swap) for row in shown), rank=3),
        TextColumn("resident, added up", tuple(_size(row.held.rss) for row in shown), rank=2),
    ]


def _known(row: GroupRow) -> str:
    return _size(row.known) if row.held.pss == row.known else f"{size(row.known or 0)} +"


def _short(name: str) -> str:
    """Shorten a path to its last parts."""
    if len(name) <= _LONGEST_NAME:
        return name
    end = name[-_LONGEST_NAME + 1 :]
    return "…" + end[max(0, end.find("/")) :]


def _role_columns(rows: abc.Sequence[RoleRow], whole: Held, most: int) -> list[TextColumn]:
    shown = rows[:most]
    folded = rows[most:]
    names = [row.role for row in shown]
    counts = [len(row.members) for row in shown]
    held = [row.held for row in shown]
    if folded:
        names.append(f"{len(folded):,} other roles")
        counts.append(sum(len(row.members) for row in folded))
        held.append(_folded([row.held for row in folded]))
    names.append("total")
    counts.append(sum(len(row.members) for row in rows))
    held.append(whole)
    return [
        TextColumn("role", tuple(names), "left", wraps=True),
        TextColumn("processes", tuple(f"{count:,}" for count in counts)),
        TextColumn("pss", tuple(_size(one.pss) for one in held)),
        TextColumn("private", tuple(_size(one.private) for one in held), rank=1),
        TextColumn("swap", tuple(_size(one.swap) for one in held), rank=2),
        TextColumn("resident, added up", tuple(_size(one.rss) for one in held), rank=3),
    ]


def _folded(held: abc.Sequence[Held]) -> Held:
    columns = zip(*held, strict=True)
    return Held(*(None if None in column else sum(filter(None, column)) for column in columns))


def _figure_columns(before: Held, after: Held) -> list[TextColumn]:
    names = ("pss", "private", "swap", "resident, added up")
    pairs = [(before.pss, after.pss), (before.private, after.private), (before.swap, after.swap)]
    pairs.append((before.rss, after.rss))
    return [
        TextColumn("", names, "left"),
        TextColumn("before", tuple(_size(one) for one, _ in pairs)),
        TextColumn("after", tuple(_size(other) for _, other in pairs)),
        TextColumn("change", tuple(_change(one, other) for one, other in pairs)),
    ]


def _size(value: int | None) -> str:
    return "?" if value is None else size(value) if value else ""


def _signed(value: int | None) -> str:
    return "?" if value is None else signed(value)


def _change(before: int | None, after: int | None) -> str:
    return _signed(None if before is None or after is None else after - before)


def _pss(side: Any) -> str:
    return "" if side is None else _size(held_by(side).pss)


def _pid(pair: MemberPair) -> str:
    pids = [str(side.process.pid) for side in (pair.before, pair.after) if side and side.process.pid]
    return " > ".join(dict.fromkeys(pids))


def set_text(snapshots: SnapshotSet, by: Grouping, *, width: int, everything: bool = False) -> str:
    """Write a set for a terminal or a mail."""
    head = _head(snapshots) + answer_of_set(snapshots).sentence + "\n"
    missing = "".join(f"missing: {one.reason}\n" for one in snapshots.missing)
    return (
        head
        + _written(set_sections(snapshots, by, _most(everything=everything)), width)
        + (missing and "\n" + missing)
    )


def sets_text(found: SetComparison, by: Grouping, *, width: int, everything: bool = False) -> str:
    """Write a comparison of sets for a terminal or a mail."""
    head = _head(found.after) + answer_of_sets(found).sentence + "\n"
    return head + _written(comparison_sections(found, by, _most(everything=everything)), width)


def _most(*, everything: bool) -> int:
    return 1_000_000 if everything else MOST_ROWS


def _head(snapshots: SnapshotSet) -> str:
    when = f", {snapshots.taken_at:%Y-%m-%d %H:%M:%S} UTC" if snapshots.taken_at else ""
    label = f" ({printable(snapshots.label)})" if snapshots.label else ""
    count = len(snapshots.members)
    return f"{count:,} process{'' if count == 1 else 'es'}{when}{label}\n"


def _written(sections: abc.Iterable[tuple[str, list[TextColumn]]], width: int) -> str:
    parts = []
    for title, columns in sections:
        heading = f"{printable(title)}\n" if title else ""
        parts.append("\n" + heading + (text_table(columns, width=width) if columns else ""))
    return "".join(parts)


def set_markdown(sentence: str, sections: abc.Iterable[tuple[str, list[TextColumn]]]) -> str:
    """Write tables for an issue tracker."""
    parts = [f"**{_escaped(sentence)}**\n"]
    for title, columns in sections:
        if title:
            parts.append(f"\n{_escaped(title)}\n")
        if not columns:
            continue
        lines = [
            "| " + " | ".join(_escaped(column.title) for column in columns) + " |",
            "|" + "|".join("---" if column.align == "left" else "--:" for column in columns) + "|",
            *(
                "| " + " | ".join(map(_escaped, row)) + " |"
                for row in zip(*(c.cells for c in columns), strict=True)
            ),
        ]
        parts.append("\n" + "\n".join(lines) + "\n")
    return "".join(parts)


def _escaped(text: str) -> str:
    plain = printable(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|" else c for c in plain)
