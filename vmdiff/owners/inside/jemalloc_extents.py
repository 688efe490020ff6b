"""The use of jemalloc's memory, extent by extent, as its map of pages leads to their records.

Sources: include/jemalloc/internal/{edata,extent_structs,rtree,sc}.h of 5.0 to 5.3. A record is a word of
bits, the address and the size of the extent. The map repeats the size class of an extent in use, and whether
it is a slab of small regions: so each layout that is known is tried, and the one that agrees with the map for
every extent is the right one.

A large extent is one block and, as jemalloc is built by default, a page more, so that the block can begin
anywhere in the first page (``--enable-cache-oblivious``). Until 5.3.0 the block has the size of its class;
5.3.1 rounds it up to pages only, and its class is the next larger one (edata_usize_get).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from vmdiff.model import Usage
from vmdiff.owners.allocators.jemalloc import jemalloc_map
from vmdiff.owners.allocators.radix_map import PageMap
from vmdiff.owners.inside.budget import Budget
from vmdiff.owners.inside.two_readings import MOVED, two_readings
from vmdiff.owners.machine_words import raw_each, unpacked
from vmdiff.owners.scene import Scene

_OWNER = "jemalloc"
_SOURCE = "jemalloc extent records"
_RECORD = 24  # bytes: bits, address, size
_PAGE = 4096
_READS_A_STEP = 8  # records are read many at a time
_CLASS_AT = 48  # of an entry: the size class is above the pointer
_SLAB = 1  # the lowest bit of an entry: the extent is a slab
_SLAB_AT = 12  # the same in a record
_ACTIVE, _DIRTY, _MUZZY, _RETAINED = range(4)
_MOST_REGIONS = 512  # of a slab: LG_SLAB_MAXREGS with pages of 4 KiB


def _size_classes() -> tuple[int, ...]:
    """Return the size of each class: four to a doubling from 128 on (include/jemalloc/internal/sc.h)."""
    sizes = [8, *range(16, 129, 16)]
    while len(sizes) < 232:
        group = 1 << (sizes[-1].bit_length() - 1)
        sizes += [group + group // 4 * step for step in (1, 2, 3, 4)]
    return tuple(sizes)


_SIZES = _size_classes()
_LARGE = _SIZES.index(4 * _PAGE)  # the first class that is not cut out of slabs


class RecordLayout(NamedTuple):
    """Where a record's word of bits has the state, the size class and the number of free regions.

    *padding* is how many bytes of a large extent are no part of its block, which has the size of its class,
    or else is of *whole_pages*.
    """

    name: str
    state_at: int
    state_bits: int
    padding: int
    whole_pages: bool = False

    @property
    def class_at(self) -> int:
        """The size class, eight bits, follows the state; the free regions, ten bits, follow it."""
        return self.state_at + self.state_bits


# 5.3 put `guarded` in front of the state and widened that.
LAYOUTS = (
    RecordLayout("5.3", 17, 3, _PAGE),
    RecordLayout("5.3", 17, 3, 0),
    RecordLayout("5.0 to 5.2", 16, 2, _PAGE),
    RecordLayout("5.0 to 5.2", 16, 2, 0),
    RecordLayout("5.3.1", 17, 3, _PAGE, whole_pages=True),
    RecordLayout("5.3.1", 17, 3, 0, whole_pages=True),
)


class JemallocExtent(NamedTuple):
    """One extent: its bytes, its record's word of bits, and what the map has on its pages.

    *address* is that of its first block, which in a large extent need not be where the extent begins.
    Pages inside an extent may have entries of extents that were there before.
    """

    size: int
    bits: int
    entries: frozenset[int]
    record: int
    address: int

    @property
    def is_slab(self) -> bool:
        """Whether it is cut into regions of one size."""
        return bool(self.bits >> _SLAB_AT & 1)

    @property
    def is_shifted(self) -> bool:
        """Whether its first block begins within a page: then it has a page more than the block."""
        return self.address % _PAGE != 0


def jemalloc_usage(scene: Scene, budget: Budget) -> Iterator[Usage]:
    """Yield the use of all of a process's jemalloc arenas together.

    Blocks in the caches of threads count as in use, as in jemalloc's own statistics.
    """
    if scene.memory is None or scene.word_size != 8:
        return
    pages = jemalloc_map(scene)
    if pages is None:
        return
    entries = _entries(scene, pages)
    if not budget.allows(steps=len(entries) // _READS_A_STEP):
        yield _unknown(f"{len(entries):,} extents are too many to read in the time: --inside reads them")
        return
    found, steady = two_readings(lambda: _extents(scene, entries), scene.memory)
    layout = next((one for one in LAYOUTS if found is not None and _agrees(one, found)), None)
    if found is None or layout is None:
        yield _unknown("its records are laid out in a way that is not known" if steady else MOVED)
        return
    yield _usage(layout, found, steady=steady)


class ActiveExtent(NamedTuple):
    """An extent in use: its record, its first block, the bytes of a block and how many there are.

    *free* is how many of the blocks are free, None in a large extent, which has one block in use.
    """

    record: int
    start: int
    block: int
    blocks: int
    free: int | None


def active_extents(scene: Scene) -> list[ActiveExtent] | None:
    """Return jemalloc's extents in use; None where there is no jemalloc, or its records are not known."""
    pages = None if scene.memory is None or scene.word_size != 8 else jemalloc_map(scene)
    found = None if pages is None else _extents(scene, _entries(scene, pages))
    layout = next((one for one in LAYOUTS if found and _agrees(one, found)), None)
    if found is None or layout is None:
        return None
    return [_active(layout, extent) for extent in found if _state(layout, extent) == _ACTIVE]


def _active(layout: RecordLayout, extent: JemallocExtent) -> ActiveExtent:
    block = _block(layout, extent)
    if not extent.is_slab:
        return ActiveExtent(extent.record, extent.address, block, 1, None)
    return ActiveExtent(extent.record, extent.address, block, extent.size // block, _free(layout, extent))


def _unknown(reason: str) -> Usage:
    return Usage(owner=_OWNER, source=_SOURCE, certainty="certain", partial=reason)


def _entries(scene: Scene, pages: PageMap) -> dict[int, frozenset[int]]:
    """Return the entries of the map by the record that they lead to."""
    found: set[int] = set()
    for mapping in scene.mappings:
        if mapping.perms[:2] == "rw" and mapping.perms[3] == "p" and mapping.path in {None, "[heap]"}:
            for raw in pages.entries(mapping.start, mapping.end):
                found.update(memoryview(raw).cast("Q"))
    by_record: dict[int, set[int]] = {}
    for entry in found:
        by_record.setdefault(entry & pages.form.mask, set()).add(entry)
    return {record: frozenset(entries) for record, entries in by_record.items() if record}


def _extents(scene: Scene, entries: Mapping[int, frozenset[int]]) -> tuple[JemallocExtent, ...] | None:
    """Read the record of every extent; None where one cannot be read or is none."""
    found = []
    for place, raw in zip(entries, raw_each(scene, list(entries), _RECORD), strict=True):
        record = unpacked(raw)
        if not record or scene.at(record[1] // _PAGE * _PAGE) is None:
            return None
        found.append(JemallocExtent(record[2] // _PAGE * _PAGE, record[0], entries[place], place, record[1]))
    return tuple(found)


def _agrees(layout: RecordLayout, extents: Sequence[JemallocExtent]) -> bool:
    """Return whether a layout fits: extents in use have the class that the map has, and slabs room for it."""
    active = [extent for extent in extents if _state(layout, extent) == _ACTIVE]
    return bool(active) and all(_is_sound(layout, extent) for extent in active)


def _is_sound(layout: RecordLayout, extent: JemallocExtent) -> bool:
    size_class = _class(layout, extent)
    told = {(entry >> _CLASS_AT, bool(entry & _SLAB)) for entry in extent.entries}
    if (size_class, extent.is_slab) not in told or size_class >= len(_SIZES):
        return False
    count, rest = divmod(extent.size, _SIZES[size_class])
    if extent.is_slab:
        return not rest and _free(layout, extent) <= count <= _MOST_REGIONS
    if size_class < _LARGE:  # a small block that profiling put into an extent of its own
        return _SIZES[size_class] <= extent.size
    size = extent.size - layout.padding
    least = _SIZES[size_class - 1] + 1 if layout.whole_pages else _SIZES[size_class]
    return least <= size <= _SIZES[size_class] and (layout.padding > 0 or not extent.is_shifted)


def _block(layout: RecordLayout, extent: JemallocExtent) -> int:
    """Return the bytes of each block of an extent in use."""
    size_class = _class(layout, extent)
    alone = not extent.is_slab and size_class >= _LARGE
    return extent.size - layout.padding if alone else _SIZES[size_class]


def _state(layout: RecordLayout, extent: JemallocExtent) -> int:
    return extent.bits >> layout.state_at & (1 << layout.state_bits) - 1


def _class(layout: RecordLayout, extent: JemallocExtent) -> int:
    return extent.bits >> layout.class_at & 0xFF


def _free(layout: RecordLayout, extent: JemallocExtent) -> int:
    return extent.bits >> layout.class_at + 8 & 0x3FF


def _usage(layout: RecordLayout, extents: Sequence[JemallocExtent], *, steady: bool) -> Usage:
    used: Counter[int] = Counter()
    free: Counter[int] = Counter()
    held: Counter[int] = Counter()  # bytes by state
    for extent in extents:
        held[_state(layout, extent)] += extent.size
        if _state(layout, extent) != _ACTIVE:
            continue
        size = _block(layout, extent)
        unused = _free(layout, extent) if extent.is_slab else 0
        used[size] += extent.size // size - unused if extent.is_slab else 1
        free[size] += unused
    in_use, in_slabs = (sum(size * count for size, count in some.items()) for some in (used, free))
    padded = not layout.whole_pages or not layout.padding or any(extent.is_shifted for extent in extents)
    return Usage(
        owner=_OWNER,
        source=f"jemalloc {layout.name} extent records",
        certainty="certain" if padded else "likely",  # a page of each large block may be part of it
        in_use=in_use,
        free=in_slabs + held[_DIRTY] + held[_MUZZY],
        overhead=held[_ACTIVE] - in_use - in_slabs,
        releasable=held[_DIRTY] + held[_MUZZY],
        reserved=held[_RETAINED],
        blocks=used.total(),
        sizes=tuple((size, used[size], free[size]) for size in sorted(used)),
        partial=None if steady else MOVED,
    )
