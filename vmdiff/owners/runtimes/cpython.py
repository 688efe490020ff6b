"""The arenas of CPython's own allocator, by the vector in which it keeps them (Objects/obmalloc.c).

Arenas are 256 KiB up to Python 3.9 and 1 MiB since. They are aligned to pages only, and the kernel merges
them with what a program maps beside them: the vector has the bounds of each. Free-threaded builds use
mimalloc instead.
"""

from collections.abc import Iterator

from vmdiff.owners.claim import Claim
from vmdiff.owners.runtimes.cpython_records import arenas, find_arenas
from vmdiff.owners.runtimes.cpython_runtime import interpreter
from vmdiff.owners.scene import Scene

ARENA = "python arena"
_HOW = "an object in CPython's vector of arenas has these bounds, and the arena's first pool its number"


def cpython(scene: Scene) -> Iterator[Claim]:
    """Claim the arenas of the main interpreter."""
    found = interpreter(scene) if scene.can_read else None
    vector = None if found is None else find_arenas(scene, found)
    if vector is None:
        return
    start = end = count = 0
    for arena in sorted(arenas(scene, vector), key=lambda arena: arena.start):
        if arena.start != end:
            yield from _claim(start, end, count)
            start, count = arena.start, 0
        end, count = arena.start + arena.size, count + 1
    yield from _claim(start, end, count)


def _claim(start: int, end: int, count: int) -> Iterator[Claim]:
    if count:
        yield Claim(start, end, ARENA, "record", _HOW, f"{count} arenas" if count > 1 else None)
