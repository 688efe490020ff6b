"""Knowing more is not a change: what one side knows of memory that both have, both have.

Within one address space an owner can be found at one moment and not at the other: a thread's stack is known
while the thread waits, an arena by a record that was being written. The memory is the same by address, also
where the kernel merged or split neighbours in between. So memory without owner that lies within an owner's on
the other side is that owner's, with the counters that were counted of it here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from vmdiff.model import MIXED, AddressIndex, Kind, Mapping, Owner, Part, PlacedMapping, Snapshot

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
    return _labelled(before, after, "as after"), _labelled(after, before, "as before")


def _labelled(snapshot: Snapshot, other: Snapshot, seen: str) -> Snapshot:
    """Return the snapshot with owners that only the other knows."""
    wanted = list(_wanted(snapshot, other))
    if not wanted:
        return snapshot
    labels = _Labels(snapshot, other, seen)
    found = {index: labels.put_on(mapping) for index, mapping in wanted}
    mappings = tuple(found.get(index, mapping) for index, mapping in enumerate(snapshot.mappings))
    return snapshot if mappings == snapshot.mappings else snapshot.model_copy(update={"mappings": mappings})


def _wanted(snapshot: Snapshot, other: Snapshot) -> Iterator[tuple[int, PlacedMapping]]:
    """Yield the mappings, with their index, of which the other side may know more."""
    known = {(m.start, m.end, m.owner is None) for m in other.placed if m.owner is None or not m.owner.parts}
    for index, mapping in enumerate(snapshot.mappings):
        if not isinstance(mapping, PlacedMapping):
            continue
        if mapping.owner is None:  # where the other has no owner either there is nothing to learn
            if (mapping.start, mapping.end, True) not in known:
                yield index, mapping
        elif mapping.owner.parts:
            yield index, mapping


class _Labels:
    """The owners that one side knows, to be put on the mappings of the other."""

    def __init__(self, snapshot: Snapshot, other: Snapshot, seen: str) -> None:
        self._seen = seen
        self._labels = AddressIndex(_labels(other))
        self._threads = {thread.tid for thread in snapshot.process.threads or ()}
        self._knows_threads = snapshot.process.threads is not None
        self._shared = {
            (*m.range, m.kind, m.path): m.owner for m in other.placed if m.owner and m.owner.parts
        }

    def put_on(self, mapping: PlacedMapping) -> Mapping:
        """Return a mapping with the owners of what of it has none."""
        owner = mapping.owner
        if owner is None:
            whole = self._of(mapping, mapping.start, mapping.end) or self._several(mapping)
            return mapping if whole is None else mapping.owned_by(whole)
        parts, rest = list(owner.parts), []
        for gap in owner.rest:
            label = self._of(mapping, gap.start, gap.end)
            if label is None or label.certainty is None or label.basis is None:
                rest.append(gap)
            else:
                told = (label.name, label.certainty, label.basis, label.evidence, label.label, label.tid)
                parts.append(Part(gap.start, gap.end, *told, gap.rss, gap.swap, gap.private))
        if len(rest) == len(owner.rest):
            return mapping
        ordered = tuple(sorted(parts, key=lambda part: part.start))
        return mapping.owned_by(replace(owner, parts=ordered, rest=tuple(rest)))

    def _several(self, mapping: PlacedMapping) -> Owner | None:
        """Return the owners that share this very mapping on the other side, if all are there still."""
        owner = self._shared.get((*mapping.range, mapping.kind, mapping.path))
        if owner is None or not all(self._is_there(part.tid) for part in owner.parts):
            return None
        seen = (replace(part, evidence=f"{self._seen}: {part.evidence}") for part in owner.parts)
        # What was counted is of the other side.
        return Owner(MIXED, parts=tuple(replace(part, rss=None, swap=None, private=None) for part in seen))

    def _is_there(self, tid: int | None) -> bool:
        return tid is None or not self._knows_threads or tid in self._threads

    def _of(self, mapping: PlacedMapping, start: int, end: int) -> Owner | None:
        """Return whose the memory is on the other side, if all of it is one owner's.

        A thread's memory is its own only while there is that thread. A stack has all of its addresses
        from the start: what lies where a part of it lies is something else, from before or after it.
        """
        label = self._labels.at(start)
        if label is None or label.end < end or label.ground != _ground(mapping):
            return None
        if label.owner.name == _STACK and (label.start, label.end) != (start, end):
            return None
        if not self._is_there(label.owner.tid):
            return None
        return replace(label.owner, evidence=f"{self._seen}: {label.owner.evidence}")


def _labels(snapshot: Snapshot) -> Iterator[_Labelled]:
    """Yield what is known of owners, neighbours of one owner as one: the kernel may have merged them."""
    last: _Labelled | None = None
    for label in _each(snapshot.placed):
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
