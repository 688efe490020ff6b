"""The assignment that keeps the order costs no more than any other that does."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.comparison.matching.runs import Piece, run
from vmdiff.comparison.matching.by_structure import assignment as module
from vmdiff.comparison.matching.by_structure.assignment import assign, cost, in_order
from vmdiff.comparison.matching.by_structure.fingerprint import Block, Terms, blocks

pieces = st.lists(
    st.builds(
        Piece,
        pages=st.sampled_from((1, 2, 3, 5, 8)),
        perms=st.sampled_from(("rw-p", "rw-p", "r--p")),
        rss=st.integers(0, 2),
        path=st.none(),
        offset=st.just(0),
        touches=st.booleans(),
        owner=st.none(),
        swap=st.just(0),
        build_id=st.none(),
        deleted=st.just(False),
        inode=st.just("0"),
    ),
    max_size=6,
)


def drawn(program: list[Piece]) -> list[Block]:
    return blocks(run(program), Terms(frozenset({"rss"})), {})


def fits(old: Block, new: Block) -> bool:
    return old.family.perms == new.family.perms


def cheapest(before: list[Block], after: list[Block]) -> int:
    """Try every pairing that keeps the order."""

    @cache
    def least(i: int, j: int) -> int:
        if i == len(before) or j == len(after):
            return sum(cost(block, None) for block in (*before[i:], *after[j:]))
        ways = [cost(before[i], None) + least(i + 1, j), cost(None, after[j]) + least(i, j + 1)]
        if fits(before[i], after[j]):
            ways.append(cost(before[i], after[j]) + least(i + 1, j + 1))
        return min(ways)

    return least(0, 0)


def paid(before: list[Block], after: list[Block], pairs: list[tuple[Block, Block]]) -> int:
    olds, news = {old.at for old, _ in pairs}, {new.at for _, new in pairs}
    alone = [cost(b, None) for b in before if b.at not in olds] + [
        cost(None, b) for b in after if b.at not in news
    ]
    return sum(alone) + sum(cost(old, new) for old, new in pairs)


@settings(deadline=None)
@given(pieces, pieces)
def test_no_pairing_that_keeps_the_order_is_cheaper(one: list[Piece], other: list[Piece]) -> None:
    before, after = drawn(one), drawn(other)
    pairs = assign(before, after, fits)

    assert paid(before, after, pairs) == cheapest(before, after)
    assert all(fits(old, new) for old, new in pairs)


@settings(deadline=None)
@given(pieces, pieces)
def test_pairs_are_in_order_and_no_block_is_in_two(one: list[Piece], other: list[Piece]) -> None:
    pairs = assign(drawn(one), drawn(other), fits)

    for side in (0, 1):
        places = [pair[side].at for pair in pairs]
        assert places == sorted(set(places))


@pytest.mark.parametrize("shape", ["unique", "few-sizes", "unlike", "lopsided"])
def test_long_sequences_are_paired_in_order_too(shape: str) -> None:
    one, other = _long(shape)
    before, after = drawn(one), drawn(other)
    pairs = assign(before, after, fits)

    assert [new.at for _, new in pairs] == sorted({new.at for _, new in pairs})
    assert len(pairs) >= 0.95 * min(len(before), len(after))


def _long(shape: str) -> tuple[list[Piece], list[Piece]]:
    if shape == "unique":
        return [Piece(pages=n + 1) for n in range(500)], [Piece(pages=n + 1) for n in range(480)]
    if shape == "few-sizes":
        touched = [Piece(pages=n % 7 + 1, rss=1) for n in range(500)]
        return touched, [piece._replace(rss=0) for n, piece in enumerate(touched) if n % 50]
    if shape == "unlike":
        return [Piece(pages=2 * n + 1) for n in range(300)], [Piece(pages=2 * n + 2) for n in range(300)]
    return [Piece(pages=1), Piece(pages=2)], [Piece(pages=n + 5) for n in range(2000)]


def test_a_lost_block_in_a_long_sequence_is_the_only_one_left_over() -> None:
    whole = drawn([Piece(pages=n % 11 + 1, rss=n % 3) for n in range(3000)])
    rest = whole[:1500] + whole[1501:]

    pairs = assign(whole, rest, fits)

    assert paid(whole, rest, pairs) == cost(whole[1500], None)


def test_the_work_grows_with_the_sequences_and_not_with_their_product() -> None:
    """Counts instead of timing: how often two blocks are held against each other."""
    tried = []
    for length in (1000, 2000):
        asked: list[Any] = []
        before = drawn([Piece(pages=2 * n + 1) for n in range(length)])
        after = drawn([Piece(pages=2 * n + 2) for n in range(length)])
        assign(before, after, lambda old, new, asked=asked: asked.append(0) or fits(old, new))
        tried.append(len(asked))

    assert tried[1] <= 2.2 * tried[0] <= 2.2 * 1000 * 2 * module.EXACT**0.5


@given(st.permutations(range(8)))
def test_the_longest_part_in_order_is_found(numbers: list[int]) -> None:
    found = in_order(list(enumerate(numbers)))

    assert [second for _, second in found] == sorted(second for _, second in found)
    assert len(found) == _longest(tuple(numbers))


def _longest(numbers: tuple[int, ...], above: int = -1) -> int:
    best = 0
    for at, number in enumerate(numbers):
        if number > above:
            best = max(best, 1 + _longest(numbers[at + 1 :], number))
    return best
