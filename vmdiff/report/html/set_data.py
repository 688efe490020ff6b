"""The figures behind the HTML page of a set, or of two, as JSON for its script.

What they say of memory is in the leaves, a process's piece each; the groups are their sums. Figures are
bytes, null where unknown, texts are stored once, as in `report_data`.
"""

from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import SnapshotSet, role_of
from vmdiff.report import wording
from vmdiff.report.html import leaves
from vmdiff.report.html.leaves import Figures, Leaf
from vmdiff.report.html.report_data import safe
from vmdiff.report.view.figures import Column
from vmdiff.sets.set_comparison import Became, MemberPair, SetComparison
from vmdiff.sets.set_totals import grouped, total

COLUMNS = (
    Column("pss", "pss"),
    Column("private", "private"),
    Column("resident", "rss"),
    Column("swap", "swap"),
)
_FEW = 24  # processes that are told apart at first; more go by their roles
_MOST_GROUPS = 200


class MemberLeaf(NamedTuple):
    """A leaf of one process, which is named with its role and number."""

    role: str
    process: str
    leaf: Leaf


def of_set(snapshots: SnapshotSet) -> str:
    """Write the figures of one set."""
    found = [MemberLeaf(_role(one), _called(one), leaf) for one in snapshots.members for leaf in _leaves(one)]
    return _written("alone", found, (snapshots,), len(snapshots.members))


def of_sets(compared: SetComparison) -> str:
    """Write the figures of two sets, process by process as they are paired."""
    found = list(chain.from_iterable(map(_of_pair, compared.pairs)))
    return _written("sets", found, (compared.before, compared.after), len(compared.pairs))


def _of_pair(pair: MemberPair) -> Iterator[MemberLeaf]:
    role, process = wording.name(pair.role), _called_pair(pair)
    same = pair.became is Became.SAME
    if any(side is not None and side.totals_only for side in (pair.before, pair.after)):
        yield MemberLeaf(role, process, leaves.of_totals(pair.before, pair.after, COLUMNS))
        return
    for leaf in leaves.of_process(pair.before, pair.after, COLUMNS, same_space=same):
        yield MemberLeaf(role, process, leaf)


def _leaves(one: Snapshot) -> Iterable[Leaf]:
    return [leaves.of_totals(None, one, COLUMNS)] if one.totals_only else leaves.of_snapshot(one, COLUMNS)


def _role(one: Snapshot) -> str:
    return wording.name(role_of(one))


def _called(one: Snapshot) -> str:
    return f"{_role(one)} ({one.process.pid})" if one.process.pid is not None else _role(one)


def _called_pair(pair: MemberPair) -> str:
    """Name a process by its role and number, by both numbers where it was restarted."""
    numbers = dict.fromkeys(one.process.pid for one in (pair.before, pair.after) if one is not None)
    told = " → ".join(str(number) for number in numbers if number is not None)
    return f"{wording.name(pair.role)} ({told})" if told else wording.name(pair.role)


def _written(matched: str, found: Sequence[MemberLeaf], sets: Sequence[SnapshotSet], processes: int) -> str:
    totals = list(map(total, sets))
    known = [[getattr(side, column.counter) for side in totals] for column in COLUMNS]
    shown = [at for at, sides in enumerate(known) if any(value != 0 for value in sides)] or [0]
    texts: dict[str, int] = {"": 0}

    def text(name: str) -> int:
        return texts.setdefault(name, len(texts))

    def figures(amounts: Figures) -> Figures:
        return tuple([amounts[at] for at in shown]) if amounts else ()

    data = {
        "match": matched,
        "main": "pss",
        "columns": [COLUMNS[at].name for at in shown],
        "totals": [known[at] for at in shown],
        "groups": {by: _groups(found, name, known, shown) for by, name in _NAMES.items()},
        "least": _unsure(sets, shown),
        "usual": "process" if processes <= _FEW else "role",
        "leaves": {
            **{by: [text(name(one)) for one in found] for by, name in _NAMES.items()},
            "title": [text(wording.name(one.leaf.title)) for one in found],
            "where": [one.leaf.where for one in found],
            "before": [figures(one.leaf.before) for one in found],
            "after": [
                None if one.leaf.after == one.leaf.before else figures(one.leaf.after) for one in found
            ],
        },
    }
    return safe(data | {"texts": list(texts)})


_NAMES: abc.Mapping[str, Callable[[MemberLeaf], str]] = {
    "process": lambda one: one.process,
    "role": lambda one: one.role,
    "owner": lambda one: wording.name(one.leaf.owner),
    "kind": lambda one: wording.name(one.leaf.kind),
    "object": lambda one: wording.name(one.leaf.object),
}


def _groups(
    found: Sequence[MemberLeaf],
    name: Callable[[MemberLeaf], str],
    known: Sequence[Sequence[int | None]],
    shown: Sequence[int],
) -> list[list[Any]]:
    """Add the leaves up by name: each group's name and, for each column that is shown, each side's sum.

    Of an owner it is what is surely his (`GroupRow.known`).
    """
    sides = len(known[0])
    sums: dict[str, list[list[int]]] = {}
    for one in found:
        columns = sums.setdefault(name(one), [[0] * sides for _ in COLUMNS])
        for side, amounts in enumerate((one.leaf.before, one.leaf.after)[-sides:]):
            for at, amount in enumerate(amounts):
                columns[at][side] += amount or 0
    rows = sorted(sums.items(), key=lambda row: -max(row[1][shown[0]]))
    return [
        [
            group,
            *(
                [None if known[at][side] is None else columns[at][side] for side in range(sides)]
                for at in shown
            ),
        ]
        for group, columns in (rows if len(rows) <= _MOST_GROUPS else _few(rows))
    ]


def _unsure(sets: Iterable[SnapshotSet], shown: Sequence[int]) -> list[list[Any]]:
    """Return the owners and columns of which some could not be split: they hold at least what is said."""
    pairs = {
        (wording.name(row.name), column)
        for one in sets
        for row in grouped(one, "owner")
        for column, at in enumerate(shown)
        if getattr(row.held, COLUMNS[at].counter) is None
    }
    return [list(pair) for pair in sorted(pairs)]


def _few(rows: Sequence[tuple[str, list[list[int]]]]) -> list[tuple[str, list[list[int]]]]:
    """Make one group of all but the largest."""
    rest = [columns for _, columns in rows[_MOST_GROUPS:]]
    summed = [[sum(side) for side in zip(*column, strict=True)] for column in zip(*rest, strict=True)]
    return [*rows[:_MOST_GROUPS], (f"{len(rest):,} others", summed)]
