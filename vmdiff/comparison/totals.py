"""Counters added up: over whole snapshots, and by kind, owner and object.

Every column of groups adds up to the total. What one side does not know throughout is None, never 0.
"""

from collections import abc
from typing import NamedTuple, TypeVar

from vmdiff.model import Kind, Mapping, Owner, Snapshot, add

Key = tuple[str, str, str]
Sums = dict[str, int | None]
Choice = abc.Callable[[Mapping], bool]
GROUPINGS = ("kind", "owner", "object")


class Total(NamedTuple):
    """A counter over a whole snapshot or group, in bytes; None where a side does not know it."""

    before: int | None
    after: int | None

    @property
    def delta(self) -> int | None:
        """After less before, or None where one is unknown."""
        return None if self.before is None or self.after is None else self.after - self.before


class Group(NamedTuple):
    """The counters of all mappings of one kind, owner or object."""

    name: str
    totals: abc.Mapping[str, Total]


def all_totals(before: Snapshot, after: Snapshot) -> dict[str, Total]:
    """Return the total of every counter that either side knows."""
    names = dict.fromkeys((*before.totals, *after.totals))
    return {name: Total(before.totals.get(name), after.totals.get(name)) for name in names}


def tally(snapshot: Snapshot, *, only: Choice | None = None) -> dict[Key, Sums]:
    """Add up the counters of a snapshot by (kind, owner, object).

    Every column adds up to the snapshot's totals; None where one mapping's value is unknown. What has
    no owner or no path goes by its kind: ``(heap)``, ``[anonymous]``.
    """
    alike: dict[tuple[Kind, str | None, str | None], list[Mapping]] = {}
    sums: dict[Key, Sums] = {}
    for mapping in filter(only, snapshot.mappings):
        owner = mapping.owner
        if owner is not None and owner.parts:
            for part, share in _shares(mapping, owner, snapshot.sums((mapping,))):
                _pour(sums, _key(mapping.kind, part, mapping.path), share)
        else:
            key = (mapping.kind, owner.name if owner else None, mapping.path)
            alike.setdefault(key, []).append(mapping)
    for (kind, name, path), mappings in alike.items():
        _pour(sums, _key(kind, name, path), snapshot.sums(mappings))
    return sums


_AnyKey = TypeVar("_AnyKey", Key, str)


def _key(kind: Kind, owner: str | None, path: str | None) -> Key:
    return str(kind), owner or f"({kind})", path or f"[{kind}]"


def _pour(into: dict[_AnyKey, Sums], key: _AnyKey, share: Sums) -> None:
    held = into.get(key)
    into[key] = share if held is None else {name: add((held.get(name, 0), share[name])) for name in share}


def _shares(mapping: Mapping, owner: Owner, values: Sums) -> abc.Iterator[tuple[str, Sums]]:
    """Split a mapping's counters among its owners; what cannot be split is ``mixed``."""
    rest = dict(values)
    for part in owner.parts:
        length = part.end - part.start
        exact = {"size": length, "accessible": length if mapping.accessible else 0}
        exact |= {name: value for name in ("rss", "swap") if (value := getattr(part, name)) is not None}
        for name, value in exact.items():
            rest[name] = add((rest.get(name), -value))
        yield part.name, {name: exact.get(name, 0) for name in values}
    yield owner.name, rest


def groups(
    totals: abc.Mapping[str, Total], sides: tuple[dict[Key, Sums], dict[Key, Sums]], at: int
) -> tuple[Group, ...]:
    """Fold the sums of both sides by one part of their keys, largest change of resident first."""
    folded: tuple[dict[str, Sums], dict[str, Sums]] = ({}, {})
    for side, sums in zip(folded, sides, strict=True):
        for key, share in sums.items():
            _pour(side, key[at], share)
    groups = [
        Group(name, {counter: _total(totals[counter], counter, folded, name) for counter in totals})
        for name in dict.fromkeys((*folded[0], *folded[1]))
    ]
    return tuple(sorted(groups, key=_weight, reverse=True))


def _total(whole: Total, counter: str, sides: tuple[dict[str, Sums], dict[str, Sums]], group: str) -> Total:
    before = None if whole.before is None else sides[0].get(group, {}).get(counter, 0)
    after = None if whole.after is None else sides[1].get(group, {}).get(counter, 0)
    return Total(before, after)


def _weight(group: Group) -> tuple[int, int, str]:
    def of(name: str) -> tuple[int, int]:
        total = group.totals.get(name, Total(None, None))
        return abs(total.delta or 0), total.after or total.before or 0

    return (of("rss")[0] + of("swap")[0], of("rss")[1] or of("size")[1], group.name)
