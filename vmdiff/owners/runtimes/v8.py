"""V8's heap: chunks of 256 KiB, or of one large object, at random addresses, each with its own header.

A header, or from V8 13 on a record that the header leads to, has the chunk's size next to or near the
bounds of its area: src/heap/{memory-chunk,basic-memory-chunk,memory-chunk-metadata}.h. Which of its
words these are changes with every few versions, what they say does not. Tried with Node.js 16 to 26.

Other programs' region allocators have such headers, too. So the rule runs only where an object has V8 in it,
and a header by itself is believed only where another chunk names the same heap in the same place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Basis, Kind, PlacedMapping
from vmdiff.owners.claim import Claim
from vmdiff.owners.machine_words import is_block, raw_each, unpacked
from vmdiff.owners.scene import Scene

_ALIGNED = 256 << 10
_HEADER = 12 * 8  # bytes that hold the size and the bounds
_LONGEST_HEAD = 16 << 10  # before the area, with the guard of executable chunks
_SMALLEST, _LARGEST = 4 << 10, 1 << 36
_MOST_CHUNKS = 1 << 16
_SNAPSHOTS = ("/v8_context_snapshot.bin", "/snapshot_blob.bin")
_SYMBOLS = (
    b"_ZN2v8",
    b"\0napi_create_",
    b"\0node_module_register\0",
)  # begin the names of exported functions


_EVIDENCE = {
    "record": "the header of a V8 chunk at its start: its size, its area, and the heap of other chunks",
    "shape": "a header like that of a V8 chunk at its start: its size, and the bounds of its area",
}


class _ChunkHead(NamedTuple):
    """What a chunk's header says: its size, and the words in it, with their places, that lead elsewhere."""

    size: int
    links: frozenset[tuple[int, int]]


class _Chunk(NamedTuple):
    start: int
    end: int
    head: _ChunkHead


def v8(scene: Scene) -> Iterator[Claim]:
    """Claim the chunks of V8's heap, and the executable memory beside them."""
    if not _has_v8(scene):
        return
    aligned = [mapping for mapping in scene.mappings if not mapping.start % _ALIGNED]
    candidates = [mapping for mapping in aligned if _may_begin(mapping)]
    heads = _heads(scene, [mapping.start for mapping in candidates])
    chunks = [
        chunk
        for mapping, head in zip(candidates, heads, strict=True)
        for chunk in _chunks(scene, mapping, head)
    ]
    shared = _heaps(chunks)
    for chunk in chunks:
        code = any("x" in held.perms for held in scene.within(chunk.start, chunk.end))
        basis: Basis = "record" if shared.intersection(chunk.head.links) else "shape"
        yield Claim(chunk.start, chunk.end, "v8 code" if code else "v8 heap", basis, _EVIDENCE[basis])
    for mapping in scene.select(_may_be_code) if chunks else ():
        evidence = "executable memory without a file, in a process with V8's heap"
        yield Claim(mapping.start, mapping.end, "v8 code", "shape", evidence)


def _may_be_code(perms: str, _: Kind, path: str | None) -> bool:
    return path is None and perms[2:] == "xp"


def _heaps(chunks: Sequence[_Chunk]) -> frozenset[tuple[int, int]]:
    """Return the words, with their places, that several chunks have alike: the heap that they belong to."""
    counts = Counter(link for chunk in chunks for link in chunk.head.links)
    return frozenset(link for link, count in counts.items() if count > 1)


def _has_v8(scene: Scene) -> bool:
    """Return whether an object exports V8's functions or Node's, or a start-up snapshot of V8 is mapped."""
    if any(path.endswith(_SNAPSHOTS) for path in scene.paths):
        return True
    if scene.find_object("libv8", "libnode"):
        return True
    program = scene.executable
    return program is not None and program.exports_any(_SYMBOLS)


def _may_begin(mapping: PlacedMapping) -> bool:
    return (
        mapping.kind is Kind.ANONYMOUS
        and mapping.path is None
        and mapping.perms[0] == "r"
        and mapping.values.get("rss", 1) != 0
    )


def _chunks(scene: Scene, mapping: PlacedMapping, first: _ChunkHead | None) -> Iterator[_Chunk]:
    """Yield the chunks that follow each other in a mapping, *first* being the header at its start."""
    start, limit, head = mapping.start, mapping.end, first
    for _ in range(_MOST_CHUNKS):
        if head is None:
            return
        end = start + head.size
        yield _Chunk(start, end if is_block(scene, start, end) else min(end, limit), head)
        start += -(-head.size // _ALIGNED) * _ALIGNED
        head = _heads(scene, [start])[0] if start < limit else None


def _heads(scene: Scene, places: Sequence[int]) -> list[_ChunkHead | None]:
    """Return what the header of the chunk at each place says, None where there is none."""
    heads = [unpacked(raw) for raw in raw_each(scene, places, _HEADER)]
    found = [_head(scene, head, place) for head, place in zip(heads, places, strict=True)]
    behind = [n for n, head in enumerate(heads) if head and found[n] is None and scene.at(head[1])]
    records = raw_each(scene, [heads[n][1] for n in behind], _HEADER)
    for n, raw in zip(behind, records, strict=True):
        found[n] = _head(scene, unpacked(raw), places[n])
    return found


def _head(scene: Scene, record: Sequence[int], start: int) -> _ChunkHead | None:
    """Read the record of a chunk at *start*, wherever it was found; None if it is no such record."""
    size = _size(record, start)
    if not size:
        return None
    chunk = range(start, start + size)
    links = ((at, word) for at, word in enumerate(record) if word and not word % 8 and word not in chunk)
    return _ChunkHead(size, frozenset(link for link in links if scene.at(link[1]) is not None))


def _size(record: Sequence[int], start: int) -> int:
    """Return the size that a record states for a chunk at *start*, 0 if it is no such record.

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
