"""What is reached: against a search by hand of memory that is drawn, and the encodings one by one."""

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmdiff.leaks.reachable import BlockGraph
from vmdiff.owners.inside.used_blocks import BlockRange, UsedBlocks

pytest.importorskip("numpy")
HEAP, BLOCK, APART, WORDS = 0x5555_0000_0000, 48, 64, 6
ROOTS = 0x7FFF_0000_0000
GUARD = 0x1234_5678_9ABC_DEF0


def start(number):
    return HEAP + number * APART


def graph_of(links, roots, *, words=(), guard=None):
    """Draw blocks side by side; *links* are the blocks that each leads to, *words* what is written besides."""
    count = len(links)
    heap = bytearray(count * APART)
    for number, targets in enumerate(links):
        for place, target in enumerate(targets[:WORDS]):
            struct.pack_into("<Q", heap, number * APART + 8 * place, start(target) + 5 * place)
    for at, value in words:
        struct.pack_into("<Q", heap, at - HEAP, value)
    blocks = UsedBlocks(
        "drawn",
        array("Q", [start(number) for number in range(count)]),
        array("Q", [BLOCK] * count),
        (BlockRange(HEAP, HEAP + len(heap)),),
    )
    graph = BlockGraph([blocks], 8, guard)
    graph.add_memory(HEAP, bytes(heap))
    graph.add_memory(ROOTS, struct.pack(f"<{len(roots)}Q", *roots))
    return graph


def by_hand(links, begin):
    seen, ahead = set(begin), list(begin)
    while ahead:
        for target in links[ahead.pop()][:WORDS]:
            if target not in seen:
                seen.add(target)
                ahead.append(target)
    return seen


@st.composite
def drawings(draw):
    count = draw(st.integers(1, 40))
    numbers = st.integers(0, count - 1)
    links = draw(st.lists(st.lists(numbers, max_size=4), min_size=count, max_size=count))
    return links, draw(st.lists(numbers, max_size=4))


@given(drawings())
def test_what_is_lost_is_what_a_search_by_hand_does_not_reach(drawing):
    links, begin = drawing
    lost = graph_of(links, [start(number) for number in begin]).lost()

    expected = {*range(len(links))} - by_hand(links, begin)
    assert {number for number, is_lost in enumerate(lost.which.tolist()) if is_lost} == expected


@given(drawings())
def test_every_lost_block_hangs_from_exactly_one_group_of_roots(drawing):
    links, begin = drawing
    lost = graph_of(links, [start(number) for number in begin]).lost()
    tops = lost.tops()

    hanging = [
        block for found in lost.behind([tops[at : at + 1] for at in range(len(tops))]) for block in found
    ]
    assert sorted(hanging) == [number for number, is_lost in enumerate(lost.which.tolist()) if is_lost]
    held = {
        target
        for number, targets in enumerate(links)
        if lost.which[number]
        for target in targets
        if target != number
    }
    plain = {number for number in hanging if number not in held}
    assert plain <= {*tops.tolist()}


@pytest.mark.parametrize("length", [10, 5000])
def test_a_long_list_and_a_wide_tree_are_followed_to_their_ends(length):
    chain = [[number + 1] for number in range(length - 1)] + [[]]
    assert not graph_of(chain, [start(0)]).lost().which.any()
    assert graph_of(chain, []).lost().tops().tolist() == [0]
    tree = [[4 * number + 1, 4 * number + 2, 4 * number + 3, 4 * number + 4] for number in range(length)]
    tree += [[] for _ in range(3 * length + 1)]
    assert not graph_of(tree, [start(0)]).lost().which.any()


def mangled(pointer):
    """What PTR_MANGLE makes of it: mixed, then rotated to the left by 17 bits."""
    mixed = pointer ^ GUARD
    return (mixed << 17 | mixed >> 47) & (1 << 64) - 1


@pytest.mark.parametrize(
    ("root", "reached"),
    [
        pytest.param(start(0), True, id="plain"),
        pytest.param(start(0) + BLOCK - 1, True, id="its-last-byte"),
        pytest.param(start(0) + BLOCK, False, id="the-byte-behind"),
        pytest.param(start(0) - 1, False, id="the-byte-before"),
        pytest.param(start(0) | 7, True, id="low-tag"),
        pytest.param(start(0) | 0xFFF9 << 48, True, id="high-tag"),
        pytest.param(mangled(start(0)), True, id="mangled-by-glibc"),
        pytest.param(~start(0) & (1 << 64) - 1, False, id="inverted"),
    ],
)
def test_a_root_in_each_encoding(root, reached):
    assert graph_of([[]], [root], guard=GUARD).lost().which.tolist() == [not reached]


def test_a_pointer_at_four_bytes_is_seen():
    graph = graph_of([[]], [])
    graph.add_memory(ROOTS + 4096, b"\1\2\3\4" + struct.pack("<Q", start(0)) + b"\5\6\7\1")

    assert not graph.lost().which.any()


def test_what_lies_between_blocks_is_no_root():
    between = start(0) + BLOCK

    assert graph_of([[], []], [], words=[(between, start(1))]).lost().which.tolist() == [True, True]


def test_a_list_of_free_blocks_that_was_being_changed_is_followed():
    linked = start(0) >> 12 ^ start(1)  # PROTECT_PTR

    graph = graph_of([[], []], [start(0)], words=[(start(0), linked)])
    assert not graph.lost().which.any()


def test_registers_are_roots():
    graph = graph_of([[], []], [])
    graph.add_roots(struct.pack("<3Q", 7, start(1), 0))

    assert graph.lost().which.tolist() == [True, False]
