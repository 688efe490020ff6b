"""How the allocators' own figures changed: what is in use, and what was freed and kept."""

from collections import Counter, abc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from vmdiff.model import Snapshot, Usage, add

FIGURES = ("in_use", "free", "cached", "overhead", "releasable", "reserved", "blocks")

Figures = abc.Mapping[str, int | None]


@dataclass(frozen=True)
class UsageChange:
    """One allocator's memory on both sides; a side that had none of it is empty.

    What is *partial* on a side is no figure to compare: its change is None.
    """

    owner: str
    label: str | None
    before: tuple[Usage, ...]
    after: tuple[Usage, ...]

    @cached_property
    def delta(self) -> Figures:
        """The change of each of `FIGURES`; None where a side does not know it for certain."""
        sides = [{name: exact(side, name) for name in FIGURES} for side in (self.before, self.after)]
        return {
            name: None if was is None or now is None else now - was
            for name, was, now in ((name, sides[0][name], sides[1][name]) for name in FIGURES)
        }

    @cached_property
    def sizes(self) -> tuple[tuple[int, int, int], ...]:
        """The block sizes that changed, largest change of bytes first: size, blocks in use and free ones."""
        if not all(_is_counted(side) for side in (self.before, self.after)):
            return ()
        used, free = Counter[int](), Counter[int]()
        for sign, side in ((-1, self.before), (1, self.after)):
            for size, in_use, unused in (row for usage in side for row in usage.sizes):
                used[size] += sign * in_use
                free[size] += sign * unused
        changed = [(size, used[size], free[size]) for size in used if used[size] or free[size]]
        return tuple(sorted(changed, key=lambda row: (-abs(row[0] * row[1]), row[0])))

    @cached_property
    def types(self) -> tuple[tuple[str, int, int], ...]:
        """The types that changed, largest change of bytes first: name, objects and bytes."""
        if not all(usage.types for usage in (*self.before, *self.after)):
            return ()
        objects, held = Counter[str](), Counter[str]()
        for sign, side in ((-1, self.before), (1, self.after)):
            for name, count, size in (row for usage in side for row in usage.types):
                objects[name] += sign * count
                held[name] += sign * size
        changed = [(name, objects[name], held[name]) for name in objects if objects[name] or held[name]]
        return tuple(sorted(changed, key=lambda row: (-abs(row[2]), row[0])))


def exact(side: Sequence[Usage], name: str) -> int | None:
    """Add up a figure over usages; None where one does not know it for certain."""
    return add(None if usage.partial else getattr(usage, name) for usage in side)


def _is_counted(side: Sequence[Usage]) -> bool:
    return all(usage.sizes or not usage.in_use for usage in side)


def usage_changes(before: Snapshot, after: Snapshot) -> tuple[UsageChange, ...] | None:
    """Compare the usages of two snapshots, one for each owner and label; None where a side has none.

    An owner whose usage only one side has is compared only if the other side has no memory of it either:
    else it was not read there, and nothing is known of it.
    """
    if before.usage is None or after.usage is None:
        return None
    sides = [_by_name(before.usage), _by_name(after.usage)]
    owned = [set(_names(before)), set(_names(after))]
    return tuple(
        UsageChange(*name, *(tuple(usages.get(name, ())) for usages in sides))
        for name in dict.fromkeys((*sides[0], *sides[1]))
        if all(name in usages or not _has(owners, name) for usages, owners in zip(sides, owned, strict=True))
    )


def _has(owners: set[tuple[str, str | None]], name: tuple[str, str | None]) -> bool:
    owner, label = name
    return name in owners if label is not None else any(owner == other for other, _ in owners)


def by_owner(changes: Iterable[UsageChange]) -> tuple[UsageChange, ...]:
    """Join the changes of all that have the same owner, such as the arenas of a process."""
    every: dict[str, list[UsageChange]] = {}
    for change in changes:
        every.setdefault(change.owner, []).append(change)
    return tuple(
        UsageChange(
            owner,
            None,
            tuple(usage for change in some for usage in change.before),
            tuple(usage for change in some for usage in change.after),
        )
        for owner, some in every.items()
    )


def _by_name(usages: Iterable[Usage]) -> dict[tuple[str, str | None], list[Usage]]:
    found: dict[tuple[str, str | None], list[Usage]] = {}
    for usage in usages:
        found.setdefault((usage.owner, usage.label), []).append(usage)
    return found


def _names(snapshot: Snapshot) -> Iterator[tuple[str, str | None]]:
    owners = [mapping.owner for mapping in snapshot.mappings if mapping.owner]
    yield from ((owner.name, owner.label) for owner in owners)
    yield from ((part.name, part.label) for owner in owners for part in owner.parts)
