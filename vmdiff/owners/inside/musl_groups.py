"""The use of musl's malloc (mallocng, since 1.2.1), group by group (src/malloc/mallocng/meta.h, glue.h).

Records (``struct meta``) lie in pages of their own that begin with a secret number, which proves them. Each
describes a group of equal slots, and which of those are free. A small group lies in a slot of a larger one;
one without a mapping and outside of all others lies in what the loader left over of a library's last page.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model import Kind, Usage
from vmdiff.owners.allocators.musl import GROUP
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.owned_ranges import owned_ranges
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.machine_words import raw_each, unpacked, word, word_each
from vmdiff.owners.scene import Scene

_SOURCE = "musl mallocng meta areas"
_PAGE = 4096
_AREA_HEAD, _META = 24, 40  # bytes: check, next and nslots; struct meta
_UNIT = 16  # sizes are multiples of it, and a group begins with a header of one
_READS_A_STEP = 8
_CLASSES = (
    *range(1, 11), 12, 15, 18, 20, 25, 31, 36, 42, 50, 63, 72, 84, 102, 127, 146, 170, 204, 255, 292, 340,
    409, 511, 584, 682, 818, 1023, 1169, 1364, 1637, 2047, 2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191,
)  # fmt: skip
_UNSOUND = "a record of a group contradicts its group"


class SlotGroup(NamedTuple):
    """A group of slots: where it begins, the bytes of a slot, how many there are and how many are free.

    *mapped* is the length of its mapping, 0 if it lies in memory of another one; *unused* has a bit for
    each free slot.
    """

    start: int
    stride: int
    slots: int
    free: int
    mapped: int
    unused: int

    @property
    def end(self) -> int:
        """Where its last slot ends."""
        return self.start + _UNIT + self.slots * self.stride


def musl_usage(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of musl's malloc; a process has one."""
    first = next(owned_ranges(scene, GROUP), None)
    if scene.memory is None or first is None:
        return
    areas = _areas(scene, first.start)
    if not budget.allows(steps=len(areas) * (_PAGE // _META) // _READS_A_STEP):
        yield _unknown("there are too many groups to read in the time: --inside reads them")
        return
    found, steady = two_readings(lambda: _groups(scene, areas), scene.memory)
    if found is None or not found:
        yield _unknown(_UNSOUND if steady else MOVED)
        return
    yield _usage(found, steady=steady)


def slot_groups(scene: Scene) -> tuple[SlotGroup, ...] | None:
    """Return every group of a process at rest; None where there is no musl, or its records contradict."""
    first = next(owned_ranges(scene, GROUP), None)
    if scene.memory is None or first is None:
        return None
    return _groups(scene, _areas(scene, first.start)) or None


def _unknown(reason: str) -> Usage:
    return Usage(owner=GROUP, source=_SOURCE, certainty="certain", partial=reason)


def _areas(scene: Scene, group: int) -> list[int]:
    """Return the pages of records: those that begin with the secret of the one that a group leads to."""
    meta = word(scene, group) or 0
    secret = word(scene, meta // _PAGE * _PAGE)
    pages = [
        page
        for mapping in scene.mappings
        if mapping.perms[:2] == "rw" and (mapping.kind is Kind.HEAP or mapping.holds(meta))
        for page in range(mapping.start, mapping.end, _PAGE)
    ]
    return [
        page for page, head in zip(pages, word_each(scene, pages), strict=True) if head and head == secret
    ]


def _groups(scene: Scene, areas: Sequence[int]) -> tuple[SlotGroup, ...] | None:
    """Read every record in use; None where one cannot be read or its group does not lead back to it."""
    metas: list[int] = []
    found: list[SlotGroup] = []
    for area, raw in zip(areas, raw_each(scene, areas, _PAGE), strict=True):
        if raw is None:
            return None
        for at in range(_AREA_HEAD, _PAGE - _META + 1, _META):
            _, _, memory, masks, bits = unpacked(raw[at : at + _META])
            if memory:
                metas.append(area + at)
                found.append(_group(memory, masks, bits))
    back = word_each(scene, [group.start for group in found])
    return tuple(found) if back == metas else None


def _group(memory: int, masks: int, bits: int) -> SlotGroup:
    slots, size_class, mapped = (bits & 31) + 1, bits >> 6 & 63, (bits >> 12) * _PAGE
    if slots == 1 and mapped:
        stride = mapped - _UNIT
    else:
        stride = _CLASSES[size_class] * _UNIT if size_class < len(_CLASSES) else 0
    unused = (masks | masks >> 32) & (1 << slots) - 1
    return SlotGroup(memory, stride, slots, unused.bit_count(), mapped, unused)


def _usage(groups: Sequence[SlotGroup], *, steady: bool) -> Usage:
    used: Counter[int] = Counter()
    free: Counter[int] = Counter()
    held = 0
    for group, around in _with_outer(groups):
        used[group.stride] += group.slots - group.free
        free[group.stride] += group.free
        if around is not None:
            used[around.stride] -= 1  # the slot that holds this group
        else:
            held += group.mapped or group.end - group.start
    in_use, unused = (sum(size * count for size, count in some.items()) for some in (used, free))
    if any(count < 0 for count in used.values()) or in_use + unused > held:
        return _unknown(_UNSOUND if steady else MOVED)
    return Usage(
        owner=GROUP,
        source=_SOURCE,
        certainty="certain",
        in_use=in_use,
        free=unused,
        cached=0,
        overhead=held - in_use - unused,
        blocks=used.total(),
        sizes=tuple((size, used[size], free[size]) for size in sorted(used.keys() | free.keys())),
        partial=None if steady else MOVED,
    )


def _with_outer(groups: Sequence[SlotGroup]) -> Iterator[tuple[SlotGroup, SlotGroup | None]]:
    """Yield each group with the one in a slot of which it lies."""
    around: list[SlotGroup] = []
    for group in sorted(groups, key=lambda one: (one.start, -one.end)):
        while around and around[-1].end <= group.start:
            around.pop()
        yield group, around[-1] if around else None
        around.append(group)
