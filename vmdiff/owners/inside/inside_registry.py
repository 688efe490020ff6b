"""Every reader of allocators' records, and how they are run."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.cpython_heap import cpython
from vmdiff.owners.inside.glibc_heap import glibc_usage
from vmdiff.owners.inside.go_heap import go_heap
from vmdiff.owners.inside.jemalloc_extents import jemalloc_usage
from vmdiff.owners.inside.musl_groups import musl_usage
from vmdiff.owners.inside.postgres_contexts import postgres
from vmdiff.owners.inside.unread_allocators import unread_allocators
from vmdiff.owners.scene import Scene

Reader = Callable[[Scene, Budget], Iterable[Usage]]


# Late imports: the reader of a runtime that few processes have is loaded where the runtime is.


def _hotspot(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Return what HotSpot uses; its reader is imported only where there is a JVM."""
    if scene.find_object("libjvm.so") is not None:
        from vmdiff.owners.inside.hotspot_usage import hotspot_usage

        yield from hotspot_usage(scene, budget)


_TOO_LONG = "reading them all took longer than a snapshot has by default; --inside reads them"

# One line a reader; the order is that of the document.
READERS: tuple[Reader, ...] = (
    glibc_usage,
    jemalloc_usage,
    musl_usage,
    cpython,
    go_heap,
    _hotspot,
    postgres,
    unread_allocators,
)


def look_inside(scene: Scene, budget: Budget, readers: Sequence[Reader] = READERS) -> tuple[Usage, ...]:
    """Run the readers in order until the time is over; return the usages of all.

    The owners must be assigned: `scene.snapshot` is the snapshot that has them.
    """
    found = tuple(_until_late(scene, budget, readers))
    return _with_classes(scene, found) if budget.census else found


def _with_classes(scene: Scene, usages: tuple[Usage, ...]) -> tuple[Usage, ...]:
    """Add the census of C++ objects; its reader is imported only where it was asked for."""
    from vmdiff.owners.inside.cxx_census import with_classes

    return with_classes(scene, usages)


def _until_late(scene: Scene, budget: Budget, readers: Sequence[Reader]) -> Iterator[Usage]:
    """Yield what the readers find; what one found that had no time for all is partial.

    The time is this thread's on a processor: a busy machine is no reason to know less.
    """
    end = None if budget.seconds is None else time.thread_time() + budget.seconds
    for reader in readers:
        found = []
        for usage in reader(scene, budget):
            found.append(usage)
            if end is not None and time.thread_time() > end:
                yield from (_cut(usage) for usage in found)
                return
        yield from found


def _cut(usage: Usage) -> Usage:
    return usage if usage.partial else usage.model_copy(update={"partial": _TOO_LONG})
