"""Owners from point to point: what did not change is not looked at again.

Looking for owners takes most of a snapshot's time, and between two points little changes. So the owners of
the last look are kept while the layout and the threads are the same. `reasons` names what makes a new look
necessary; and after `LOOKS` points there is one in any case, since a program may put one thing where another
was without a trace in the layout.
"""

from collections import abc
from collections.abc import Iterator

from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Mapping, Owner, Snapshot, owner
from vmdiff.owners.second_look import same_layout, with_owners_of

LOOKS = 60  # points between two looks of which nothing changed

LAYOUT = "another layout"


def reasons(before: Snapshot, after: Snapshot, seen: abc.Set[int | None] = frozenset()) -> Iterator[str]:
    """Name why the owners of *before* may not be those of *after*, whose owners nobody looked for yet.

    *seen* are the starts of mappings that had no owner at a look when they were touched already.
    """
    if before.process.executable != after.process.executable or not same_layout(before, after):
        yield LAYOUT
        return
    if _tids(before) != _tids(after):
        yield "other threads"
    if touched_without_owner(after, before) - touched_without_owner(before, before) - seen:
        yield "memory touched for the first time"


def touched_without_owner(snapshot: Snapshot, owned: Snapshot) -> frozenset[int | None]:
    """Return the starts of anonymous mappings that are resident and have no owner in *owned*."""
    pairs = zip(snapshot.mappings, owned.mappings, strict=True)
    return frozenset(m.start for m, o in pairs if o.owner is None and m.path is None and _resident(m))


def _tids(snapshot: Snapshot) -> list[int]:
    return [thread.tid for thread in snapshot.process.threads or ()]


def _resident(mapping: Mapping) -> object:
    return mapping.values.get("rss") or mapping.values.get("swap")


def loses_owners(before: Snapshot, after: Snapshot) -> bool:
    """Return whether memory that had an owner before, and is still there in name, has none after."""
    owned = {(m.start, m.perms, m.path) for m in before.mappings if m.owner is not None}
    return any(m.owner is None and (m.start, m.perms, m.path) in owned for m in after.mappings)


def carried(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return the snapshot in which memory that lost its owner has the one from before, as likely."""
    owned = {(m.start, m.perms, m.path): m.owner for m in before.mappings if m.owner and not m.owner.parts}
    return after.model_copy(
        update={
            "mappings": tuple(
                m if m.owner or not (was := owned.get((m.start, m.perms, m.path))) else _likely(m, was)
                for m in after.mappings
            )
        }
    )


def _likely(mapping: Mapping, was: Owner) -> Mapping:
    evidence = "its owner at the point before; since then its records contradict its bounds"
    return mapping._replace(owner=owner(was.name, "shape", evidence, label=was.label, tid=was.tid))


def kept(before: Snapshot, after: Snapshot) -> Snapshot:
    """Copy the owners of *before* to *after*, which has the same layout."""
    with LiveMemory(after.process.pid or 0, mappings=after.mappings) as memory:
        return with_owners_of(before, after, memory)
