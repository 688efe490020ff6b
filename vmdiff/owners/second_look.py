"""A second look at memory that moved between the reading of its counters and the counting of its pages.

Owners are looked for after the counters were read, and what a program touches meanwhile makes the pages of
a mapping that several owners share not add up to its counters, so that nothing is known of its parts.
A new reading of the same layout needs no new search: its pages are counted at once. A heap that brk moved
meanwhile contradicts malloc's records: of a new reading with another layout owners are looked for again.
"""

from vmdiff.model import MIXED, Kind, Mapping, Snapshot
from vmdiff.owners.memory_port import Memory
from vmdiff.owners.part_counters import recounted

_OF_THE_LAYOUT = slice(0, Mapping._fields.index("owner"))


def unsettled(snapshot: Snapshot, memory: Memory) -> int:
    """Count what a second look may settle: mappings whose pages did not add up, and heaps without owner."""
    lacking = (mapping for mapping in snapshot.placed if _lacks_counts(snapshot, mapping))
    uncounted = sum(memory.residency((mapping.start, mapping.end)) is not None for mapping in lacking)
    return uncounted + sum(_is_heap_without_owner(mapping) for mapping in snapshot.placed)


def _is_heap_without_owner(mapping: Mapping) -> bool:
    return mapping.kind is Kind.HEAP and mapping.owner is None and bool(mapping.values.get("rss"))


def _lacks_counts(snapshot: Snapshot, mapping: Mapping) -> bool:
    if mapping.owner is None or mapping.owner.name != MIXED or snapshot.value(mapping, "rss") is None:
        return False
    return any(part.rss is None for part in mapping.owner.parts)


def same_layout(before: Snapshot, after: Snapshot) -> bool:
    """Return whether the mappings of two readings of a process are the same but for their counters."""
    if len(before.mappings) != len(after.mappings):
        return False
    pairs = zip(before.mappings, after.mappings, strict=True)
    return all(was[_OF_THE_LAYOUT] == now[_OF_THE_LAYOUT] for was, now in pairs)


def with_owners_of(before: Snapshot, after: Snapshot, memory: Memory) -> Snapshot:
    """Return *after* with the owners of *before*, which has the same layout.

    What is resident of the parts of a mapping is read anew where its figures moved, or it was not known. What
    did not move is the very mapping of *before*.
    """
    mappings = list(after.mappings)
    for at, (was, now) in enumerate(zip(before.mappings, after.mappings, strict=True)):
        same = was.values is now.values or was.values == now.values
        if same and not _lacks_counts(before, was):
            mappings[at] = was
        elif was.owner is not None:
            mappings[at] = recounted(memory, after, now.owned_by(was.owner))
    doubts = [doubt for doubt in before.origin.doubts if doubt.startswith("owners:")]
    noted = after.noting(*doubts, owners=True)
    return noted.model_copy(update={"mappings": tuple(mappings)})
