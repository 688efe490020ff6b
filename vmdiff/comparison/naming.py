"""Name what happened to a region, by the table of ``docs/format.md``."""

import re
from collections import abc

from vmdiff.comparison.backing import differ_where_told, same_backing, same_sequence
from vmdiff.comparison.change import ChangeName, Counts, MovedEnd
from vmdiff.comparison.matching import Region
from vmdiff.comparison.totals import all_totals
from vmdiff.model import FILE_FACTS, MIXED, Kind, Mapping, Owner, Part, Snapshot, same_path

# What is held of memory: pages in RAM, those of hugetlbfs (which rss leaves out), and in swap.
HELD = frozenset({"rss", "private_hugetlb", "shared_hugetlb", "swap"})


class Namer:
    """Names regions by the table of ``docs/format.md``, looking only at what both sides know."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._before, self._after = before, after
        totals = all_totals(before, after)
        # Every delta starts from these zeros; what one side does not know throughout stays None.
        self._zeros = {name: None if total.delta is None else 0 for name, total in totals.items()}
        self._known = {name for name, zero in self._zeros.items() if zero == 0}
        origin_before, origin_after = before.origin, after.origin
        self._counters = frozenset(origin_before.counters) & frozenset(origin_after.counters)
        self._attributes = frozenset(origin_before.attributes) & frozenset(origin_after.attributes)
        self._owners = origin_before.owners == origin_after.owners
        self._same_source = origin_before.source == origin_after.source
        # Equal blocks of counters are mostly one object: what two of them differ in is found out once.
        self._changed: dict[tuple[int, int], set[str]] = {}
        self._deltas: dict[tuple[int, int], dict[str, int | None]] = {}

    def delta(self, region: Region) -> Counts:
        """Return what the region adds to the delta of each total."""
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

    def name(self, region: Region) -> tuple[ChangeName | None, MovedEnd | None]:
        """Return the name of what happened, None if nothing did, and the end that moved."""
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

    def _pair(self, before: Mapping, after: Mapping) -> tuple[ChangeName | None, MovedEnd | None]:
        if before == after:
            return None, None
        if not same_backing(before, after) or (self._owners and _other_owner(before, after)):
            return ChangeName.REPLACED, None
        if differ_where_told(before.perms, after.perms):
            return ChangeName.REPROTECTED, None
        if (before.start, before.end) != (after.start, after.end):
            return _bounds(before, after)
        return self._contents(before, after), None

    def _contents(self, before: Mapping, after: Mapping) -> ChangeName | None:
        """Name what differs between two mappings that stand on the same ground."""
        blocks = id(before.values), id(after.values)
        changed = self._changed.get(blocks)
        if changed is None:
            keys = {*before.values, *after.values}
            changed = self._changed[blocks] = {key for key in keys if self._differs(key, before, after)}
        if changed & HELD:
            return ChangeName.RESIDENT
        if changed & self._counters or changed & FILE_FACTS:
            return ChangeName.RECOUNTED
        if changed or self._labels_differ(before, after):
            return ChangeName.RELABELLED
        return None

    def _differs(self, key: str, before: Mapping, after: Mapping) -> bool:
        if key in self._counters:
            return self._before.value(before, key) != self._after.value(after, key)
        if key in self._attributes:
            return self._before.attribute(before, key) != self._after.attribute(after, key)
        return False

    def _labels_differ(self, before: Mapping, after: Mapping) -> bool:
        if None not in (before.flags, after.flags) and before.flags != after.flags:
            return True
        if _tells_its_name(before) != _tells_its_name(after):
            return False
        names = self._name_of(before), self._name_of(after)
        if not same_path(*names) or before.deleted != after.deleted:
            return True
        kind = names[0] == names[1] and before.kind != after.kind  # a base name does not tell the kind
        return kind or (self._owners and self._owners_differ(before.owner, after.owner))

    def _name_of(self, mapping: Mapping) -> str | None:
        return mapping.path

    def _owners_differ(self, before: Owner | None, after: Owner | None) -> bool:
        """Return whether the owners contradict each other; to know more of one than before is no change."""
        if before is None or after is None:
            return False
        if not self._same_source:  # one kind of listing may not tell what another infers it from
            return _whose(before) != _whose(after)
        return any(_contradict(one, other) for one, other in _claims_on_the_same(before, after))


class StructureNamer(Namer):
    """Names what two different runs have in common, where addresses, inodes and numbers mean nothing."""

    def name(self, region: Region) -> tuple[ChangeName | None, MovedEnd | None]:
        if region.replaced:
            return ChangeName.REPLACED, None
        return super().name(region)

    def _pair(self, before: Mapping, after: Mapping) -> tuple[ChangeName | None, MovedEnd | None]:
        if differ_where_told(before.perms, after.perms):
            return ChangeName.REPROTECTED, None
        if None not in (before.size, after.size) and before.size != after.size:
            return _bounds(before, after)[0], None
        return self._contents(before, after), None

    def _group(self, before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> ChangeName | None:
        """Name a crowd of equal blocks, a reservation, or memory that was merged differently."""
        growth = _size(after) - _size(before) or _accessible(after) - _accessible(before)
        if growth:
            return ChangeName.GROWN if growth > 0 else ChangeName.SHRUNK
        if len(before) != len(after) or len({mapping.size for mapping in (*before, *after)}) > 1:
            return super()._group(before, after)
        for counters, name in (
            (HELD, ChangeName.RESIDENT),
            (self._counters, ChangeName.RECOUNTED),
        ):
            if self._told(self._before, before, counters) != self._told(self._after, after, counters):
                return name
        return ChangeName.RELABELLED

    def _told(self, snapshot: Snapshot, mappings: tuple[Mapping, ...], counters: abc.Set[str]) -> list[str]:
        """Return what the mappings have in these counters, whichever of them has it."""
        compared = sorted(counters & self._counters)
        return sorted(repr([snapshot.value(mapping, name) for name in compared]) for mapping in mappings)

    def _name_of(self, mapping: Mapping) -> str | None:
        return timeless(mapping.path)

    def _owners_differ(self, before: Owner | None, after: Owner | None) -> bool:
        if self._same_source:
            return _whose(before) != _whose(after)
        return super()._owners_differ(before, after)


def _block(side: tuple[Mapping, ...]) -> int:
    return id(side[0].values) if side else 0


def _tells_its_name(mapping: Mapping) -> bool:
    """Return whether the listing told that there is no name: pmap says ``[ anon ]`` of heap and vdso too."""
    return mapping.path is not None or mapping.inode is not None


def timeless(path: str | None) -> str | None:
    """Return a name of anonymous memory without numbers, such as a thread's; anything else as it is."""
    if path is None or not path.startswith(("[anon:", "[stack:")):
        return path
    return re.sub("[0-9]+", "#", path)


def _whose(owner: Owner | None) -> tuple[str | None, ...] | None:
    """Return what of an owner can be the same in two runs: neither thread ids nor evidence."""
    if owner is None:
        return None
    return owner.name, owner.label


def _size(mappings: tuple[Mapping, ...]) -> int:
    return sum(mapping.size or 0 for mapping in mappings)


def _other_owner(before: Mapping, after: Mapping) -> bool:
    """Return whether two anonymous mappings have owners that cannot be the same."""
    if before.kind is not Kind.ANONYMOUS or after.kind is not Kind.ANONYMOUS:
        return False
    if before.owner is None or after.owner is None:
        # A stack has all of its addresses from the start: it neither grows out of something nor into it.
        only_one = _is_stack(before) != _is_stack(after)
        return only_one and (before.start, before.end) != (after.start, after.end)
    if MIXED in (before.owner.name, after.owner.name):
        return False
    other_thread = None not in (before.owner.tid, after.owner.tid) and before.owner.tid != after.owner.tid
    return before.owner.name != after.owner.name or other_thread


Claimed = Owner | Part


def _claims_on_the_same(before: Owner, after: Owner) -> abc.Iterator[tuple[Claimed, Claimed]]:
    """Yield what each side says of the same memory; an owner without parts has all of it."""
    for one in before.parts or (before,):
        for other in after.parts or (after,):
            if not (isinstance(one, Part) and isinstance(other, Part)) or _overlap(one, other):
                yield one, other


def _overlap(one: Part, other: Part) -> bool:
    return one.start < other.end and other.start < one.end


def _contradict(one: Claimed, other: Claimed) -> bool:
    """Return whether two owners cannot be the same; what only one of them tells decides nothing."""
    told = ((one.label, other.label), (one.tid, other.tid))
    return one.name != other.name or any(None not in pair and pair[0] != pair[1] for pair in told)


def _is_stack(mapping: Mapping) -> bool:
    return mapping.owner is not None and mapping.owner.name == "thread stack"


def _bounds(before: Mapping, after: Mapping) -> tuple[ChangeName, MovedEnd | None]:
    if before.size == after.size:
        return ChangeName.SHIFTED, None
    moved_start, moved_end = before.start != after.start, before.end != after.end
    end: MovedEnd = "both" if moved_start and moved_end else "start" if moved_start else "end"
    grown = (after.size or 0) > (before.size or 0)
    return (ChangeName.GROWN if grown else ChangeName.SHRUNK), end


def _commitment(before: tuple[Mapping, ...], after: tuple[Mapping, ...]) -> int:
    """Return the accessible bytes by which one reservation is used more than before, else 0.

    An arena or a runtime's heap that commits more of its reservation keeps its outer bounds and the
    sequence of what is behind and accessible; only the borders between them move.
    """
    if before[0].start != after[0].start or before[-1].end != after[-1].end:
        return 0
    if not same_sequence(before, after):
        return 0
    return _accessible(after) - _accessible(before)


def _accessible(mappings: tuple[Mapping, ...]) -> int:
    return sum(mapping.accessible or 0 for mapping in mappings)
