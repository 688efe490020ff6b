"""A finding, and what the rules share: sums over groups, and figures in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from operator import attrgetter
from typing import Literal

from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.totals import Group
from vmdiff.model import Mapping, Snapshot, add
from vmdiff.model.memory_figures import figure_of_two
from vmdiff.units import signed

Severity = Literal["info", "notice", "warning"]

NOTEWORTHY = 1 << 20  # bytes below which a change is not worth a sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about what the changes mean. *evidence* are the figures it rests on, in words."""

    id: str
    severity: Severity
    message: str
    evidence: tuple[str, ...] = ()


Found = Iterator[Finding]


def delta(comparison: Comparison, counter: str) -> int | None:
    """Return the change of a total, or of a figure such as ``resident``, in bytes; None where unknown."""
    return figure_of_two({name: total.delta for name, total in comparison.totals.items()}, counter)


def grown(comparison: Comparison, by: str, names: Iterable[str], counter: str) -> int | None:
    """Return the change of a counter or figure over some groups in bytes; None where it is unknown."""
    wanted = frozenset(names)
    return add(group_delta(group, counter) for group in comparison.grouped(by) if group.name in wanted)


def group_delta(group: Group, counter: str) -> int | None:
    """Return the change of a group's counter or figure in bytes; None where it is unknown."""
    return group.delta(counter)


def told(group: Group, *counters: str) -> str:
    """Write what changed in a group: ``malloc arena: rss +2,556 KiB, size 0``."""
    figures = (
        f"{counter} {'unknown' if (change := group.totals[counter].delta) is None else signed(change)}"
        for counter in counters
        if counter in group.totals
    )
    return f"{group.name}: {', '.join(figures)}"


def arrived(comparison: Comparison) -> Iterator[Change]:
    """Yield the changes that are new mappings."""
    return (change for change in comparison.changes if change.change is ChangeName.NEW)


def owned(snapshot: Snapshot, name: str) -> Iterator[Mapping]:
    """Yield the mappings that have an owner, as a whole."""
    owned = compress(snapshot.mappings, map(attrgetter("owner"), snapshot.mappings))
    return (mapping for mapping in owned if mapping.owner and mapping.owner.name == name)


def has_owner(snapshot: Snapshot, start: str) -> bool:
    """Return whether a snapshot has memory of an owner whose name starts so."""
    return any(
        name.startswith(start)
        for mapping in snapshot.mappings
        if mapping.owner
        for name in (mapping.owner.name, *(part.name for part in mapping.owner.parts))
    )


def listed(names: Iterable[str], most: int = 3) -> str:
    """List names, each once, and say how many more there are: ``a, b, c and 2 more``."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def counted(count: int, thing: str) -> str:
    """Count things: ``1 thread``, ``12 threads``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
