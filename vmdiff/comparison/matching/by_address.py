"""Group the mappings of two snapshots of one address space that stand on the same ground.

Matching by start address fails in practice: a growing anonymous mapping keeps its end and lowers
its start, the kernel merges neighbours that become alike, and mprotect splits. So regions are the
connected groups of overlapping mappings. Both sides arrive ordered and disjoint (a `Snapshot`
cannot be built otherwise), so one sweep up the addresses finds them: a region ends wherever neither
side has a mapping that reaches across.

What a region *means* is for `vmdiff.comparison.compare` to say.
"""

from collections.abc import Sequence
from itertools import repeat
from operator import concat, itemgetter

from vmdiff.comparison.matching.region import Region
from vmdiff.model import Mapping

_PLAIN = Region((), ())[2:]  # what is so of every region that was matched by address


def regions(before: Sequence[Mapping], after: Sequence[Mapping]) -> list[Region]:
    """Return every region, lowest address first; each mapping lies in exactly one.

    Mappings that only touch stay apart: ranges are half-open, and neighbours may differ in nothing
    but their permissions. All mappings must have both bounds.
    """
    if _bounds(before) == _bounds(after):
        # Nothing was mapped or unmapped, as between most snapshots that are taken close together.
        sides = zip(zip(before), zip(after), strict=True)
        rows = map(concat, sides, repeat(_PLAIN))
        # Same as Region(...), but skips NamedTuple.__new__ (hot path).
        return list(map(tuple.__new__, repeat(Region), rows))
    found: list[Region] = []
    i = j = 0
    while i < len(before) and j < len(after):
        one, other = before[i], after[j]
        if one.start == other.start and one.end == other.end:  # by far the most, and nothing overlaps them
            found.append(Region((one,), (other,)))
            i += 1
            j += 1
        elif one.end <= other.start:  # type: ignore[operator]  # both bounds are known
            found.append(Region((one,), ()))
            i += 1
        elif other.end <= one.start:  # type: ignore[operator]
            found.append(Region((), (other,)))
            j += 1
        else:
            first_before, first_after = i, j
            i, j = _reach(before, after, i, j)
            found.append(Region(tuple(before[first_before:i]), tuple(after[first_after:j])))
    found += [Region((one,), ()) for one in before[i:]]
    found += [Region((), (other,)) for other in after[j:]]
    return found


def _bounds(mappings: Sequence[Mapping]) -> tuple[list[int | None], list[int | None]]:
    return list(map(itemgetter(0), mappings)), list(map(itemgetter(1), mappings))


def _reach(before: Sequence[Mapping], after: Sequence[Mapping], i: int, j: int) -> tuple[int, int]:
    """Return the indices after the region that starts with overlapping ``before[i]`` and ``after[j]``."""
    reach = 0
    while True:
        if i < len(before) and (before[i].start < reach or not reach):  # type: ignore[operator]
            reach = max(reach, before[i].end)  # type: ignore[type-var,assignment]
            i += 1
        elif j < len(after) and after[j].start < reach:  # type: ignore[operator]
            reach = max(reach, after[j].end)  # type: ignore[type-var,assignment]
            j += 1
        else:
            return i, j
