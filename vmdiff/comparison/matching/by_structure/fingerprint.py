"""What remains of a mapping when addresses mean nothing.

Everything that pairs mappings of different runs looks at blocks only, so it cannot depend on where
address space layout randomisation put them: a block knows its place in the order, whether it touches
the one below, its size and its contents, and no address.
"""

import re
from collections import abc
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import NamedTuple

from vmdiff.model import MIXED, Kind, Mapping, Owner, Scalar, Snapshot

_WITH_MEMORY = frozenset({"linux-proc", "core"})
_DIGITS = re.compile(r"[0-9]+")
_GUARD = 64 << 10  # bytes; the largest guard pages there are, those of arm64


@dataclass(frozen=True, slots=True)
class Traits:
    """What the mappings have in common that may be paired with each other.

    *kind* and *perms* as in the mapping; *object* is the path of a file or the kernel's name
    (``[heap]``), None for anonymous memory; *name* is what that was called, without numbers such as a
    thread's; *owner* whose it is (None where nobody knows, or where several share it), *label* which one
    of those, never how many. *told* is owner and label as they stand: contents, which decide nothing.
    """

    kind: Kind
    perms: str
    object: str | None = None
    name: str | None = None
    owner: str | None = None
    label: str | None = None
    told: tuple[str, str | None] | None = None


class Family:
    """All mappings of the same traits, on both sides: one object, so that ``is`` compares traits.

    *kin* is the family of the same traits without label and what else is told of the owner.
    """

    __slots__ = ("anonymous", "kin", "kind", "label", "name", "object", "owner", "perms", "traits")

    def __init__(self, traits: Traits, kin: "Family | None") -> None:
        self.traits = traits
        self.kind, self.perms, self.object = traits.kind, traits.perms, traits.object
        self.name, self.owner, self.label = traits.name, traits.owner, traits.label
        self.kin = kin or self
        self.anonymous = traits.object is None


class Block(NamedTuple):
    """A mapping without its address.

    *at* is its place in the snapshot, *size* its bytes (0 where unknown), *weight* what of it is
    resident or swapped. *touches* says that the mapping below ends where this one starts, *placed* that it
    continues the data of a program or library there, as ``.bss`` does, *guarded* that a guard page does.
    *sure* says that its owner is certain, *unowned* that the process's memory was looked at and it has none.
    *likeness* is everything that is compared between runs; *contents* is that and the numbers in a name.
    """

    at: int
    mapping: Mapping
    family: Family
    size: int
    weight: int
    touches: bool
    placed: bool
    guarded: bool
    sure: bool
    unowned: bool
    likeness: Hashable
    contents: Hashable


class Terms(NamedTuple):
    """What two snapshots can be compared in: *values* by name, *owners* and *flags* if both have them.

    *looked*: owners were looked for in the memory of both processes; a listing has none to look at.
    """

    values: frozenset[str]
    owners: bool = True
    flags: bool = True
    looked: bool = False


def terms(before: Snapshot, after: Snapshot) -> Terms:
    """Return what both sides speak of."""
    one, other = before.origin, after.origin
    values = {*one.counters, *one.attributes} & {*other.counters, *other.attributes}
    looked = all(origin.owners and origin.source in _WITH_MEMORY for origin in (one, other))
    flags = _flagged(before) and _flagged(after)
    return Terms(frozenset(values), one.owners == other.owners, flags, looked)


def _flagged(snapshot: Snapshot) -> bool:
    return any(mapping.flags is not None for mapping in snapshot.mappings)


def blocks(snapshot: Snapshot, compared: Terms, known: dict[Traits, Family]) -> list[Block]:
    """Return the blocks of a snapshot, in its order.

    *compared* says what of it is contents, *known* holds the families that both sides share.
    """
    families = _Families(snapshot, compared, known)
    counts: dict[int, tuple[frozenset[tuple[str, Scalar]], int]] = {}  # most mappings share their values
    found = []
    reach: int | None = None
    data_below = guard_below = False
    for index, mapping in enumerate(snapshot.mappings):
        start, end, values = mapping.start, mapping.end, mapping.values
        family = families.of(mapping)
        size = mapping.size or 0 if start is None or end is None else end - start
        if (told := counts.get(id(values))) is None:
            told = counts[id(values)] = _counted(values, compared.values), _weight(values)
        counted, weight = told
        likeness = (
            family,
            size,
            mapping.offset,
            mapping.deleted,
            mapping.flags if compared.flags else None,
            counted,
        )
        contents = likeness if family.name is None else (likeness, mapping.path)
        touches = start is not None and start == reach
        placed = touches and data_below and _may_be_bss(family)
        guarded = touches and guard_below
        whose = _known(mapping.owner, compared)
        found.append(
            Block(index, mapping, family, size, weight, touches, placed, guarded, *whose, likeness, contents)
        )
        reach, data_below = end, family.kind is Kind.IMAGE and family.perms[1] == "w"
        guard_below = family.kind is Kind.RESERVED and size <= _GUARD
    return found


def _known(owner: Owner | None, compared: Terms) -> tuple[bool, bool]:
    """Return whether an owner is certain, and whether one was looked for and not found."""
    return owner is not None and owner.certainty == "certain", compared.looked and owner is None


def _may_be_bss(family: Family) -> bool:
    return family.kind is Kind.ANONYMOUS and family.perms[1] == "w" and family.owner in {None, "bss"}


def agree(one: Family, other: Family) -> bool:
    """Return whether the permissions are the same, ``?`` being a letter that a listing does not tell."""
    if one.perms == other.perms:
        return True
    letters = zip(one.perms, other.perms, strict=True)
    return all(a == b or "?" in (a, b) for a, b in letters)


_PSEUDO = {"malloc heap": Kind.HEAP, "kernel": Kind.KERNEL}


class _Families:
    """The families of one snapshot, each built once."""

    def __init__(self, snapshot: Snapshot, compared: Terms, known: dict[Traits, Family]) -> None:
        process = snapshot.process
        self._owners = compared.owners
        self._families = known
        self._threads = {thread.tid: thread.name for thread in process.threads or ()}
        self._seen: dict[Hashable, Family] = {}

    def of(self, mapping: Mapping) -> Family:
        owner = mapping.owner if self._owners else None
        whose = None if owner is None else (owner.name, owner.label, owner.tid)
        key = (mapping.kind, mapping.perms, mapping.path, whose, mapping.inode is None)
        family = self._seen.get(key)
        if family is None:
            family = self._seen[key] = self._family(self._traits(mapping, owner))
        return family

    def _family(self, traits: Traits) -> Family:
        if traits not in self._families:
            bare = replace(traits, label=None, told=None)
            self._families[traits] = Family(traits, None if bare == traits else self._family(bare))
        return self._families[traits]

    def _traits(self, mapping: Mapping, owner: Owner | None) -> Traits:
        kind, perms, path = mapping.kind, mapping.perms, mapping.path
        told = None if owner is None else (owner.name, owner.label)
        name, label = (None, None) if owner is None or owner.name == MIXED else self._whose(owner)
        if path is None and mapping.inode is None and (pseudo := _PSEUDO.get(name or "")):
            # A listing that does not name it: pmap says [ anon ] of what the kernel has names for.
            return Traits(pseudo, perms, f"[{label or 'heap'}]", None, name, label, told)
        if path is None or path == "[anonymous]":
            return Traits(kind, perms, None, None, name, label, told)
        if path.startswith("[anon:"):
            return Traits(kind, perms, None, _DIGITS.sub("#", path), name, label, told)
        if path.startswith("[stack:"):  # Linux 3.4 to 4.4 named thread stacks so, which are anonymous
            return Traits(Kind.ANONYMOUS, perms, None, "[stack:]", name, label, told)
        return Traits(kind, perms, path, None, name, label, told)

    def _whose(self, owner: Owner) -> tuple[str, str | None]:
        """Return the owner's name and which one it is; ``3 blocks`` is a number of them and tells none."""
        label = owner.label
        if label is None and owner.tid is not None:
            label = self._threads.get(owner.tid)
        return owner.name, None if label and label[0].isdigit() else label


def _counted(values: abc.Mapping[str, Scalar], compared: frozenset[str]) -> frozenset[tuple[str, Scalar]]:
    """Return the values that count as contents; 0 is what an absent one means."""
    if values.keys() <= compared and 0 not in values.values():  # as nearly always, and four times as fast
        return frozenset(values.items())
    return frozenset([item for item in values.items() if item[1] != 0 and item[0] in compared])


def _weight(values: abc.Mapping[str, Scalar]) -> int:
    rss, swap = values.get("rss"), values.get("swap")
    return (rss if type(rss) is int else 0) + (swap if type(swap) is int else 0)
