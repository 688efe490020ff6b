"""Counters of two snapshots side by side: totals, and groups that add up to them.

What one side does not know throughout is None, never 0.
"""

from collections import abc
from typing import Literal, NamedTuple

from vmdiff.comparison.tally import Grouping, Sums, Tally
from vmdiff.model import Snapshot
from vmdiff.model.memory_figures import figure, figure_of_two
from vmdiff.model.piece import NOT_SPLIT, PRIVATE


class Total(NamedTuple):
    """A counter over a whole snapshot or group, in bytes; None where a side does not know it."""

    before: int | None
    after: int | None

    @property
    def delta(self) -> int | None:
        """After less before, or None where one is unknown."""
        return None if self.before is None or self.after is None else self.after - self.before


Totals = abc.Mapping[str, Total]


class Group(NamedTuple):
    """The counters of all pieces of one kind, owner or object, `PRIVATE` among them.

    *unsplit* are the counters that are known as a whole, but not how much of them is this group's.
    """

    name: str
    totals: Totals
    unsplit: frozenset[str] = frozenset()

    def delta(self, figure: str) -> int | None:
        """Return the change of a counter or figure such as ``resident`` in bytes; None where unknown."""
        return figure_of_two({name: total.delta for name, total in self.totals.items()}, figure, self.unsplit)


class HeldGroup(NamedTuple):
    """What all pieces of one kind, owner or object of a snapshot hold: bytes by counter, `PRIVATE` too."""

    name: str
    counts: abc.Mapping[str, int | None]
    unsplit: frozenset[str] = frozenset()

    def figure(self, name: str) -> int | None:
        """Return a counter or figure such as ``resident`` in bytes; None where it is unknown."""
        return figure_of_two(self.counts, name, self.unsplit)


def held_groups(snapshot: Snapshot, made: Tally, by: Grouping) -> tuple[HeldGroup, ...]:
    """Fold the sums *made* of a snapshot by one part of their keys, largest resident memory first.

    Every column adds up to the total.
    """
    totals = {**snapshot.totals, PRIVATE: figure(snapshot.totals, PRIVATE)}
    found = [
        HeldGroup(
            name,
            {key: None if total is None else sums.get(key, 0) for key, total in totals.items()},
            _unsplit(sums, totals),
        )
        for name, sums in made.by(by).items()
    ]
    return tuple(sorted(found, key=_held, reverse=True))


def _held(group: HeldGroup) -> tuple[int, str]:
    return group.counts.get("rss") or group.counts.get("size") or 0, group.name


def all_totals(before: Snapshot, after: Snapshot) -> dict[str, Total]:
    """Return the total of every counter that either side knows."""
    names = dict.fromkeys((*before.totals, *after.totals))
    return {name: Total(before.totals.get(name), after.totals.get(name)) for name in names}


def side_totals(totals: Totals) -> tuple[dict[str, int | None], dict[str, int | None]]:
    """Return the counters of each side."""
    pairs = totals.items()
    return {name: total.before for name, total in pairs}, {name: total.after for name, total in pairs}


def groups(totals: Totals, sides: tuple[Tally, Tally], by: Grouping) -> tuple[Group, ...]:
    """Fold the sums of both sides by one part of their keys, largest change of resident first.

    Every column adds up to the total. What one side cannot split among owners is unknown of them on both,
    and stands in the group `NOT_SPLIT`.
    """
    before, after = (side.by(by, sides[0].unsplit | sides[1].unsplit) for side in sides)
    figures = with_private(totals)
    wholes = side_totals(figures)
    found = [
        Group(
            name,
            {counter: _total(figures, counter, before.get(name), after.get(name)) for counter in figures},
            _unsplit(before.get(name), wholes[0]) | _unsplit(after.get(name), wholes[1]),
        )
        for name in dict.fromkeys((*before, *after))
    ]
    return tuple(sorted(found, key=_weight, reverse=True))


def unknown_on(
    side: Literal["before", "after"], found: tuple[Group, ...], totals: Totals
) -> tuple[Group, ...]:
    """Return groups of owners where nobody looked for owners on one side: all of that side is not split."""
    other = "after" if side == "before" else "before"
    whole = {counter: total._replace(**{other: None}) for counter, total in with_private(totals).items()}
    kept = [
        Group(group.name, {name: total._replace(**{side: None}) for name, total in group.totals.items()})
        for group in found
        if any(getattr(total, other) for total in group.totals.values())
    ]
    return (Group(NOT_SPLIT, whole), *kept)


def with_private(totals: Totals) -> dict[str, Total]:
    """Return totals with what no other process maps, as groups have it."""
    before, after = (
        figure_of_two({name: getattr(total, side) for name, total in totals.items()}, PRIVATE)
        for side in ("before", "after")
    )
    return {**totals, PRIVATE: Total(before, after)}


def _unsplit(sums: Sums | None, whole: abc.Mapping[str, int | None]) -> frozenset[str]:
    """Return the counters that are known as a whole, and not of these sums."""
    return frozenset(
        name for name, amount in (sums or {}).items() if amount is None and whole.get(name) is not None
    )


def _total(whole: Totals, counter: str, before: Sums | None, after: Sums | None) -> Total:
    return Total(
        None if whole[counter].before is None else (before or {}).get(counter, 0),
        None if whole[counter].after is None else (after or {}).get(counter, 0),
    )


def _weight(group: Group) -> tuple[int, int, str]:
    def of(name: str) -> tuple[int, int]:
        total = group.totals.get(name, Total(None, None))
        return abs(total.delta or 0), total.after or total.before or 0

    return (of("rss")[0] + of("swap")[0], of("rss")[1] or of("size")[1], group.name)
