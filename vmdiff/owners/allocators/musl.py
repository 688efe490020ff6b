"""The memory of musl's malloc (mallocng, since 1.2.1), by its records (src/malloc/mallocng/meta.h).

Every group of slots, and every large block by itself, begins with the address of its `meta`, which
is elsewhere and has the group's address and the length of its mapping. The metas are in what brk gave.
"""

import struct
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from vmdiff.model import Kind
from vmdiff.owners.allocators.plain_runs import PlainRun, plain_runs
from vmdiff.owners.claim import Claim
from vmdiff.owners.scene import Scene

GROUP = "musl malloc"

# struct meta: prev, next, mem, two masks, and a word whose upper 52 bits are the length in pages.
_META = struct.Struct("<3Q2IQ")
_PAGE = 4096  # mallocng counts in these whatever the processor has
_MOST_PAGES = 131_072  # that begin no group and are looked at
_FEW, _MANY = 16, 1024  # pages that are looked at together: more of them the longer nothing is found

_HOW = "groups of musl's malloc, whose records elsewhere lead back to them"
_BRK = "the records of musl's malloc are in it, and nothing else calls brk there"


class _FoundGroup(NamedTuple):
    start: int
    end: int
    meta: int


def musl(scene: Scene) -> Iterator[Claim]:
    """Claim the groups of musl's malloc, and what brk gave for its records."""
    if not scene.can_read or scene.word_size != 8 or not _may_be_musl(scene):
        return
    found = sorted(_groups(scene))
    for first, last, count in _joined(found):
        yield Claim(first, last, GROUP, "record", _HOW, f"{count} groups" if count > 1 else None)
    is_mapped = scene.has_musl
    for mapping in scene.mappings:
        if mapping.kind is Kind.HEAP and (is_mapped or any(mapping.holds(group.meta) for group in found)):
            yield Claim(mapping.start, mapping.end, "malloc heap", "record", _BRK)


def _may_be_musl(scene: Scene) -> bool:
    """Return whether the C library is or may be musl: it is mapped, or the program is static."""
    return len(scene.objects) == 1 or scene.has_musl


def _groups(scene: Scene) -> Iterator[_FoundGroup]:
    left = _MOST_PAGES
    for run in sorted(plain_runs(scene), key=lambda run: run.end - run.start):
        at, batch = run.start, _FEW
        while at < run.end and left > 0:
            places = range(at, min(run.end, at + batch * _PAGE), _PAGE)
            group = next(_first(scene, places, run), None)
            at = places.stop if group is None else group.end
            left -= len(places) if group is None else (group.start - places.start) // _PAGE
            batch = min(2 * batch, _MANY) if group is None else _FEW
            if group is not None:
                yield group


def _first(scene: Scene, places: Sequence[int], run: PlainRun) -> Iterator[_FoundGroup]:
    heads = scene.memory.read_many(places, 8) if scene.memory else []
    for place, head in zip(places, heads, strict=True):
        if group := _group(scene, place, int.from_bytes(head or b"", "little"), run):
            yield group


def _group(scene: Scene, address: int, meta: int, run: PlainRun) -> _FoundGroup | None:
    """Return the group at *address* that a record at *meta* describes, if it does."""
    if not meta or meta % 8 or scene.at(meta) is None:
        return None
    raw = scene.read(meta, _META.size)
    if raw is None:
        return None
    *_, memory, _, _, bits = _META.unpack(raw)
    end = address + (bits >> 12) * _PAGE
    return _FoundGroup(address, end, meta) if memory == address < end <= run.end else None


def _joined(groups: list[_FoundGroup]) -> Iterator[tuple[int, int, int]]:
    """Join groups that touch; yield the bounds and the number of each stretch."""
    ends = {group.end for group in groups}
    numbers: list[int] = []
    for group in groups:
        numbers.append((numbers[-1] if numbers else 0) + (group.start not in ends))
    for _, alike in groupby(zip(numbers, groups, strict=True), key=lambda pair: pair[0]):
        stretch = [group for _, group in alike]
        yield stretch[0].start, stretch[-1].end, len(stretch)
