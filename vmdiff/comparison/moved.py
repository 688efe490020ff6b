"""Join what is gone here and new there where it is provably the same memory."""

from collections import abc
from dataclasses import replace

from vmdiff.comparison.backing import backed
from vmdiff.comparison.change import Change, ChangeName
from vmdiff.model import Mapping, add


def join_moved(changes: list[Change]) -> list[Change]:
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
    delta = {name: add((gone.delta[name], come.delta[name])) for name in gone.delta}
    return replace(gone, change=ChangeName.MOVED, after=come.after, delta=delta)


def _only_ones(changes: abc.Iterable[Change]) -> dict[tuple[object, ...], Change]:
    """Return the changes whose mapping can be told from all others, by what tells it."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for change in changes:
        for key in _identities(change.mappings[0]):
            found.setdefault(key, []).append(change)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _identities(mapping: Mapping) -> abc.Iterator[tuple[object, ...]]:
    """Yield what would be the same after a move: the stretch of a file, or a record's owner."""
    if backed(mapping):
        yield (mapping.device, mapping.inode, mapping.path, mapping.offset, mapping.size)
        return
    owner = mapping.owner
    if owner and owner.certainty == "certain" and owner.basis == "record" and (owner.label or owner.tid):
        yield (owner.name, owner.label, owner.tid, owner.evidence)
