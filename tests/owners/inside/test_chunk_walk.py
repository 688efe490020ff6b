"""A walk through any heap that malloc could have left finds each chunk once, and reads each page once."""

import struct
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.owners.counting import Counting
from vmdiff.model import Mapping, Origin, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.allocators.glibc_state import HeapSegment
from vmdiff.owners.inside.chunk_walk import ChunkRange, ChunkWalk
from vmdiff.owners.inside.chunk_walk_numpy import NumpyChunkWalk
from vmdiff.owners.inside.glibc_blocks import BlockWalk
from vmdiff.owners.inside.page_words import UnreadableError

START = 0x7F0000000000
WIDE = Mapping(0x7FFF00000000, 0x7FFF00001000, "r--p")  # so that the process has 64 bits

# Sizes in units of 16 bytes and whether each is free; two free neighbours would be one. Some are of one size.
RUNS = st.tuples(st.integers(2, 50), st.booleans(), st.sampled_from([1, 1, 1, 2, 70, 330, 700]))
CHUNKS = st.lists(RUNS, max_size=20).map(
    lambda runs: [(units, free) for units, free, times in runs for _ in range(times)]
)


def heap(chunks: Sequence[tuple[int, bool]], top: int = 64) -> bytes:
    """Lay chunks out as malloc does: a word before, the size with its flags, and what the program wrote."""
    parts, before, free_before = [], 0, False
    for units, free in [*chunks, (top, False)]:
        size = units * 16
        parts.append(struct.pack("<2Q", before if free_before else 0x41414141, size | (not free_before)))
        parts.append(b"\x41" * (size - 16))
        before, free_before = size, free
    return b"".join(parts)


class Held(Counting):
    """A memory that holds one heap."""

    def __init__(self, held: bytes) -> None:
        super().__init__(1)
        self._held = held
        self.bytes = 0

    def read(self, address: int, length: int) -> bytes | None:
        self.bytes += length
        found = self._held[address - START : address - START + length]
        return found if len(found) == length else None


def walked(
    held: bytes, top: int, kind: type[ChunkWalk] = ChunkWalk, **options: Any
) -> tuple[ChunkWalk, list[ChunkRange], Held]:
    scene_of = Snapshot(origin=Origin(source="test"), mappings=(WIDE,))
    with Held(held) as memory:
        walk = kind(Scene(scene_of, memory), START + len(held) - top * 16, **options)
        free = [one for some in walk.free_chunks(HeapSegment(START, START + len(held))) for one in some]
    return walk, free, memory


@given(CHUNKS)
def test_every_chunk_is_counted_once(drawn: list[tuple[int, bool]]) -> None:
    chunks = [(units, free and at % 2 == 1) for at, (units, free) in enumerate(drawn)]

    walk, free, _ = walked(heap(chunks), top=64)

    assert +walk.count.chunks == Counter(units * 16 for units, _ in chunks)
    assert walk.count.free == Counter(units * 16 for units, is_free in chunks if is_free)
    assert walk.count.top == 64 * 16
    every = sum(size * count for size, count in walk.count.chunks.items()) + walk.count.top
    assert every == len(heap(chunks))
    assert [end - start for start, end in free] == [units * 16 for units, is_free in chunks if is_free]


@given(CHUNKS, st.integers(0, 3), st.data())
def test_with_numpy_the_walk_finds_the_same(
    drawn: list[tuple[int, bool]], times: int, data: st.DataObject
) -> None:
    """Small chunks, and up to several windows of them; sometimes one header is overwritten."""
    many = [(units, free and at % 2 == 1) for at, (units, free) in enumerate(drawn * 10 ** (times // 3))]
    held = bytearray(heap(many))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(held) // 16 - 1)) * 16 + 8
        held[at : at + 8] = data.draw(st.integers(0, 1 << 20)).to_bytes(8, "little")
    options = {"wanted": frozenset({32, 0x290}), "wide": data.draw(st.sampled_from([0, 64, 4096]))}
    options["beside"] = frozenset({START + 64, START + 4096}) if data.draw(st.booleans()) else frozenset()

    plain, fast = (outcome(bytes(held), kind, **options) for kind in (ChunkWalk, NumpyChunkWalk))
    assert fast == plain


def outcome(held: bytes, kind: type[ChunkWalk], **options: Any) -> tuple[object, list[ChunkRange]] | None:
    """Return all that a walk finds, None where it says that the heap is broken."""
    try:
        walk, free, _ = walked(held, 64, kind, **options)
    except UnreadableError:
        return None
    count = walk.count
    return (+count.chunks, count.free, count.fenceposts, count.top, count.suspects), free


@given(CHUNKS)
def test_every_block_in_use_is_listed(drawn: list[tuple[int, bool]]) -> None:
    chunks = [(units, free and at % 2 == 1) for at, (units, free) in enumerate(drawn)]
    places = accumulate((units * 16 for units, _ in chunks), initial=START + 16)

    walk, _, _ = walked(heap(chunks), 64, BlockWalk)

    assert isinstance(walk, BlockWalk)
    listed = sorted(zip(walk.starts, walk.sizes, strict=True))
    used = [(at, units * 16 - 8) for at, (units, free) in zip(places, chunks, strict=False) if not free]
    assert listed == used


def test_free_chunks_that_join_others_or_hold_a_page_are_yielded() -> None:
    held = heap([(2, False), (4, True), (2, False), (300, True), (2, False), (8, True), (2, False)])
    beside = frozenset({START + 32})
    walk, free, _ = walked(held, 64, wide=4096, beside=beside)

    assert walk.count.free == Counter({64: 1, 4800: 1, 128: 1})
    assert [end - start for start, end in free] == [64, 4800]


@given(CHUNKS, st.data())
def test_a_header_that_is_overwritten_is_noticed_or_harmless(
    drawn: list[tuple[int, bool]], data: st.DataObject
) -> None:
    chunks = [(units, free and at % 2 == 1) for at, (units, free) in enumerate(drawn)]
    held = bytearray(heap(chunks))
    at = data.draw(st.integers(0, len(held) // 8 - 1)) * 8
    held[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))

    try:
        walk, _, _ = walked(bytes(held), top=64)
    except UnreadableError:
        return
    every = sum(size * count for size, count in walk.count.chunks.items()) + walk.count.top
    assert every == len(held)


@pytest.mark.parametrize("kind", [ChunkWalk, NumpyChunkWalk])
@pytest.mark.parametrize("size", [48, 4096])
def test_twice_the_heap_is_twice_the_reading(size: int, kind: type[ChunkWalk]) -> None:
    read = []
    for length in (16 << 20, 32 << 20):
        _, _, memory = walked(heap([(size // 16, False)] * (length // size)), 64, kind)
        read.append(memory.bytes / length)

    assert read[0] <= 1.5
    assert read[1] <= read[0] * 1.05


@pytest.mark.parametrize("kind", [ChunkWalk, NumpyChunkWalk])
def test_twice_the_heap_takes_no_more_memory(kind: type[ChunkWalk]) -> None:
    """Every second chunk is free, and none of them holds a page."""
    peaks = []
    for length in (16 << 20, 32 << 20):
        held = heap([(25, at % 2 == 1) for at in range(length // 400)])
        tracemalloc.start()
        walk, free, _ = walked(held, 64, kind, wide=4096)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert not free
        assert walk.count.free.total() == length // 800

    assert peaks[1] <= peaks[0] * 1.1
    assert peaks[1] <= 48 << 20
