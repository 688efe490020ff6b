"""Owners from point to point: what did not change is not looked at again.

Looking for owners takes most of a snapshot's time, and between two points little changes. So the owners of
the last look are kept while the program, the layout and the threads are the same. `reasons` names what makes
a new look necessary; and after `LOOKS` points there is one in any case, since a program may put one thing
where another was without a trace in the layout.

What is in use of that memory moves without a trace in the layout, so allocators' records are read at every
point, unless no thread ran since they were read and no page came or went: see `kept`.
"""

from collections import abc
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from vmdiff.model import Mapping, Owner, Snapshot, owner
from vmdiff.owners import Memory, Scene
from vmdiff.owners.inside import QUICK, look_inside
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
    if _newly_touched(before, after, seen):
        yield "memory touched for the first time"


def touched_without_owner(snapshot: Snapshot, owned: Snapshot) -> frozenset[int | None]:
    """Return the starts of anonymous mappings that are resident and have no owner in *owned*."""
    pairs = zip(snapshot.mappings, owned.mappings, strict=True)
    return frozenset(m.start for m, o in pairs if o.owner is None and m.path is None and _resident(m))


def _newly_touched(before: Snapshot, after: Snapshot, seen: abc.Set[int | None]) -> bool:
    """Return whether anonymous memory without an owner, not in *seen*, is resident and was not before."""
    return any(
        was.values is not now.values
        and was.owner is None
        and now.path is None
        and _resident(now)
        and not _resident(was)
        and now.start not in seen
        for was, now in zip(before.mappings, after.mappings, strict=True)
    )


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


class Rest(NamedTuple):
    """A look at allocators' records: the scene with owners and usage, and the process's activity meanwhile.

    *activity* is None if a thread ran during the look, or that is not known.
    """

    scene: Scene
    activity: Hashable | None


def kept(last: Rest, after: Snapshot, memory: Memory) -> Rest:
    """Return *after*, of the same layout, with the owners of the *last* look, and with usage.

    Records are read again unless nothing can have changed them: no thread of the process ran since the last
    look (`Memory.activity`), and the kernel took no page of it. What another process writes into it, as a
    debugger does, is seen when it runs again.
    """
    before, scene = last.scene.snapshot, last.scene
    activity = memory.activity()
    snapshot = with_owners_of(before, after, memory)
    if activity is not None and activity == last.activity and _same_pages(before, after):
        usage = before.usage
    else:
        usage = look_inside(scene.with_owners(snapshot, memory), QUICK)
        activity = activity if activity is not None and activity == memory.activity() else None
    return Rest(scene.with_owners(snapshot.model_copy(update={"usage": usage}), None), activity)


def _same_pages(before: Snapshot, after: Snapshot) -> bool:
    """Return whether as much of each mapping is in memory and in swap: PSS moves with other processes."""
    pairs = zip(before.mappings, after.mappings, strict=True)
    return all(was.values is now.values or _pages(was) == _pages(now) for was, now in pairs)


def _pages(mapping: Mapping) -> tuple[object, object]:
    return mapping.values.get("rss"), mapping.values.get("swap")
