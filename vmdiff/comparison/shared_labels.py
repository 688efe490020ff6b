"""Knowing more is not a change: what one side knows of memory that both have, both have.

Within one address space an owner can be found at one moment and not at the other: a thread's stack is known
while the thread waits, an arena by a record that was being written. The memory is the same by address, also
where the kernel merged or split neighbours in between. So memory without owner that lies within an owner's on
the other side is that owner's, with the counters that were counted of it here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import compress, repeat
from operator import attrgetter, is_
from typing import NamedTuple

from vmdiff.model import MIXED, Kind, Mapping, Owner, Part, PlacedMapping, Snapshot, bounds

_STACK = "thread stack"


class _Labelled(NamedTuple):
    """Memory whose owner one side knows."""

    start: int
    end: int
    ground: tuple[Kind, str | None]
    owner: Owner


def _ground(mapping: Mapping) -> tuple[Kind, str | None]:
    """Return what memory must have in common to be the same; a reservation is made usable piece by piece."""
    return Kind.ANONYMOUS if mapping.kind is Kind.RESERVED else mapping.kind, mapping.path


def share_labels(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Return both sides with the owners that either knows of memory that both have.

    Only where owners were looked for on both sides: else one side's are unknown, not absent.
    """
    if not (before.origin.owners and after.origin.owners):
        return before, after
    same = _unowned(before) == _unowned(
        after
    )  # as between most snapshots: nothing to learn of whole mappings
    return _labelled(before, after, "as after", same=same), _labelled(after, before, "as before", same=same)


def _unowned(snapshot: Snapshot) -> list[tuple[int | None, int | None]]:
    owners = map(attrgetter("owner"), snapshot.mappings)
    return bounds(compress(snapshot.mappings, map(is_, owners, repeat(None))))


def _labelled(snapshot: Snapshot, other: Snapshot, seen: str, *, same: bool) -> Snapshot:
    """Return the snapshot with owners that only the other knows."""
    wanted = [index for index, m in enumerate(snapshot.mappings) if m.owner is not None and m.owner.rest]
    if not same:
        known = set(_unowned(other))  # where the other has no owner either there is nothing to learn
        wanted += [
            i for i, m in enumerate(snapshot.mappings) if m.owner is None and (m.start, m.end) not in known
        ]
    if not wanted:
        return snapshot
    labels = _Labels(snapshot, other, seen)
    mappings = list(snapshot.mappings)
    for index in wanted:
        mappings[index] = labels.put_on(mappings[index])
    found = tuple(mappings)
    return snapshot if found == snapshot.mappings else snapshot.model_copy(update={"mappings": found})


class _Labels:
    """The owners that one side knows, to be put on the mappings of the other."""

    def __init__(self, snapshot: Snapshot, other: Snapshot, seen: str) -> None:
        self._seen = seen
        self._other = other
        self._threads = {thread.tid for thread in snapshot.process.threads or ()}
        self._knows_threads = snapshot.process.threads is not None

    def put_on(self, mapping: Mapping) -> Mapping:
        """Return a mapping with the owners of what of it has none."""
        owner = mapping.owner
        if not isinstance(mapping, PlacedMapping):
            return mapping
        if owner is None:
            whole = self._of(mapping, mapping.start, mapping.end) or self._several(mapping)
            whole = whole or self._overlapping(mapping)
            return mapping if whole is None else mapping.owned_by(whole)
        parts, rest = list(owner.parts), []
        for gap in owner.rest:
            label = self._of(mapping, gap.start, gap.end)
            if label is None or label.certainty is None or label.basis is None:
                rest.append(gap)
            else:
                told = (label.name, label.certainty, label.basis, label.evidence, label.label, label.tid)
                pages = gap.zero_filled, gap.duplicate, gap.huge_zero
                parts.append(Part(gap.start, gap.end, *told, gap.rss, gap.swap, gap.private, *pages))
        if len(rest) == len(owner.rest):
            return mapping
        ordered = tuple(sorted(parts, key=lambda part: part.start))
        return mapping.owned_by(replace(owner, parts=ordered, rest=tuple(rest)))

    def _several(self, mapping: PlacedMapping) -> Owner | None:
        """Return the owners that share this very mapping on the other side, if all are there still."""
        there = self._other.by_address.at(mapping.start)
        if there is None or (there.range, _ground(there)) != (mapping.range, _ground(mapping)):
            return None
        owner = there.owner
        if owner is None or not owner.parts or not all(self._is_there(part.tid) for part in owner.parts):
            return None
        seen = (replace(part, evidence=f"{self._seen}: {part.evidence}") for part in owner.parts)
        # What was counted is of the other side.
        return Owner(MIXED, parts=tuple(replace(part, rss=None, swap=None, private=None) for part in seen))

    def _overlapping(self, mapping: PlacedMapping) -> Owner | None:
        """Return the owners of what lies in a mapping that the other side has cut otherwise.

        Only if the other side has all of its memory: where some is new, all may be, in the place of a block
        that was freed.
        """
        start, end = mapping.range
        there = self._other.by_address.within(start, end)
        if any(_ground(one) != _ground(mapping) for one in there):
            return None
        if sum(min(one.end, end) - max(one.start, start) for one in there) < mapping.size:
            return None
        parts = tuple(
            Part(low, high, owner.name, owner.certainty, owner.basis, evidence, owner.label, owner.tid)
            for label in _labels(there)
            for low, high, owner in ((max(label.start, start), min(label.end, end), label.owner),)
            for evidence in (f"{self._seen}: {owner.evidence}",)
            if low < high and owner.certainty is not None and owner.basis is not None
            if self._is_there(owner.tid)
            if owner.name != _STACK or (low, high) == (label.start, label.end)
        )
        return Owner(MIXED, parts=parts) if parts else None

    def _is_there(self, tid: int | None) -> bool:
        return tid is None or not self._knows_threads or tid in self._threads

    def _of(self, mapping: PlacedMapping, start: int, end: int) -> Owner | None:
        """Return whose the memory is on the other side, if all of it is one owner's.

        A thread's memory is its own only while there is that thread. A stack has all of its addresses
        from the start: what lies where a part of it lies is something else, from before or after it.
        """
        found = _labels(self._other.by_address.within(start, end))
        label = next((one for one in found if one.start <= start and end <= one.end), None)
        if label is None or label.ground != _ground(mapping):
            return None
        if label.owner.name == _STACK and (label.start, label.end) != (start, end):
            return None
        if not self._is_there(label.owner.tid):
            return None
        return replace(label.owner, evidence=f"{self._seen}: {label.owner.evidence}")


def _labels(mappings: Iterable[PlacedMapping]) -> Iterator[_Labelled]:
    """Yield what is known of owners, neighbours of one owner as one: the kernel may have merged them."""
    last: _Labelled | None = None
    for label in _each(mappings):
        if last is not None and last.end == label.start and _same(last, label):
            last = last._replace(end=label.end)
            continue
        if last is not None:
            yield last
        last = label
    if last is not None:
        yield last


def _same(one: _Labelled, other: _Labelled) -> bool:
    owners = ((label.owner.name, label.owner.label, label.owner.tid) for label in (one, other))
    return one.ground == other.ground and len(set(owners)) == 1


def _each(mappings: Iterable[PlacedMapping]) -> Iterator[_Labelled]:
    for mapping in mappings:
        owner = mapping.owner
        if owner is None:
            continue
        if owner.name != MIXED:
            yield _Labelled(*mapping.range, _ground(mapping), owner)
        for part in owner.parts:
            yield _Labelled(*part.range, _ground(mapping), part.owner)
