"""Owners from point to point: what did not change is not looked at again.

Looking for owners takes most of a snapshot's time, and between two points little changes. So the owners of
the last look are kept while the layout and the threads are the same. `reasons` names what makes a new look
necessary; and after `LOOKS` points there is one in any case, since a program may put one thing where another
was without a trace in the layout.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import MIXED, Mapping, Owner, Part, Snapshot

LOOKS = 30  # points between two looks of which nothing changed

_FIELDS = slice(0, Mapping._fields.index("owner"))


def reasons(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Name why the owners of *before* may not be those of *after*, whose owners nobody looked for yet."""
    if before.process.executable != after.process.executable or not _same(before, after):
        yield "another layout"
        return
    if _tids(before) != _tids(after):
        yield "other threads"
    pairs = zip(before.mappings, after.mappings, strict=True)
    if any(
        was.owner is None and not _resident(was) and _resident(now) and now.path is None for was, now in pairs
    ):
        yield "memory touched for the first time"


def _same(before: Snapshot, after: Snapshot) -> bool:
    if len(before.mappings) != len(after.mappings):
        return False
    pairs = zip(before.mappings, after.mappings, strict=True)
    return all(was[_FIELDS] == now[_FIELDS] for was, now in pairs)


def _tids(snapshot: Snapshot) -> list[int]:
    return [thread.tid for thread in snapshot.process.threads or ()]


def _resident(mapping: Mapping) -> object:
    return mapping.values.get("rss") or mapping.values.get("swap")


def kept(before: Snapshot, after: Snapshot) -> Snapshot:
    """Copy the owners of *before* to *after*, which has the same layout.

    What is resident of the parts of a mapping is read anew where the mapping's own figures moved.
    """
    mappings = list(after.mappings)
    moved = []
    for at, (was, now) in enumerate(zip(before.mappings, after.mappings, strict=True)):
        if was.owner is not None:
            mappings[at] = now._replace(owner=was.owner)
            if was.owner.name == MIXED and was.values != now.values:
                moved.append(at)
    if moved:
        with LiveMemory(after.process.pid or 0, mappings=after.mappings) as memory:
            for at in moved:
                mappings[at] = mappings[at]._replace(owner=_counted(memory, after, mappings[at]))
    doubts = [doubt for doubt in before.origin.doubts if doubt.startswith("owners:")]
    noted = after.noting(*doubts, owners=True)
    return noted.model_copy(update={"mappings": tuple(mappings)})


def _counted(memory: LiveMemory, snapshot: Snapshot, mapping: Mapping) -> Owner | None:
    """Count what of each part is resident; unknown unless all adds up to what the snapshot says."""
    owner = mapping.owner
    if owner is None:
        return None
    rss, swap = snapshot.value(mapping, "rss"), snapshot.value(mapping, "swap")
    counted = [memory.residency(part.start, part.end) for part in owner.parts]
    gaps = [memory.residency(start, end) for start, end in _gaps(mapping, owner.parts)]
    every = [*counted, *gaps]
    if None in every or _sum(every, 0) != rss or _sum(every, 1) != (swap or 0):
        return replace(owner, parts=tuple(replace(part, rss=None, swap=None) for part in owner.parts))
    parts = zip(owner.parts, counted, strict=True)
    return replace(owner, parts=tuple(_with(part, held) for part, held in parts))


def _with(part: Part, held: tuple[int, int] | None) -> Part:
    return part if held is None else replace(part, rss=held[0], swap=held[1])


def _sum(counted: Sequence[tuple[int, int] | None], at: int) -> int:
    return sum(one[at] for one in counted if one is not None)


def _gaps(mapping: Mapping, parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
    low = mapping.start or 0
    for part in parts:
        if low < part.start:
            yield low, part.start
        low = part.end
    if low < (mapping.end or 0):
        yield low, mapping.end or 0
