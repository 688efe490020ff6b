"""A walk through any heap that malloc could have left finds each chunk once, and reads each page once."""

import struct
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.owners.counting import Counting
from vmdiff.model import Mapping, Origin, Snapshot
from vmdiff.owners import Scene
from vmdiff.owners.allocators.glibc_state import HeapSegment
from vmdiff.owners.inside.chunk_walk import ChunkRange, ChunkWalk
from vmdiff.owners.inside.page_words import UnreadableError

START = 0x7F0000000000
WIDE = Mapping(0x7FFF00000000, 0x7FFF00001000, "r--p")  # so that the process has 64 bits

# Sizes in units of 16 bytes and whether each is free; two free neighbours would be one.
CHUNKS = st.lists(st.tuples(st.integers(2, 400), st.booleans()), max_size=60)


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


def walked(held: bytes, top: int) -> tuple[ChunkWalk, list[ChunkRange], Held]:
    scene_of = Snapshot(origin=Origin(source="test"), mappings=(WIDE,))
    with Held(held) as memory:
        walk = ChunkWalk(Scene(scene_of, memory), START + len(held) - top * 16)
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


@pytest.mark.parametrize("size", [48, 4096])
def test_twice_the_heap_is_twice_the_reading(size: int) -> None:
    read = []
    for length in (16 << 20, 32 << 20):
        _, _, memory = walked(heap([(size // 16, False)] * (length // size)), top=64)
        read.append(memory.bytes / length)

    assert read[0] <= 1.5
    assert read[1] <= read[0] * 1.05
