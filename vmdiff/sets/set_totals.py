"""What a set of processes holds: by role, by owner, kind and object, and behind each shared object once.

Sums over processes are of PSS: each page counts for each process by its share, so the sum is the memory
that all of them hold. RSS counts a shared page in each process; its sum is shown as such.
"""

from collections import abc
from typing import Literal, NamedTuple

from vmdiff.comparison import tally
from vmdiff.model import Kind, Mapping, Snapshot, add
from vmdiff.model.memory_figures import figure
from vmdiff.model.piece import NOT_SPLIT, PRIVATE
from vmdiff.model.snapshot_set import SnapshotSet, role_of

Grouping = Literal["owner", "kind", "object"]
_SHARED = frozenset({Kind.IMAGE, Kind.FILE, Kind.SHARED_MEMORY, Kind.DEVICE})


class Held(NamedTuple):
    """Bytes that one or several processes hold; None where one of them does not know."""

    pss: int | None
    rss: int | None
    private: int | None
    swap: int | None


NOTHING_HELD = Held(0, 0, 0, 0)


class Member(NamedTuple):
    """One process of a set."""

    role: str
    pid: int | None
    held: Held


class RoleRow(NamedTuple):
    """The processes of one role together, and the one of them that holds most."""

    role: str
    members: tuple[Member, ...]
    held: Held


class GroupRow(NamedTuple):
    """What one owner, kind or object holds over all processes.

    *held* has None for what could not be split among the owners of a mapping, and all of that in the row of
    `NOT_SPLIT`. *known* is the PSS that is surely its own, which is all of it or, where that is unknown, the
    private memory. Both columns add up.
    """

    name: str
    known: int | None
    held: Held


class ObjectRow(NamedTuple):
    """What is behind one file, memfd or piece of shared memory, however many processes map it.

    *held* includes the pages that a process has of its own there, such as those it wrote to.
    """

    name: str
    kind: Kind
    processes: int
    size: int | None
    held: Held

    @property
    def shared(self) -> int | None:
        """The bytes that are not of one process alone, each page once."""
        pss, private = self.held.pss, self.held.private
        return None if pss is None or private is None else max(0, pss - private)


def members(snapshots: SnapshotSet) -> list[Member]:
    """Return a row for each process, in the order of the set."""
    return [Member(role_of(one), one.process.pid, held_by(one)) for one in snapshots.members]


def held_by(snapshot: Snapshot) -> Held:
    """Return what one process holds."""
    return _held(snapshot.totals)


def by_role(snapshots: SnapshotSet) -> list[RoleRow]:
    """Return the processes by role, the role that holds most first."""
    grouped: dict[str, list[Member]] = {}
    for member in members(snapshots):
        grouped.setdefault(member.role, []).append(member)
    rows = [
        RoleRow(role, tuple(sorted(some, key=_weight, reverse=True)), _sum(one.held for one in some))
        for role, some in grouped.items()
    ]
    return sorted(rows, key=lambda row: (-(row.held.pss or row.held.rss or 0), row.role))


def total(snapshots: SnapshotSet) -> Held:
    """Return what all processes hold; the sum of PSS is the memory."""
    return _sum(held_by(one) for one in snapshots.members)


def grouped(snapshots: SnapshotSet, by: Grouping) -> list[GroupRow]:
    """Return what each owner, kind or object holds over all processes, the largest first.

    What is known of a process as totals only is in the row of `NOT_SPLIT`.
    """
    tallies = [tally.tallied(member) for member in snapshots.members]
    unsplit = frozenset().union(*(made.unsplit for made in tallies)) if by == "owner" else frozenset()
    held: dict[str, list[Held]] = {}
    known: dict[str, list[int | None]] = {}
    for member, made in zip(snapshots.members, tallies, strict=True):
        for name, counts in _by(member, made, by, unsplit).items():
            held.setdefault(name, []).append(_held(counts))
        for name, counts in _by(member, made, by, frozenset()).items():
            known.setdefault(name, []).append(counts.get("pss"))
    rows = [GroupRow(name, add(known.get(name, ())), _sum(some)) for name, some in held.items()]
    return sorted(rows, key=lambda row: (-(row.known or 0), -(row.held.rss or 0), row.name))


def known_pss(snapshot: Snapshot, by: Grouping) -> dict[str, int | None]:
    """Return the PSS of one process that is surely of an owner, kind or object (`GroupRow`); it adds up."""
    sums = _by(snapshot, tally.tallied(snapshot), by, frozenset())
    return {name: counts.get("pss") for name, counts in sums.items()}


def _by(
    snapshot: Snapshot, made: tally.Tally, by: Grouping, unsplit: abc.Set[tuple[str, str]]
) -> abc.Mapping[str, tally.Sums]:
    """Return the sums of a process by group; of totals without mappings nothing can be split."""
    if snapshot.totals_only:
        return {NOT_SPLIT: dict(snapshot.totals)}
    return made.by(tally.Grouping(by), unsplit)


def shared_objects(snapshots: SnapshotSet) -> list[ObjectRow]:
    """Return what stands behind objects that two processes or more map, the largest first."""
    found: dict[tuple[str | None, str | None, str], list[tuple[int, Snapshot, Mapping]]] = {}
    for number, member in enumerate(snapshots.members):
        for mapping in member.mappings:
            if mapping.kind in _SHARED and mapping.path is not None:
                key = (mapping.device, mapping.inode, mapping.path)
                found.setdefault(key, []).append((number, member, mapping))
    rows = [
        ObjectRow(
            path, some[0][2].kind, len({number for number, _, _ in some}), _largest(some), _behind(some)
        )
        for (_, _, path), some in found.items()
    ]
    return sorted((row for row in rows if row.processes > 1), key=lambda row: -(row.shared or 0))


def _behind(mapped: abc.Sequence[tuple[int, Snapshot, Mapping]]) -> Held:
    return _sum(_held(member.sums((mapping,))) for _, member, mapping in mapped)


def _held(counts: abc.Mapping[str, int | None]) -> Held:
    return Held(counts.get("pss"), figure(counts, "resident"), figure(counts, PRIVATE), counts.get("swap"))


def _largest(mapped: abc.Sequence[tuple[int, Snapshot, Mapping]]) -> int | None:
    """Return how much of the object the process that maps most of it maps."""
    sizes: dict[int, int] = {}
    for number, _, mapping in mapped:
        if mapping.size is None:
            return None
        sizes[number] = sizes.get(number, 0) + mapping.size
    return max(sizes.values(), default=None)


def _sum(held: abc.Iterable[Held]) -> Held:
    every = list(held)
    if not every:
        return NOTHING_HELD
    return Held(*(add(column) for column in zip(*every, strict=True)))


def _weight(member: Member) -> tuple[int, int]:
    return member.held.pss or member.held.rss or 0, -(member.pid or 0)
