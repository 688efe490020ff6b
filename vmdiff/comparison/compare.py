"""What changed between two snapshots: changes with names, totals, groups.

One invariant explains this module: **the changes add up**. For every counter that both snapshots
know throughout, the deltas of all changes sum to the delta of the totals, and so does every column of
groups. Whatever is not listed as a change did not change.

A counter that one side does not know throughout is None wherever it is shown, never 0.
"""

import re
from collections import Counter, abc
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby, pairwise
from typing import Literal, NamedTuple, TypeVar

from vmdiff.comparison import process_facts
from vmdiff.comparison.matching import Region, by_address, same_space
from vmdiff.comparison.matching.by_structure import steps
from vmdiff.errors import MatchError
from vmdiff.model import FILE_FACTS, MIXED, Kind, Mapping, Owner, Snapshot

Counts = abc.Mapping[str, int | None]
Choice = abc.Callable[[Mapping], bool]
Key = tuple[str, str, str]
Sums = dict[str, int | None]
Match = Literal["auto", "address", "structure"]


class ChangeName(StrEnum):
    """What became of a region; `MIRRORS` tells what each is called seen from the other side."""

    NEW = "new"
    REMOVED = "removed"
    REPLACED = "replaced"
    REPROTECTED = "reprotected"
    GROWN = "grown"
    SHRUNK = "shrunk"
    SHIFTED = "shifted"
    MOVED = "moved"
    SPLIT = "split"
    MERGED = "merged"
    REDRAWN = "redrawn"
    RESIDENT = "resident"
    RECOUNTED = "recounted"
    RELABELLED = "relabelled"


_PAIRS = (
    (ChangeName.NEW, ChangeName.REMOVED),
    (ChangeName.GROWN, ChangeName.SHRUNK),
    (ChangeName.SPLIT, ChangeName.MERGED),
)
MIRRORS: abc.Mapping[ChangeName, ChangeName] = {
    **{name: name for name in ChangeName},
    **dict(_PAIRS),
    **{second: first for first, second in _PAIRS},
}


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Change:
    """One region that differs, with its name and its deltas in bytes (None: unknown on a side).

    *moved_end* says which end a grown or shrunk mapping moved: ``start``, ``end`` or ``both``.
    *crowd* numbers the changes that are alike and may be shown as one row.
    """

    change: ChangeName
    before: tuple[Mapping, ...]
    after: tuple[Mapping, ...]
    delta: Counts
    because: str | None = None
    moved_end: Literal["start", "end", "both"] | None = None
    crowd: int | None = None

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The mappings of both sides."""
        return self.before + self.after

    @property
    def kind(self) -> Kind | None:
        """The kind that all its mappings share, else None."""
        return _common([mapping.kind for mapping in self.mappings])

    @property
    def path(self) -> str | None:
        """The path that all its mappings share, else None."""
        return _common([mapping.path for mapping in self.mappings])

    @property
    def owner(self) -> Owner | None:
        """The owner that all its mappings share by name; where they differ in more, the latest."""
        owners = [mapping.owner for mapping in self.mappings]
        names = [owner and owner.name for owner in owners]
        return owners[-1] if _common(names) is not None else None


def _common(values: list[_Value]) -> _Value | None:
    """Give the value that all are, else None."""
    return values[0] if values.count(values[0]) == len(values) else None


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


CROWD = 4  # so many changes that are alike are a crowd
GROUPINGS = ("kind", "owner", "object")


@dataclass(frozen=True)
class Comparison:
    """Two snapshots and what changed between them.

    *match* is how the mappings were paired, *reason* the sentence that says why. *same* are the
    regions in which nothing changed.
    """

    before: Snapshot
    after: Snapshot
    match: Literal["address", "structure"]
    reason: str
    changes: tuple[Change, ...]
    same: tuple[Region, ...]

    @property
    def unchanged(self) -> int:
        """The number of regions in which nothing changed."""
        return len(self.same)

    @property
    def differs(self) -> bool:
        """Whether anything changed; PSS that moves because a neighbour process started is no difference."""
        return any(change.change is not ChangeName.RECOUNTED for change in self.changes)

    @cached_property
    def totals(self) -> abc.Mapping[str, Total]:
        """Every counter that either side knows."""
        return _totals(self.before, self.after)

    @cached_property
    def groups(self) -> abc.Mapping[str, tuple[Group, ...]]:
        """The totals cut up by kind, by owner and by object; every column adds up to the total."""
        return {by: self.grouped(by) for by in GROUPINGS}

    def grouped(self, by: str, *, only: Choice | None = None) -> tuple[Group, ...]:
        """Give the groups of one of `GROUPINGS`; each is made when it is first asked for.

        *only* chooses the mappings that are counted.
        """
        if only is not None:
            tallies = tally(self.before, only=only), tally(self.after, only=only)
            return _groups(self.totals, tallies, GROUPINGS.index(by))
        if by not in self._grouped:
            self._grouped[by] = _groups(self.totals, self._tallies, GROUPINGS.index(by))
        return self._grouped[by]

    @cached_property
    def _grouped(self) -> dict[str, tuple[Group, ...]]:
        return {}

    @cached_property
    def _tallies(self) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
        return tally(self.before), tally(self.after)

    @cached_property
    def process(self) -> tuple[process_facts.FactChange, ...]:
        """What differs besides the mappings."""
        return process_facts.differences(self.before, self.after)


def compare(before: Snapshot, after: Snapshot, *, match: Match = "auto") -> Comparison:
    """Say what changed from *before* to *after*.

    Raises:
        MatchError: the two cannot be matched in the way that was asked for.
    """
    chosen, reason = _choose(before, after, match)
    by_address = chosen == "address"
    namer = (_Namer if by_address else _StructureNamer)(before, after)
    changes, same = [], []
    for region in _regions(before, after, chosen):
        if by_address and region.before == region.after:  # by far the most
            same.append(region)
            continue
        name, end = namer.name(region)
        if name is None:
            same.append(region)
        else:
            delta = namer.delta(region)
            changes.append(Change(name, region.before, region.after, delta, region.because, end))
    if by_address:
        changes = _join_moved(changes)
    return Comparison(before, after, chosen, reason, tuple(_crowded(changes)), tuple(same))


def _regions(before: Snapshot, after: Snapshot, match: Literal["address", "structure"]) -> list[Region]:
    if match == "structure":
        return steps.pair(before, after)
    return by_address.regions(before.mappings, after.mappings)


def _totals(before: Snapshot, after: Snapshot) -> dict[str, Total]:
    names = dict.fromkeys((*before.totals, *after.totals))
    return {name: Total(before.totals.get(name), after.totals.get(name)) for name in names}


def _choose(before: Snapshot, after: Snapshot, match: Match) -> tuple[Literal["address", "structure"], str]:
    """Decide how to match, and say in a sentence why."""
    if match == "auto":
        return same_space.recognise(before, after)
    if match == "address" and (obstacle := same_space.obstacle_to_addresses(before, after)):
        raise MatchError(f"cannot match by address: {obstacle}; use --match structure")
    return match, "as asked for"


class _Namer:
    """Names regions by the table of ``docs/format.md``, looking only at what both sides know."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._before, self._after = before, after
        totals = _totals(before, after)
        # Every delta starts from these zeros; what one side does not know throughout stays None.
        self._zeros = {name: None if total.delta is None else 0 for name, total in totals.items()}
        self._known = {name for name, zero in self._zeros.items() if zero == 0}
        ours, theirs = before.origin, after.origin
        self._counters = frozenset(ours.counters) & frozenset(theirs.counters)
        self._attributes = frozenset(ours.attributes) & frozenset(theirs.attributes)
        self._owners = ours.owners == theirs.owners
        self._same_source = ours.source == theirs.source
        # Equal blocks of counters are mostly one object: what two of them differ in is found out once.
        self._changed: dict[tuple[int, int], set[str]] = {}
        self._deltas: dict[tuple[int, int], dict[str, int | None]] = {}

    def delta(self, region: Region) -> Counts:
        """Give what the region adds to the delta of each total."""
        before, after = region.before, region.after
        if len(before) > 1 or len(after) > 1:
            return self._sum(before, after)
        key = _block(before), _block(after)
        inside = self._deltas.get(key)
        if inside is None:
            inside = self._deltas[key] = self._sum_inside(before, after)
        if before and after and before[0][:3] == after[0][:3]:  # bounds and permissions
            return inside
        return {**inside, **self._sum_sizes(before, after)}

    def _sum(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> dict[str, int | None]:
        return {**self._sum_inside(before, after), **self._sum_sizes(before, after)}

    def _sum_inside(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> dict[str, int | None]:
        """Add up the counters; sizes, which follow from bounds and permissions, stay 0 or unknown."""
        delta: dict[str, int | None] = dict(self._zeros)
        for sign, mappings in ((1, after), (-1, before)):
            for mapping in mappings:
                for name, value in mapping.values.items():
                    if name in self._known and name != "size":
                        delta[name] += sign * value  # type: ignore[operator]
        return delta

    def _sum_sizes(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> dict[str, int | None]:
        sizes: dict[str, int | None] = {"size": None, "accessible": None}
        if "size" in self._known:
            sizes["size"] = sum([m.size or 0 for m in after]) - sum([m.size or 0 for m in before])
        if "accessible" in self._known:
            sizes["accessible"] = _accessible(after) - _accessible(before)
        return sizes

    def name(self, region: Region) -> tuple[ChangeName | None, Literal["start", "end", "both"] | None]:
        """Give the name of what happened, None if nothing did, and the end that moved."""
        before, after = region.before, region.after
        if not before:
            return ChangeName.NEW, None
        if not after:
            return ChangeName.REMOVED, None
        if len(before) == len(after) == 1:
            return self._pair(before[0], after[0])
        return self._group(before, after), None

    def _group(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> ChangeName | None:
        if growth := _commitment(before, after):
            return ChangeName.GROWN if growth > 0 else ChangeName.SHRUNK
        if len(before) == 1:
            return ChangeName.SPLIT
        return ChangeName.MERGED if len(after) == 1 else ChangeName.REDRAWN

    def _pair(
        self, old: Mapping, new: Mapping
    ) -> tuple[ChangeName | None, Literal["start", "end", "both"] | None]:
        if old == new:
            return None, None
        if not _same_backing(old, new) or (self._owners and _other_owner(old, new)):
            return ChangeName.REPLACED, None
        if _differ_where_told(old.perms, new.perms):
            return ChangeName.REPROTECTED, None
        if (old.start, old.end) != (new.start, new.end):
            return _bounds(old, new)
        return self._contents(old, new), None

    def _contents(self, old: Mapping, new: Mapping) -> ChangeName | None:
        """Name what differs between two mappings that stand on the same ground."""
        blocks = id(old.values), id(new.values)
        changed = self._changed.get(blocks)
        if changed is None:
            keys = {*old.values, *new.values}
            changed = self._changed[blocks] = {key for key in keys if self._differs(key, old, new)}
        if changed & {"rss", "swap"}:
            return ChangeName.RESIDENT
        if changed & self._counters or changed & FILE_FACTS:
            return ChangeName.RECOUNTED
        if changed or self._labels_differ(old, new):
            return ChangeName.RELABELLED
        return None

    def _differs(self, key: str, old: Mapping, new: Mapping) -> bool:
        if key in self._counters:
            return self._before.value(old, key) != self._after.value(new, key)
        if key in self._attributes:
            return self._before.attribute(old, key) != self._after.attribute(new, key)
        return False

    def _labels_differ(self, old: Mapping, new: Mapping) -> bool:
        if None not in (old.flags, new.flags) and old.flags != new.flags:
            return True
        if _tells_its_name(old) != _tells_its_name(new):
            return False
        before, after = self._name_of(old), self._name_of(new)
        if not _same_path(before, after) or old.deleted != new.deleted:
            return True
        kind = before == after and old.kind != new.kind  # a base name does not tell the kind
        return kind or (self._owners and self._owners_differ(old.owner, new.owner))

    def _name_of(self, mapping: Mapping) -> str | None:
        return mapping.path

    def _owners_differ(self, old: Owner | None, new: Owner | None) -> bool:
        """Compare what is said of owners; one kind of listing may not tell what another infers it from."""
        if self._same_source:
            return self._said_of(old) != self._said_of(new)
        return None not in (old, new) and _whose(old) != _whose(new)

    def _said_of(self, owner: Owner | None) -> object:
        return _said(owner)


def _block(side: tuple[Mapping, ...]) -> int:
    return id(side[0].values) if side else 0


def _tells_its_name(mapping: Mapping) -> bool:
    """Say whether the listing told that there is no name: pmap says ``[ anon ]`` of heap and vdso too."""
    return mapping.path is not None or mapping.inode is not None


class _StructureNamer(_Namer):
    """Names what two different runs have in common, where addresses, inodes and numbers mean nothing."""

    def name(self, region: Region) -> tuple[ChangeName | None, Literal["start", "end", "both"] | None]:
        if region.replaced:
            return ChangeName.REPLACED, None
        return super().name(region)

    def _pair(
        self, old: Mapping, new: Mapping
    ) -> tuple[ChangeName | None, Literal["start", "end", "both"] | None]:
        if _differ_where_told(old.perms, new.perms):
            return ChangeName.REPROTECTED, None
        if None not in (old.size, new.size) and old.size != new.size:
            return _bounds(old, new)[0], None
        return self._contents(old, new), None

    def _group(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> ChangeName | None:
        """Name a crowd of equal blocks, a reservation, or memory that was merged differently."""
        growth = _size(after) - _size(before) or _accessible(after) - _accessible(before)
        if growth:
            return ChangeName.GROWN if growth > 0 else ChangeName.SHRUNK
        if len(before) != len(after) or len({mapping.size for mapping in (*before, *after)}) > 1:
            return super()._group(before, after)
        for counters, name in (
            ({"rss", "swap"}, ChangeName.RESIDENT),
            (self._counters, ChangeName.RECOUNTED),
        ):
            if self._told(self._before, before, counters) != self._told(self._after, after, counters):
                return name
        return ChangeName.RELABELLED

    def _told(self, snapshot: Snapshot, mappings: tuple[Mapping, ...], counters: abc.Set[str]) -> list[str]:
        """Give what the mappings have in these counters, whichever of them has it."""
        compared = sorted(counters & self._counters)
        return sorted(repr([snapshot.value(mapping, name) for name in compared]) for mapping in mappings)

    def _name_of(self, mapping: Mapping) -> str | None:
        return _timeless(mapping.path)

    def _said_of(self, owner: Owner | None) -> object:
        return _whose(owner)


def _timeless(path: str | None) -> str | None:
    """Give a name of anonymous memory without numbers, such as a thread's; anything else as it is."""
    if path is None or not path.startswith(("[anon:", "[stack:")):
        return path
    return re.sub("[0-9]+", "#", path)


def _whose(owner: Owner | None) -> tuple[str | None, ...] | None:
    """Give what of an owner can be the same in two runs: neither thread ids nor evidence."""
    if owner is None:
        return None
    return owner.name, owner.label


def _size(mappings: tuple[Mapping, ...]) -> int:
    return sum(mapping.size or 0 for mapping in mappings)


def _same_backing(old: Mapping, new: Mapping) -> bool:
    """Say whether both are backed by the same object at the same place: where both speak."""
    if _differ_where_told(old.perms[3], new.perms[3]):
        return False
    if not _backed(old) and not _backed(new):
        return True
    if _backed(old) != _backed(new) or not _same_object(old, new):
        return False
    if None in (old.offset, new.offset, old.start, new.start):
        return True
    return old.offset - old.start == new.offset - new.start  # type: ignore[operator]  # none is None


def _backed(mapping: Mapping) -> bool:
    """Say whether an object is behind the mapping that another mapping could have too."""
    path = mapping.path
    if path is None:
        return mapping.inode not in {None, "0"}
    return not path.startswith("[") and mapping.kind is not Kind.ANONYMOUS


def _same_object(old: Mapping, new: Mapping) -> bool:
    """Compare inode and device where both tell them (a file may be renamed), else the path."""
    if old.inode not in {None, "0"} and new.inode not in {None, "0"}:
        return old.inode == new.inode and (None in (old.device, new.device) or old.device == new.device)
    return _same_path(old.path, new.path)


def _same_path(old: str | None, new: str | None) -> bool:
    """Compare two paths; one that is a base name only (pmap without -p) speaks of no folder."""
    if old == new or old is None or new is None:
        return old == new
    if "/" in old and "/" in new:
        return False
    return old.rpartition("/")[2] == new.rpartition("/")[2]


def _differ_where_told(old: str, new: str) -> bool:
    """Compare permission letters, ``?`` being one that a listing does not tell."""
    return old != new and any(a != b and "?" not in (a, b) for a, b in zip(old, new, strict=True))


def _other_owner(old: Mapping, new: Mapping) -> bool:
    """Say whether two anonymous mappings have owners that cannot be the same."""
    if old.kind is not Kind.ANONYMOUS or new.kind is not Kind.ANONYMOUS:
        return False
    if old.owner is None or new.owner is None:
        # A stack has all of its addresses from the start: it neither grows out of something nor into it.
        only_one = _is_stack(old) != _is_stack(new)
        return only_one and (old.start, old.end) != (new.start, new.end)
    if MIXED in (old.owner.name, new.owner.name):
        return False
    other_thread = None not in (old.owner.tid, new.owner.tid) and old.owner.tid != new.owner.tid
    return old.owner.name != new.owner.name or other_thread


def _said(owner: Owner | None) -> tuple[object, ...]:
    """Give what an owner says of the memory, without how it was seen or what of it was resident."""
    if owner is None:
        return ()
    parts = [(part.start, part.end, part.name, part.certainty, part.label, part.tid) for part in owner.parts]
    return owner.name, owner.certainty, owner.label, owner.tid, parts


def _is_stack(mapping: Mapping) -> bool:
    return mapping.owner is not None and mapping.owner.name == "thread stack"


def _bounds(old: Mapping, new: Mapping) -> tuple[ChangeName, Literal["start", "end", "both"] | None]:
    if old.size == new.size:
        return ChangeName.SHIFTED, None
    moved_start, moved_end = old.start != new.start, old.end != new.end
    end: Literal["start", "end", "both"] = (
        "both" if moved_start and moved_end else "start" if moved_start else "end"
    )
    grown = (new.size or 0) > (old.size or 0)
    return (ChangeName.GROWN if grown else ChangeName.SHRUNK), end


def _commitment(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> int:
    """Give the accessible bytes by which one reservation is used more than before, else 0.

    An arena or a runtime's heap that commits more of its reservation keeps its outer bounds and the
    sequence of what is behind and accessible; only the borders between them move.
    """
    if before[0].start != after[0].start or before[-1].end != after[-1].end:
        return 0
    if not _same_sequence(before, after):
        return 0
    return _accessible(after) - _accessible(before)


def _same_sequence(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> bool:
    was, is_ = _sequence(before), _sequence(after)
    if was == is_:
        return True
    folded = _folded(was)
    return folded is not None and folded == _folded(is_) and _gapless(before) and _gapless(after)


def _sequence(mappings: tuple[Mapping, ...]) -> list[tuple[object, ...]]:
    """Give what is behind each mapping and whether it is accessible."""
    return [(*_backing(mapping), mapping.perms.startswith("---")) for mapping in mappings]


def _folded(sequence: list[tuple[object, ...]]) -> list[tuple[object, ...]] | None:
    """Fold runs of the same, which only a flag tells apart; one run alone is no reservation."""
    steps = [step for step, _ in groupby(sequence)]
    return steps if len(steps) > 1 else None


def _gapless(mappings: tuple[Mapping, ...]) -> bool:
    return all(below.end == above.start for below, above in pairwise(mappings))


def _backing(mapping: Mapping) -> tuple[object, ...]:
    if not _backed(mapping):
        return (mapping.perms[3],)
    shift = None if mapping.offset is None or mapping.start is None else mapping.offset - mapping.start
    return (mapping.perms[3], mapping.device, mapping.inode, mapping.path, shift)


def _accessible(mappings: tuple[Mapping, ...]) -> int:
    return sum(mapping.accessible or 0 for mapping in mappings)


def _join_moved(changes: list[Change]) -> list[Change]:
    """Join what is gone here and new there when it is provably the same: the only one of its kind."""
    gone = _only_ones(change for change in changes if change.change is ChangeName.REMOVED)
    come = _only_ones(change for change in changes if change.change is ChangeName.NEW)
    joined = {id(gone[key]): come[key] for key in gone.keys() & come.keys()}
    if not joined:
        return changes
    arrived = {id(change) for change in joined.values()}
    return [
        _moved(change, joined[id(change)]) if id(change) in joined else change
        for change in changes
        if id(change) not in arrived
    ]


def _moved(gone: Change, come: Change) -> Change:
    delta = {name: _add(gone.delta[name], come.delta[name]) for name in gone.delta}
    return replace(gone, change=ChangeName.MOVED, after=come.after, delta=delta)


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _only_ones(changes: abc.Iterable[Change]) -> dict[tuple[object, ...], Change]:
    """Give the changes whose mapping can be told from all others, by what tells it."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        for key in _identities(change.mappings[0]):
            found.setdefault(key, []).append(change)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _identities(mapping: Mapping) -> abc.Iterator[tuple[object, ...]]:
    """Yield what would be the same after a move: the stretch of a file, or a record's owner."""
    if _backed(mapping):
        yield (mapping.device, mapping.inode, mapping.path, mapping.offset, mapping.size)
        return
    owner = mapping.owner
    if owner and owner.certainty == "certain" and owner.basis == "record" and (owner.label or owner.tid):
        yield (owner.name, owner.label, owner.tid, owner.evidence)


def _crowded(changes: list[Change]) -> abc.Iterator[Change]:
    """Number the crowds: many changes that are alike in all but their place and their exact numbers."""
    looks = [_look(change) for change in changes]
    counts = Counter(look for look in looks if look is not None)
    crowds = [look for look, count in counts.items() if count >= CROWD]
    numbers = {look: number for number, look in enumerate(crowds)}
    for change, look in zip(changes, looks, strict=True):
        yield _numbered(change, numbers[look]) if look in numbers else change


def _numbered(change: Change, crowd: int) -> Change:
    """Give the change with its crowd; `dataclasses.replace` takes three times as long."""
    name, before, after, delta = change.change, change.before, change.after, change.delta
    return Change(name, before, after, delta, change.because, change.moved_end, crowd)


def _look(change: Change) -> abc.Hashable:
    """Give what the changes of a crowd share; None for what stands on its own."""
    before, after = change.before, change.after
    if len(before) > 1 or len(after) > 1:
        return None
    return change.change, before and _guise(before[0]), after and _guise(after[0])


def _guise(mapping: Mapping) -> abc.Hashable:
    """Give what a mapping looks like from afar: its size only as a power of two."""
    owner = mapping.owner and mapping.owner.name
    return mapping.kind, mapping.perms, _timeless(mapping.path), owner, (mapping.size or 0).bit_length()


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
    into[key] = share if held is None else {name: _add(held.get(name, 0), share[name]) for name in share}


def _shares(mapping: Mapping, owner: Owner, values: Sums) -> abc.Iterator[tuple[str, Sums]]:
    """Split a mapping's counters among its owners; what cannot be split is ``mixed``."""
    rest = dict(values)
    for part in owner.parts:
        length = part.end - part.start
        exact = {"size": length, "accessible": length if mapping.accessible else 0}
        exact |= {name: value for name in ("rss", "swap") if (value := getattr(part, name)) is not None}
        for name, value in exact.items():
            rest[name] = _add(rest.get(name), -value)
        yield part.name, {name: exact.get(name, 0) for name in values}
    yield owner.name, rest


def _groups(
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
