"""What a map of pages says is owned is what the extents are, wherever leaves meet."""

from bisect import bisect_right
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import times
from vmdiff.model import Kind, Mapping, Origin, Snapshot
from vmdiff.owners import Memory, Scene
from vmdiff.owners.allocators.radix_map import PageMap, PageMapFormat, find_page_map

LEAF = 1 << 18
ROOT, LEAVES, RECORDS = 1 << 40, 2 << 40, 3 << 40
PAGE = 4096
NO_POINTER = 0x00E8000000000000  # jemalloc's entry inside an extent that it merged of others
FIRST = 3 * LEAF - 40  # pages: a leaf ends among those that are drawn

# Lengths of extents and of gaps, in turn; slabs have their pointer at every page.
layouts = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40), st.booleans()), max_size=12)


FORM = PageMapFormat(12, (1 << 48) - 64, lambda record: (record[0], record[1]))


class Drawn:
    """Memory that holds a root, its leaves and the records of extents, all else is zero."""

    def __init__(self, extents: list[tuple[int, int, bool]], *, merged: bool = False) -> None:
        self.words: dict[int, int] = {ROOT + leaf * 8: LEAVES + leaf * LEAF * 8 for leaf in (2, 3)}
        for number, (first, last, slab) in enumerate(extents):
            record = RECORDS + number * 64
            self.words |= {record: first * PAGE, record + 8: last * PAGE}
            for page in range(first, last) if slab else (first, last - 1):
                self.words[LEAVES + page * 8] = record
            for page in range(first + 1, last - 1, 3) if merged and not slab else ():
                self.words[LEAVES + page * 8] = NO_POINTER
        self.places = sorted(self.words)

    def read(self, address: int, length: int) -> bytes:
        found = bytearray(length)
        at = bisect_right(self.places, address - 1)
        while at < len(self.places) and self.places[at] < address + length:
            place = self.places[at] - address
            found[place : place + 8] = self.words[self.places[at]].to_bytes(8, "little")
            at += 1
        return bytes(found)


def drawn(layout: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    extents, page = [], FIRST
    for gap, length, slab in layout:
        extents.append((page + gap, page + gap + length, slab))
        page += gap + length
    return extents


@settings(max_examples=times(100), deadline=None)
@given(layouts, st.booleans())
def test_the_owned_pages_are_those_of_the_extents(layout: list[tuple[int, int, bool]], merged: bool) -> None:
    extents = drawn(layout)
    memory: Memory = Drawn(extents, merged=merged)  # type: ignore[assignment]  # as much of one as is asked for
    radix = PageMap(
        Scene(Snapshot(origin=Origin(source="test")), memory),
        FORM,
        ROOT,
    )

    ranges = list(radix.owned(FIRST * PAGE, (FIRST + 600) * PAGE))
    pages = {page for start, end in ranges for page in range(start // PAGE, end // PAGE)}

    assert pages == {page for first, last, _ in extents for page in range(first, last)}
    assert all(below[1] < above[0] for below, above in pairwise(ranges))


def _scene(extents: list[tuple[int, int, bool]], start: int) -> Scene:
    """Build a process: a library with the root in its .bss, leaves, records, and memory from *start* on."""
    variables = (
        ROOT - 8 * PAGE
    )  # a root has entries for all of an address space, far more than the extents need
    shapes = [
        (variables - PAGE, variables, "/lib/allocator.so"),
        (variables, ROOT + (1 << 16), None),
        (LEAVES, LEAVES + 4 * LEAF * 8, None),
        (RECORDS, RECORDS + PAGE, None),
        (start * PAGE, (FIRST + 600) * PAGE, None),
    ]
    mappings = [
        Mapping(
            low,
            high,
            "rw-p",
            Kind.ANONYMOUS if path is None else Kind.IMAGE,
            path=path,
            values={"rss": high - low},
        )
        for low, high, path in sorted(shapes)
    ]
    memory: Memory = Drawn(extents)  # type: ignore[assignment]  # as much of one as is asked for
    return Scene(Snapshot(origin=Origin(source="test", counters=("rss",)), mappings=tuple(mappings)), memory)


@pytest.mark.parametrize(
    ("start", "extents"),
    [
        pytest.param(FIRST, [(FIRST, FIRST + 8, True)], id="at-the-start"),
        pytest.param(3 * LEAF - 512, [(3 * LEAF, 3 * LEAF + 8, True)], id="nothing-before-a-leaf"),
        pytest.param(
            3 * LEAF - 512,
            [(3 * LEAF - 2, 3 * LEAF + 6, True), (3 * LEAF + 6, 3 * LEAF + 9, False)],
            id="across",
        ),
    ],
)
def test_a_map_is_found_wherever_its_first_extent_lies(
    start: int, extents: list[tuple[int, int, bool]]
) -> None:
    """jemalloc's own records come first in its memory, which may end right where a leaf begins."""
    scene = _scene(extents, start)
    library = [mapping for mapping in scene.mappings if mapping.path]

    found = find_page_map(scene, library, FORM)

    assert found is not None
    assert found.root == ROOT


def test_no_map_is_found_where_nothing_leads_to_an_extent() -> None:
    scene = _scene([], FIRST)
    assert find_page_map(scene, [mapping for mapping in scene.mappings if mapping.path], FORM) is None
