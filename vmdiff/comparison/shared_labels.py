"""Knowing more is not a change: what one side knows of memory that both have, both have.

Within one address space an owner can be found at one moment and not at the other: a thread's stack is known
while the thread waits, an arena by a record that was being written. The memory is the same by address.
"""

from dataclasses import replace

from vmdiff.model import Mapping, Owner, PlacedMapping, Snapshot

_Place = tuple[int, int, str, str | None, str | None]


def share_labels(before: Snapshot, after: Snapshot) -> tuple[Snapshot, Snapshot]:
    """Return both sides with the owners that either knows of mappings that both have.

    Only where owners were looked for on both sides: else one side's are unknown, not absent.
    """
    if not (before.origin.owners and after.origin.owners):
        return before, after
    sides = _unlabelled(before), _unlabelled(after)
    if not any(sides):
        return before, after
    return _labelled(before, sides[0], after, "as after"), _labelled(after, sides[1], before, "as before")


def _unlabelled(snapshot: Snapshot) -> dict[_Place, int]:
    """Return where the mappings lie of which no owner is known, with their index."""
    return {
        _place(mapping): index
        for index, mapping in enumerate(snapshot.mappings)
        if mapping.owner is None and isinstance(mapping, PlacedMapping)
    }


def _place(mapping: PlacedMapping) -> _Place:
    return mapping.start, mapping.end, mapping.perms, mapping.path, mapping.inode


def _labelled(snapshot: Snapshot, wanted: dict[_Place, int], other: Snapshot, seen: str) -> Snapshot:
    found: dict[int, Mapping] = {}
    for mapping in other.mappings:
        if mapping.owner is None or not isinstance(mapping, PlacedMapping):
            continue
        index = wanted.get(_place(mapping))
        if index is not None:
            found[index] = snapshot.mappings[index].owned_by(_as_there(mapping.owner, seen))
    if not found:
        return snapshot
    mappings = tuple(found.get(index, mapping) for index, mapping in enumerate(snapshot.mappings))
    return snapshot.model_copy(update={"mappings": mappings})


def _as_there(owner: Owner, seen: str) -> Owner:
    """Return an owner as the other side knows it; what was counted of its parts is of that side only."""
    parts = tuple(replace(part, rss=None, swap=None, private=None) for part in owner.parts)
    return replace(owner, evidence=f"{seen}: {owner.evidence}", parts=parts, rest=())
