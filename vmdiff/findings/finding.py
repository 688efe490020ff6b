"""A finding, and what the rules share: sums over groups, and figures in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.totals import Group
from vmdiff.model import Mapping, Snapshot, add
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
    """Give the change of a total in bytes; None where it is unknown."""
    total = comparison.totals.get(counter)
    return None if total is None else total.delta


def grown(comparison: Comparison, by: str, names: Iterable[str], counter: str) -> int | None:
    """Give the change of a counter over some groups in bytes; None where it is unknown."""
    wanted = frozenset(names)
    groups = [group for group in comparison.grouped(by) if group.name in wanted]
    return add(group.totals[counter].delta if counter in group.totals else None for group in groups)


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
    return (mapping for mapping in snapshot.mappings if mapping.owner and mapping.owner.name == name)


def listed(names: Iterable[str], most: int = 3) -> str:
    """List names, each once, and say how many more there are: ``a, b, c and 2 more``."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def counted(count: int, thing: str) -> str:
    """Count things: ``1 thread``, ``12 threads``."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
