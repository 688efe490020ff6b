"""Count C++ objects by class: blocks in use that begin with a pointer into a table of virtual functions.

A block counts as a whole, whatever else the program keeps in it. Objects without virtual functions, those
inside of others or of arrays, and what containers hold beside them count as `NO_CLASS`.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from vmdiff.model import Usage
from vmdiff.model.usage import MOST_GROUPS, NO_CLASS, TypeCount
from vmdiff.owners.inside.block_listers import used_blocks
from vmdiff.owners.inside.cxx_classes import CxxClasses
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.page_words import UnreadableError
from vmdiff.owners.inside.two_readings import MOVED
from vmdiff.owners.scene import Scene

_Memory = tuple[str, str | None]  # the name and the label of its owner
_Counts = Counter[tuple[int, int]]  # by first word and size
_TOGETHER = 1 << 20  # bytes that are read at a time
_MOST_CLASSES = MOST_GROUPS - 1
_LIBRARIES = ("libstdc++", "libc++")


def with_classes(scene: Scene, usages: Sequence[Usage]) -> tuple[Usage, ...]:
    """Return *usages* with the census of C++ objects, those of other objects as they are.

    Where a process has C++, each of its allocators' usages has one, so that two moments can be compared.
    """
    if scene.memory is None:
        return tuple(usages)
    before = scene.memory.activity()
    found = _counted(scene)
    steady = before is not None and before == scene.memory.activity()
    classes = CxxClasses(scene)
    names = classes.among({first for counts in found.values() for first, _ in counts})
    if not names and scene.find_object(*_LIBRARIES) is None:
        return tuple(usages)
    return tuple(_with_types(usage, found, names, steady=steady) for usage in usages)


def _with_types(usage: Usage, found: dict[_Memory, _Counts], names: dict[int, str], *, steady: bool) -> Usage:
    counts = found.get((usage.owner, usage.label))
    if usage.types or usage.in_use is None or usage.blocks is None or counts is None:
        return usage
    rows = _rows(counts, names)
    objects, held = sum(row[1] for row in rows), sum(row[2] for row in rows)
    rest = (NO_CLASS, max(usage.blocks - objects, 0), max(usage.in_use - held, 0))
    moved = None if steady else MOVED
    update = {"types": (*rows, rest), "types_certainty": "likely", "partial": usage.partial or moved}
    return usage.model_copy(update=update)


def _rows(counts: Counter[tuple[int, int]], names: dict[int, str]) -> list[TypeCount]:
    """Return a row a class, the largest first; two tables may be of one class, in two libraries."""
    objects, held = Counter[str](), Counter[str]()
    for (first, size), number in counts.items():
        name = names.get(first)
        if name is not None:
            objects[name] += number
            held[name] += number * size
    ordered = sorted(objects, key=lambda name: (-held[name], name))[:_MOST_CLASSES]
    return [(name, objects[name], held[name]) for name in ordered]


def _counted(scene: Scene) -> dict[_Memory, _Counts]:
    """Count the blocks by first word and size, for each owner and label of memory.

    Where some blocks are not known, what is in caches is not, or some memory cannot be read, none is: there
    would be too few or too many.
    """
    found: dict[_Memory, _Counts] = {}
    unread: set[_Memory] = set()
    owned = list(owned_ranges(scene, *scene.owned))
    for blocks in used_blocks(scene):
        if blocks.unread:
            continue
        order = sorted(range(len(blocks.starts)), key=blocks.starts.__getitem__)
        starts = array("Q", [blocks.starts[at] for at in order])
        sizes = array("Q", [blocks.sizes[at] for at in order])
        for start, end, owner in owned:
            low, high = bisect_left(starts, start), bisect_left(starts, end)
            if low < high:
                memory = (owner.name, owner.label)
                counts = found.setdefault(memory, Counter())
                try:
                    counts.update(zip(_first_words(scene, starts[low:high]), sizes[low:high], strict=True))
                except UnreadableError:
                    unread.add(memory)
    return {memory: counts for memory, counts in found.items() if memory not in unread}


def _first_words(scene: Scene, starts: Sequence[int]) -> Iterator[int]:
    """Yield the first word of each block, *starts* in ascending order.

    Raises:
        UnreadableError: some memory cannot be read.
    """
    word, at = scene.word_size, 0
    while at < len(starts):
        low = starts[at]
        high = bisect_left(starts, low + _TOGETHER - word, at + 1)
        raw = scene.read(low, starts[high - 1] + word - low)
        if raw is None:
            raise UnreadableError("some of it is swapped out or cannot be read")
        if low % word or any(start % word for start in starts[at:high]):
            yield from (
                int.from_bytes(raw[start - low : start - low + word], "little") for start in starts[at:high]
            )
        else:
            held = memoryview(raw).cast("Q" if word == 8 else "I")
            yield from (held[(start - low) // word] for start in starts[at:high])
        at = high
