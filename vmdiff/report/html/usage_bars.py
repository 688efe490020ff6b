"""What the allocators keep: in use, freed and kept, or cached, as bars at one scale."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.usage_change import by_owner, exact
from vmdiff.findings.freed_and_kept import largest_rows
from vmdiff.model import Snapshot, Usage
from vmdiff.report import wording

FIGURES = (("in_use", "in use"), ("free", "freed and kept"), ("cached", "cached"))
_LENGTH = 1000  # of the longest bar
_LEAST = 64 << 10  # bytes that an owner has of these, to have a bar


class UsageBar(NamedTuple):
    """A part of a bar: its figure's name, where it begins and how long it is."""

    name: str
    start: float
    length: float


class UsageRow(NamedTuple):
    """An owner with a bar a side and, for each head, (the figure, what it was and is).

    *note* is what grew most in it.
    """

    owner: str
    bars: tuple[tuple[UsageBar, ...], ...]
    cells: tuple[tuple[str, str], ...]
    note: str


class UsageTable(NamedTuple):
    """The figures that have a column, as (name, words), and the rows, the largest first."""

    heads: tuple[tuple[str, str], ...]
    rows: tuple[UsageRow, ...]


def of_comparison(found: Comparison) -> UsageTable:
    """Return a row for each owner of which both sides know what is in use."""
    changes = by_owner(found.usage or ())
    rows = [
        (change.owner, (change.before, change.after), next(largest_rows(change), "")) for change in changes
    ]
    return _table(rows, _changed)


def of_snapshot(taken: Snapshot) -> UsageTable:
    """Return a row for each owner of which it is known what is in use."""
    owners: dict[str, list[Usage]] = {}
    for usage in taken.usage or ():
        owners.setdefault(usage.owner, []).append(usage)
    return _table([(owner, (tuple(usages),), "") for owner, usages in owners.items()], _held)


_Owned = tuple[str, Sequence[Sequence[Usage]], str]
_SAYS_NOTHING = frozenset({("", ""), ("", wording.UNKNOWN), (wording.UNKNOWN, "")})
_Words = Callable[[Sequence[int | None]], tuple[str, str]]


def _table(owners: Sequence[_Owned], words: _Words) -> UsageTable:
    rows = _rows(owners, words)
    told = [at for at in range(len(FIGURES)) if any(row.cells[at] not in _SAYS_NOTHING for row in rows)]
    kept = tuple(row._replace(cells=tuple(row.cells[at] for at in told)) for row in rows)
    return UsageTable(tuple(FIGURES[at] for at in told), kept)


def _rows(owners: Sequence[_Owned], words: _Words) -> list[UsageRow]:
    figures = {
        owner: [[exact(side, name) for name, _ in FIGURES] for side in sides] for owner, sides, _ in owners
    }
    known = [one for one in owners if all(side[0] is not None for side in figures[one[0]])]
    longest = {owner: max(sum(filter(None, side)) for side in figures[owner]) for owner, _, _ in known}
    scale = _LENGTH / max(longest.values(), default=1) if any(longest.values()) else 0
    return [
        UsageRow(
            wording.name(owner),
            tuple(tuple(_bar(side, scale)) for side in figures[owner]),
            tuple(words(column) for column in zip(*figures[owner], strict=True)),
            wording.printable(note),
        )
        for owner, _, note in sorted(known, key=lambda one: -longest[one[0]])
        if longest[owner] >= _LEAST
    ]


def _bar(figures: Sequence[int | None], scale: float) -> Iterator[UsageBar]:
    start = 0.0
    for (name, _), figure in zip(FIGURES, figures, strict=True):
        if figure:
            yield UsageBar(name, round(start, 1), round(figure * scale, 1))
            start += figure * scale


def _changed(figures: Sequence[int | None]) -> tuple[str, str]:
    before, after = figures
    if before == after:
        return "", "" if after == 0 else wording.size(after)
    if before is None or after is None:
        return wording.UNKNOWN, f"{wording.size(before)} → {wording.size(after)}"
    return wording.signed(after - before), f"{wording.size(before)} → {wording.size(after)}"


def _held(figures: Sequence[int | None]) -> tuple[str, str]:
    return wording.size(figures[0]) if figures[0] != 0 else "", ""
