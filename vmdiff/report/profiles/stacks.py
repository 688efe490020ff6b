"""The stacks of a profile: kind, owner, and the object or, where none is named, which one of the owner's."""

from vmdiff.comparison.totals import Key, Sums, tally
from vmdiff.model import Mapping, Snapshot
from vmdiff.report import wording


def stacks(snapshot: Snapshot) -> dict[Key, Sums]:
    """Add up the counters of a snapshot by stack; every column adds up to the snapshot's totals.

    Anonymous memory goes by its owner and label (``malloc arena 3``, ``thread stack (worker)``), for a
    leaf called ``[anonymous]`` says nothing.
    """
    alike: dict[Key, list[Mapping]] = {}
    for mapping in snapshot.mappings:
        if not _is_split(mapping):
            alike.setdefault(_key(mapping), []).append(mapping)
    found: dict[Key, Sums] = {key: snapshot.sums(mappings) for key, mappings in alike.items()}
    return found | tally(snapshot, only=_is_split)


def _is_split(mapping: Mapping) -> bool:
    return mapping.owner is not None and bool(mapping.owner.parts)


def _key(mapping: Mapping) -> Key:
    owner = mapping.owner
    if mapping.path is not None:
        leaf = mapping.path
    else:
        leaf = f"[{mapping.kind}]" if owner is None else wording.owner_words(owner)
    return str(mapping.kind), owner.name if owner else f"({mapping.kind})", leaf
