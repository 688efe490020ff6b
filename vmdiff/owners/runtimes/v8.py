"""V8's heap: chunks of 256 KiB, or of one large object, at random addresses, each with its own header.

A header, or from V8 13 on a record that the header leads to, has the chunk's size next to or near the
bounds of its area: src/heap/{memory-chunk,basic-memory-chunk,memory-chunk-metadata}.h. Which of its
words these are changes with every few versions, what they say does not. Tried with Node.js 16 to 26.
V8 has no name of its own in a process (Electron programs are called anything): the headers tell.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from vmdiff.model import Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, raw_each, unpacked
from vmdiff.owners.scene import Scene

_ALIGNED = 256 << 10
_HEADER = 12 * 8  # bytes that hold the size and the bounds
_LONGEST_HEAD = 16 << 10  # before the area, with the guard of executable chunks
_SMALLEST, _LARGEST = 4 << 10, 1 << 36
_MOST_CHUNKS = 1 << 16


def v8(scene: Scene) -> Iterator[Claim]:
    """Claim the chunks of V8's heap, and the executable memory beside them."""
    found = False
    aligned = [mapping for mapping in scene.mappings if not mapping.start % _ALIGNED]
    candidates = [mapping for mapping in aligned if _may_begin(mapping)]
    heads = _heads(scene, [mapping.start for mapping in candidates])
    for mapping, size in zip(candidates, heads, strict=True):
        if size:
            found = True
            yield from _chunks(scene, mapping, size)
    for mapping in scene.mappings if found else ():
        if mapping.path is None and mapping.perms[2:] == "xp":
            evidence = "executable memory without a file, in a process with V8's heap"
            yield Claim(mapping.start, mapping.end, "v8 code", "shape", evidence)


def _may_begin(mapping: PlacedMapping) -> bool:
    return (
        mapping.kind is Kind.ANONYMOUS
        and mapping.path is None
        and mapping.perms[0] == "r"
        and mapping.values.get("rss", 1) != 0
    )


def _chunks(scene: Scene, mapping: PlacedMapping, size: int) -> Iterator[Claim]:
    """Claim the chunks that follow each other in a mapping, the first of which has *size* bytes."""
    start, limit = mapping.start, mapping.end
    for _ in range(_MOST_CHUNKS):
        end = start + size if is_block(scene, start, start + size) else min(start + size, limit)
        code = any("x" in held.perms for held in scene.within(start, end))
        evidence = "the header of a V8 chunk at its start: its size, and the bounds of its area in it"
        yield Claim(start, end, "v8 code" if code else "v8 heap", "record", evidence)
        start += -(-size // _ALIGNED) * _ALIGNED
        size = _heads(scene, [start])[0] if start < limit else 0
        if not size:
            return


def _heads(scene: Scene, places: Sequence[int]) -> list[int]:
    """Give the size of the chunk at each place, 0 where there is none."""
    heads = [unpacked(raw) for raw in raw_each(scene, places, _HEADER)]
    sizes = [_size(head, place) for head, place in zip(heads, places, strict=True)]
    behind = [
        n
        for n, (head, size) in enumerate(zip(heads, sizes, strict=True))
        if head and not size and scene.at(head[1])
    ]
    records = raw_each(scene, [heads[n][1] for n in behind], _HEADER)
    for n, raw in zip(behind, records, strict=True):
        sizes[n] = _size(unpacked(raw), places[n])
    return sizes


def _size(record: Sequence[int], start: int) -> int:
    """Give the size that a record states for a chunk at *start*, 0 if it is no such record.

    The end of the area comes right after its start, or right after the chunk's size.
    """
    heads = range(start + 1, start + _LONGEST_HEAD + 1)
    if not any(at in heads for at in record):
        return 0
    for before, end in pairwise(record):
        for size in record if before in heads else (before,):
            if end > before and _fits(start, size, end):
                return size
    return 0


def _fits(start: int, size: int, end: int) -> bool:
    return _SMALLEST <= size <= _LARGEST and start + size - _LONGEST_HEAD <= end <= start + size
