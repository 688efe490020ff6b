"""Every reader of allocators' records, and how they are run."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module

from vmdiff.model import Usage
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.glibc_heap import glibc_usage
from vmdiff.owners.inside.unread_allocators import unread_allocators
from vmdiff.owners.scene import Scene

Reader = Callable[[Scene, Budget], Iterable[Usage]]


def _where(holds: Callable[[Scene], bool], module: str, reader: str) -> Reader:
    """Return a *reader* of *module* that is imported only where something *holds*.

    Most processes have none of these, and importing the readers takes as long as what they all do.
    """

    def late(scene: Scene, budget: Budget) -> Iterator[Usage]:
        if holds(scene):
            yield from getattr(import_module(f"vmdiff.owners.inside.{module}"), reader)(scene, budget)

    return late


def _owned_by(name: str) -> Callable[[Scene], bool]:
    return lambda scene: name in scene.owned


def _mapped(library: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.find_object(library) is not None


def _is_postgres(scene: Scene) -> bool:
    return scene.executable is not None and "postgres" in scene.executable.name


_TOO_LONG = "reading them all took longer than a snapshot has by default; --inside reads them"

# One line a reader; the order is that of the document.
READERS: tuple[Reader, ...] = (
    glibc_usage,
    _where(_owned_by("jemalloc"), "jemalloc_extents", "jemalloc_usage"),
    _where(_owned_by("musl malloc"), "musl_groups", "musl_usage"),
    _where(_mapped("python"), "cpython_heap", "cpython"),
    _where(_owned_by("go heap"), "go_heap", "go_heap"),
    _where(_mapped("libjvm.so"), "hotspot_usage", "hotspot_usage"),
    _where(_is_postgres, "postgres_contexts", "postgres"),
    unread_allocators,
)


def look_inside(scene: Scene, budget: Budget, readers: Sequence[Reader] = READERS) -> tuple[Usage, ...]:
    """Run the readers in order until the time is over; return the usages of all.

    The owners must be assigned: `scene.snapshot` is the snapshot that has them.
    """
    found = tuple(_until_late(scene, budget, readers))
    return _with_classes(scene, found) if budget.census else found


def _with_classes(scene: Scene, usages: tuple[Usage, ...]) -> tuple[Usage, ...]:
    """Add the census of C++ objects."""
    from vmdiff.owners.inside.cxx_census import with_classes  # it and the listers, where it was asked for

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
