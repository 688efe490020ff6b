"""Crowds: many changes that are alike, which a reader wants as one row."""

from collections import Counter, abc

from vmdiff.comparison.change import Change
from vmdiff.comparison.naming import timeless
from vmdiff.model import Mapping

SMALLEST_CROWD = 4  # so many changes that are alike are a crowd


def number_crowds(changes: list[Change]) -> abc.Iterator[Change]:
    """Number the crowds: many changes that are alike in all but their place and their exact numbers."""
    looks = [_look(change) for change in changes]
    counts = Counter(look for look in looks if look is not None)
    crowds = [look for look, count in counts.items() if count >= SMALLEST_CROWD]
    numbers = {look: number for number, look in enumerate(crowds)}
    for change, look in zip(changes, looks, strict=True):
        yield _numbered(change, numbers[look]) if look in numbers else change


def _numbered(change: Change, crowd: int) -> Change:
    """Return the change with its crowd; `dataclasses.replace` takes three times as long."""
    name, before, after, delta = change.change, change.before, change.after, change.delta
    return Change(name, before, after, delta, change.because, change.moved_end, crowd)


def _look(change: Change) -> abc.Hashable:
    """Return what the changes of a crowd share; None for what stands on its own."""
    before, after = change.before, change.after
    if len(before) > 1 or len(after) > 1:
        return None
    return change.change, before and _guise(before[0]), after and _guise(after[0])


def _guise(mapping: Mapping) -> abc.Hashable:
    """Return what a mapping looks like from afar: its size only as a power of two."""
    owner = mapping.owner and mapping.owner.name
    return mapping.kind, mapping.perms, timeless(mapping.path), owner, (mapping.size or 0).bit_length()
