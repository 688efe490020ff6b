"""Pair two sequences of blocks without crossing, at the least cost.

The cost of a pairing is, in this order: the number of blocks that changed, are gone or are new; the
difference in size; the difference in what is resident; the number of names with other numbers. It is
one integer, so that adding and comparing stay cheap. Equal heads and tails are taken off first, which
never costs anything: an exchange with the pair that they would otherwise be in is never worse. What is
left is solved exactly up to `EXACT` cells; larger problems are cut at blocks that are alike on both
sides, and, where there are none, into windows. So the work is linear in the number of blocks.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise

from vmdiff.comparison.matching.by_structure.fingerprint import Block

EXACT = 1024  # cells; two sequences of 32
_WINDOW = 24  # blocks on a side
_DEPTH = 4  # cuts within cuts before the windows

_SIZE_UNIT = 1 << 96  # sums of weights stay below: 2^64 bytes in fewer than 2^32 blocks
_CHANGE = 1 << 192

Pair = tuple[Block, Block]
Fits = Callable[[Block, Block], bool]


def assign(before: Sequence[Block], after: Sequence[Block], fits: Fits) -> list[Pair]:
    """Return pairs in order, each block in at most one and no two crossing; *fits* says what may pair.

    Blocks that are alike must fit.
    """
    return _assign(before, after, fits, 0)


def cost(before: Block | None, after: Block | None) -> int:
    """Return the cost of a pair, or of one block alone."""
    if before is None or after is None:
        block = before or after
        return 0 if block is None else _CHANGE + block.size * _SIZE_UNIT + block.weight
    if before.contents == after.contents:
        return 0
    if before.likeness == after.likeness:
        return 1
    size, weight = abs(before.size - after.size), abs(before.weight - after.weight)
    return _CHANGE + size * _SIZE_UNIT + weight


def _assign(before: Sequence[Block], after: Sequence[Block], fits: Fits, depth: int) -> list[Pair]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    found = list(zip(before[:head], after[:head], strict=True))
    inner_before = before[head : len(before) - tail]
    inner_after = after[head : len(after) - tail]
    if inner_before and inner_after:
        found += _solve(inner_before, inner_after, fits, depth)
    found += zip(before[len(before) - tail :], after[len(after) - tail :], strict=True)
    return found


def _common(before: Sequence[Block], after: Sequence[Block]) -> int:
    """Count the blocks at the head that are alike."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one.contents != other.contents:
            break
        count += 1
    return count


def _solve(before: Sequence[Block], after: Sequence[Block], fits: Fits, depth: int) -> list[Pair]:
    if len(before) * len(after) <= EXACT:
        return _exact(before, after, fits)
    cuts = _cuts(before, after) if depth < _DEPTH else []
    return _between(before, after, cuts or _windows(len(before), len(after)), fits, depth + 1)


def _exact(before: Sequence[Block], after: Sequence[Block], fits: Fits) -> list[Pair]:
    """Solve by dynamic programming, ties to the pair nearest the end."""
    alone = [cost(None, block) for block in after]
    row = [0]
    for price in alone:
        row.append(row[-1] + price)
    rows = [row]
    for one in before:
        gone = cost(one, None)
        left = row[0] + gone
        following = [left]
        for j, other in enumerate(after):
            best = min(row[j + 1] + gone, left + alone[j])
            if fits(one, other):
                best = min(best, row[j] + cost(one, other))
            following.append(best)
            left = best
        rows.append(following)
        row = following
    return _trace(before, after, rows, fits)


def _trace(before: Sequence[Block], after: Sequence[Block], rows: list[list[int]], fits: Fits) -> list[Pair]:
    pairs = []
    i, j = len(before), len(after)
    while i and j:
        one, other, best = before[i - 1], after[j - 1], rows[i][j]
        if fits(one, other) and best == rows[i - 1][j - 1] + cost(one, other):
            pairs.append((one, other))
            i, j = i - 1, j - 1
        elif best == rows[i - 1][j] + cost(one, None):
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def _cuts(before: Sequence[Block], after: Sequence[Block]) -> list[tuple[int, int]]:
    """Return places, as pairs of indices in order, at which both sequences have blocks that are alike.

    The k-th of its like on one side is held against the k-th on the other; most of them in order win.
    """
    for key in (_contents, _outline):
        places: dict[Hashable, list[int]] = {}
        for j in range(len(after) - 1, -1, -1):
            places.setdefault(key(after[j]), []).append(j)
        candidates = [(i, held.pop()) for i, one in enumerate(before) if (held := places.get(key(one)))]
        if candidates:
            return in_order(candidates)
    return []


def _contents(block: Block) -> Hashable:
    return block.contents


def _outline(block: Block) -> Hashable:
    return block.family, block.size


def in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of *pairs*, which ascend by their first, that ascends by its second too."""
    tops: list[int] = []  # the least second number that ends a run of each length
    ends: list[int] = []  # and which pair that is
    below: list[int] = []
    for at, (_, second) in enumerate(pairs):
        length = bisect_left(tops, second)
        below.append(ends[length - 1] if length else -1)
        tops[length : length + 1] = [second]
        ends[length : length + 1] = [at]
    chosen = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = below[at]
    return chosen[::-1]


def _windows(before: int, after: int) -> list[tuple[int, int]]:
    """Cut two sequences of these lengths into windows, in proportion."""
    count = -(-max(before, after) // _WINDOW)
    return [(before * k // count, after * k // count) for k in range(1, count)]


def _between(
    before: Sequence[Block], after: Sequence[Block], cuts: list[tuple[int, int]], fits: Fits, depth: int
) -> list[Pair]:
    """Solve what lies between the cuts; each cut begins the next problem, where it is its head."""
    found: list[Pair] = []
    borders = [(0, 0), *cuts, (len(before), len(after))]
    for (i, j), (next_i, next_j) in pairwise(borders):
        found += _assign(before[i:next_i], after[j:next_j], fits, depth)
    return found
