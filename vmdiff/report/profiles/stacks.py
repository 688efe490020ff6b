"""The stacks of a profile: kind, owner, and the object or, where none is named, which one of the owner's."""

from vmdiff.comparison.tally import Key, Sums, tally
from vmdiff.model import Mapping, Owner, Snapshot
from vmdiff.report import wording


def stacks(snapshot: Snapshot) -> dict[Key, Sums]:
    """Add up the counters of a snapshot by stack; every column adds up to the snapshot's totals.

    Anonymous memory goes by its owner and label (``malloc arena 3``, ``thread stack (worker)``), for a
    leaf called ``[anonymous]`` says nothing.
    """
    return tally(snapshot, named=_leaf)


def _leaf(mapping: Mapping, owner: Owner | None) -> str:
    if mapping.path is not None:
        return mapping.path
    return f"[{mapping.kind}]" if owner is None else wording.owner_words(owner)
