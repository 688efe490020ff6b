"""Find the records of glibc's malloc: its arenas (``struct malloc_state``) and ``mp_``.

glibc keeps its arenas in a circle through ``next``; the main one is a variable of libc.so, each other
lies behind the ``heap_info`` at the start of its first heap. None of them needs a symbol: the proof of an
arena is that the circle leads back to it. Sources: malloc/malloc.c, malloc/arena.c of glibc 2.26 to 2.43.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import Kind
from vmdiff.owners.allocators.scattered_arena import find_regions
from vmdiff.owners.claim import Learned
from vmdiff.owners.mapped_objects import MappedObject
from vmdiff.owners.object_constants import Constants
from vmdiff.owners.scene import Scene, is_plain

_MOST_ARENAS = 16_384
_MOST_HEAPS = 65_536
_MOST_THREADS = 1 << 22
_LARGEST_DATA = 1 << 20
_BIN_WORDS = 254  # 127 bins, a pointer to the first and one to the last chunk each
_BINMAP = 16  # bytes
_MMAP_MAX = 65_536  # DEFAULT_MMAP_MAX
_FLAGS = 7  # PREV_INUSE, IS_MMAPPED, NON_MAIN_ARENA
_NONCONTIGUOUS = 2  # of an arena's flags: not all of it is from brk

# HEAP_MAX_SIZE by the bytes of a word (2 * DEFAULT_MMAP_THRESHOLD_MAX), and what hugetlb=2 makes of it.
HEAP_SIZE = {8: 64 << 20, 4: 1 << 20}
_HUGE_PAGES_OF_HEAP = 4
_MAP_HUGETLB = 0x40000
_MORECORE_SIZE = 1 << 20  # MMAP_AS_MORECORE_SIZE
_VERSION = re.compile(rb"GNU C Library [^\0\n]{0,200}?release version (\d+\.\d+)")


class StateLayout(NamedTuple):
    """Where the fields of ``malloc_state`` are, in words of *word* bytes."""

    word: int
    fast: int
    fast_bins: int
    top: int

    @property
    def bins(self) -> int:
        """The first bin; ``last_remainder`` is between ``top`` and it."""
        return self.top + 2

    @property
    def next(self) -> int:
        """The next arena of the circle, behind the bins and their map of bits."""
        return self.bins + _BIN_WORDS + _BINMAP // self.word

    @property
    def threads(self) -> int:
        """The number of threads attached, behind ``next_free``."""
        return self.next + 2

    @property
    def system(self) -> int:
        """The bytes that the arena has from the kernel; their peak follows."""
        return self.threads + 1

    @property
    def length(self) -> int:
        """The words of the whole record."""
        return self.system + 2


# The newest first. Before the bins: a lock and flags (two ints); 2.27 added the int ``have_fastchunks``
# (commit 3381be5cde), 2.43 removed it with the fast bins.
LAYOUTS = (
    StateLayout(8, fast=2, fast_bins=10, top=12),
    StateLayout(8, fast=1, fast_bins=0, top=1),
    StateLayout(8, fast=1, fast_bins=10, top=11),
    StateLayout(4, fast=3, fast_bins=11, top=14),
    StateLayout(4, fast=2, fast_bins=0, top=2),
    StateLayout(4, fast=2, fast_bins=11, top=13),
)


class HeapSegment(NamedTuple):
    """A stretch of one arena that is full of chunks: from the first one to the end of what it got."""

    start: int
    end: int


class MallocArena(NamedTuple):
    """One arena as it was read: its record, and where its chunks are.

    *heap_size* is what a heap of any further arena is aligned to and reserves. *overhead* is what lies in
    front of the chunks of its segments (``heap_info``, ``malloc_state``, alignment), *reserved* what its
    heaps have set aside beyond what they use. *segments* are in the order of age, and empty where they do
    not add up to what the arena got from the kernel.
    """

    address: int
    layout: StateLayout
    state: Sequence[int]
    is_main: bool
    heap_size: int
    segments: tuple[HeapSegment, ...]
    overhead: int
    reserved: int

    @property
    def is_scattered(self) -> bool:
        """Whether it is a main arena that has more than what brk gave."""
        return self.is_main and _is_scattered(self.layout, self.state)

    @property
    def top(self) -> int:
        """The address of the chunk at the end of the newest segment."""
        return self.state[self.layout.top]

    @property
    def system(self) -> int:
        """The bytes that it has from the kernel."""
        return self.state[self.layout.system]


class LargeBlocks(NamedTuple):
    """What ``mp_`` counts of blocks with mappings of their own; *huge_page* is 0 for pages of usual size.

    *is_exact* is whether *size* is what they have. 2.43 counts a header's length too much each time that
    ``realloc`` changes a block's pages (``mremap_chunk`` subtracts the old size without it). Rounded down to
    whole pages the sum is right for the first 256 times (512 on 32 bits); later it is too large.
    """

    blocks: int
    size: int
    huge_page: int = 0
    is_exact: bool = True


class Glibc(NamedTuple):
    """The records of one process; *version* is None where the file does not tell."""

    version: str | None
    arenas: tuple[MallocArena, ...]
    large: LargeBlocks | None


@dataclass(frozen=True, slots=True)
class GlibcPlace(Learned):
    """Where a process has the main arena, None where it has none: that stays as long as it lives.

    *version* is None where the library does not tell.
    """

    main: tuple[int, StateLayout] | None
    version: str | None


class Grounds:
    """The memory where chunks may be: readable and writable."""

    def __init__(self, scene: Scene) -> None:
        self._at = scene.writable.at

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and self._at(address) is not None


def words(scene: Scene, address: int, count: int) -> Sequence[int] | None:
    """Return *count* words of the process at *address*, or None where they cannot be read."""
    raw = scene.read(address, count * scene.word_size)
    return None if raw is None else memoryview(raw).cast("Q" if scene.word_size == 8 else "I")


def find_glibc(scene: Scene) -> Glibc | None:
    """Find the arenas of a process, the main one first; None where there is no glibc or no arena.

    A place that a rule did not find is looked for again: the circle may have moved under its reader.
    """
    place = scene.settled.learned(GlibcPlace)
    if place is None or place.main is None:
        place = locate_glibc(scene)
    return read_glibc(scene, place)


def read_glibc(scene: Scene, place: GlibcPlace) -> Glibc | None:
    """Read the arenas as they are now, the main one first; None where there is none."""
    if place.main is None:
        return None
    address, layout = place.main
    large = find_large_blocks(scene, layout)
    huge = large.huge_page if large else 0
    step = _HUGE_PAGES_OF_HEAP * huge or HEAP_SIZE[layout.word]
    circle = _circle(scene, address, layout)
    arenas = tuple(_arena(scene, at, layout, state, step, is_main=at == address) for at, state in circle)
    return Glibc(place.version, arenas, large) if arenas else None  # none is there any more once it has ended


def locate_glibc(scene: Scene) -> GlibcPlace:
    """Look for the main arena and the version of the C library."""
    library = scene.find_object("libc.so.6", "libc-2.")
    main = _main_arena(scene, library)
    version = None if main is None or library is None else _version(scene, library)
    return GlibcPlace(main, version)


def _version(scene: Scene, library: MappedObject) -> str | None:
    """Return the version that the library's banner names."""
    for _, raw in Constants(scene, library.mappings).segments():
        if found := _VERSION.search(raw):
            return found[1].decode()
    return None


def _main_arena(scene: Scene, library: MappedObject | None) -> tuple[int, StateLayout] | None:
    """Find the main arena in libc's data, or of a static program by its symbol."""
    grounds = Grounds(scene)
    if library is not None:
        places: Iterator[tuple[int, StateLayout]] = _like_arenas(scene, library)
    else:
        places = _in_static_program(scene)
    for address, layout in places:
        state = words(scene, address, layout.length)
        if state and _is_arena(state, address, layout, grounds) and _returns(scene, address, layout, grounds):
            return address, layout
    return None


def _in_static_program(scene: Scene) -> Iterator[tuple[int, StateLayout]]:
    """Yield where a static program that uses brk may have the main arena: its symbol, or anything like it."""
    program = scene.executable
    if program is None or scene.has_musl or not scene.of_kind(Kind.HEAP):
        return
    symbol = program.symbols(["main_arena"]).get("main_arena")
    if symbol is not None:
        yield from ((symbol, layout) for layout in _layouts(scene))
    else:
        yield from _like_arenas(scene, program)


def _layouts(scene: Scene) -> list[StateLayout]:
    return [layout for layout in LAYOUTS if layout.word == scene.word_size]


def _like_arenas(scene: Scene, library: MappedObject) -> Iterator[tuple[int, StateLayout]]:
    """Yield where in the library's data a record may be.

    Two words may be the bytes from the kernel and their peak; in an arena that has none, ``top`` and the
    first bin lead to the bin itself.
    """
    size, layouts = scene.word_size, _layouts(scene)
    for start, data in variables(scene, library):
        for at, (system, peak) in enumerate(pairwise(data)):
            if 0 < system <= peak and not (system | peak) & 4095:
                yield from ((start + (at - layout.system) * size, layout) for layout in layouts)
            elif system == peak == start + (at - 2) * size and at >= 2 and data[at - 2] == system:
                yield from ((start + (at - layout.bins) * size, layout) for layout in layouts)


def variables(scene: Scene, library: MappedObject) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield address and words of the initialised data of an object."""
    for mapping in library.mappings:
        length = min(mapping.size, _LARGEST_DATA)
        found = mapping.perms[:2] == "rw" and words(scene, mapping.start, length // scene.word_size)
        if found:
            yield mapping.start, found


def _is_arena(state: Sequence[int], address: int, layout: StateLayout, grounds: Grounds) -> bool:
    """Check the record: sizes that fit, a top in memory, and bins that are empty or lead into memory."""
    system, peak = state[layout.system], state[layout.system + 1]
    unused = state[layout.top] == address + layout.top * layout.word
    if (
        not (0 < system <= peak or unused)
        or state[layout.threads] > _MOST_THREADS
        or state[layout.top] not in grounds
    ):
        return False
    bin_at = address + layout.bins * layout.word - 2 * layout.word  # as if the bin were a chunk
    for at in range(layout.bins, layout.bins + _BIN_WORDS, 2):
        first, last = state[at], state[at + 1]
        if (first == bin_at) != (last == bin_at):
            return False
        if first != bin_at and (first not in grounds or last not in grounds):
            return False
        bin_at += 2 * layout.word
    return True


def _returns(scene: Scene, address: int, layout: StateLayout, grounds: Grounds) -> bool:
    """Follow the circle of arenas; return whether it leads back to *address*."""
    at = address
    for _ in range(_MOST_ARENAS):
        found = words(scene, at + layout.next * layout.word, 1)
        if found is None or found[0] not in grounds:
            return False
        at = found[0]
        if at == address:
            return True
    return False


def _circle(scene: Scene, main: int, layout: StateLayout) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield the address and the record of every arena, the main one first."""
    at = main
    for _ in range(_MOST_ARENAS):
        state = words(scene, at, layout.length)
        if state is None:
            return
        yield at, state
        at = state[layout.next]
        if at == main:
            return


def _arena(
    scene: Scene, address: int, layout: StateLayout, state: Sequence[int], step: int, *, is_main: bool
) -> MallocArena:
    found = _main(scene, layout, state, step) if is_main else _heaps(scene, address, layout, state, step)
    held = sum(segment.end - segment.start for segment in found.segments) + found.overhead
    whole = held == state[layout.system]
    return MallocArena(
        address, layout, state, is_main, step, found.segments if whole else (), found.overhead, found.reserved
    )


class _Extent(NamedTuple):
    segments: tuple[HeapSegment, ...]
    overhead: int
    reserved: int


def _main(scene: Scene, layout: StateLayout, state: Sequence[int], step: int) -> _Extent:
    """Return the segments of the main arena: one that brk gave, or several if brk failed at some time."""
    if not _is_scattered(layout, state):
        return _brk(scene, layout, state)
    least = scene.page_size if layout.fast_bins else _least_region(layout, step)
    regions = find_regions(scene, state[layout.top], state[layout.system], least)
    segments = tuple(HeapSegment(_aligned(region.start, layout.word), region.end) for region in regions)
    overhead = sum(segment.start - region.start for segment, region in zip(segments, regions, strict=True))
    return _Extent(segments, overhead, 0)


def _least_region(layout: StateLayout, step: int) -> int:
    """Return the least that 2.43 maps where brk fails; 2.35 to 2.37 map less.

    They hand the least and the page size to ``sysmalloc_mmap_fallback`` in the wrong order.
    """
    in_huge_pages = step != HEAP_SIZE[layout.word]
    return min(_MORECORE_SIZE, step // _HUGE_PAGES_OF_HEAP) if in_huge_pages else _MORECORE_SIZE


def _is_scattered(layout: StateLayout, state: Sequence[int]) -> bool:
    """Return whether an arena's flags, which follow its lock, have NONCONTIGUOUS_BIT."""
    flags = state[0] >> 32 if layout.word == 8 else state[1]
    return bool(flags & _NONCONTIGUOUS)


def _brk(scene: Scene, layout: StateLayout, state: Sequence[int]) -> _Extent:
    """Return the segment of the main arena: what brk gave, up to the end of its top chunk."""
    top = state[layout.top]
    head = words(scene, top + layout.word, 1)
    mapping = scene.at(top)
    if head is None or mapping is None:
        return _Extent((), 0, 0)
    end = top + (head[0] & ~_FLAGS)
    begin = end - state[layout.system]
    start = _aligned(begin, layout.word)
    held = scene.at(start)
    # A core file does not name the heap: then the first chunk tells it, which begins where a mapping does.
    unnamed = is_plain(mapping) and held is mapping and mapping.start == begin
    if held is None or not (mapping.kind is held.kind is Kind.HEAP or unnamed):
        return _Extent((), 0, 0)
    return _Extent((HeapSegment(start, end),), start - begin, 0)


def _aligned(address: int, word: int) -> int:
    """Return where the first chunk from *address* on begins: what follows its header is aligned to 16."""
    return -(-(address + 2 * word) // 16) * 16 - 2 * word


def _heaps(scene: Scene, address: int, layout: StateLayout, state: Sequence[int], step: int) -> _Extent:
    """Follow the heaps of an arena from its newest, which holds its top, to its first."""
    first = address // step * step
    info = address - first  # the arena's record follows the heap_info of its first heap
    at = state[layout.top] // step * step
    found: list[HeapSegment] = []
    overhead = reserved = 0
    while len(found) < _MOST_HEAPS:
        head = words(scene, at, 4)
        if head is None or head[0] != address or not 0 < head[2] <= head[3] <= step:
            return _Extent((), 0, 0)
        body = at + info + (layout.length * layout.word if at == first else 0)
        start = _aligned(body, layout.word) if at == first else body
        found.append(HeapSegment(start, at + head[2]))
        overhead += start - at
        reserved += step - head[2]
        if at == first:
            return _Extent(tuple(reversed(found)), overhead, reserved)
        at = head[1]
    return _Extent((), 0, 0)


def find_large_blocks(scene: Scene, layout: StateLayout) -> LargeBlocks | None:
    """Find ``mp_`` by what it holds side by side: counts of large blocks, their bytes, where brk began.

    Where brk failed from the first call on, the first region that was mapped instead stands for it.

    Before ``sbrk_base`` it has n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold (ints), mmapped_mem and
    max_mmapped_mem (words). Since 2.35 a fifth int in front makes 64 bits fill up a word behind them.
    """
    library = scene.find_object("libc.so.6", "libc-2.") or scene.executable
    if library is None:
        return None
    found = [
        held
        for start, data in variables(scene, library)
        for held in _like_parameters(bytes(data), layout)
        if held.base == 0 or _may_be_first(scene, held.base)
    ]
    # An object that never had a large block looks like four zeros: any other is the one.
    best = max(found, key=lambda held: (held.peak > 0, held.base > 0), default=None)
    if best is None:
        return None
    whole = best.size // scene.page_size * scene.page_size
    return LargeBlocks(best.blocks, whole, best.huge_page, is_exact=layout.fast_bins > 0)


def _may_be_first(scene: Scene, base: int) -> bool:
    """Return whether what the main arena got first may begin at *base*."""
    held = scene.at(base)
    if held is None or not (held.kind is Kind.HEAP or is_plain(held)):
        return False
    return base - held.start < scene.page_size if held.kind is Kind.HEAP else base % scene.page_size == 0


class _Parameters(NamedTuple):
    """The fields of ``mp_`` that tell it."""

    blocks: int
    size: int
    peak: int
    base: int
    huge_page: int


def _like_parameters(raw: bytes, layout: StateLayout) -> Iterator[_Parameters]:
    """Yield what may be ``mp_``'s counts, sizes and ``sbrk_base``: DEFAULT_MMAP_MAX stands among them."""
    word, spelt = layout.word, _MMAP_MAX.to_bytes(4, "little")
    form = struct.Struct("<3Q" if word == 8 else "<3I")
    at = raw.find(spelt)
    while at >= 0:
        behind = -(-(at + 12) // word) * word
        if at % 4 == 0 and at >= 4 and behind + form.size <= len(raw):
            count, _, most = struct.unpack_from("<3i", raw, at - 4)
            size, peak, base = form.unpack_from(raw, behind)
            if 0 <= count <= most and size <= peak and _may_be_sums(count, size, peak, layout):
                yield _Parameters(count, size, peak, base, _huge_page(raw, at - 8, word))
        at = raw.find(spelt, at + 1)


def _may_be_sums(count: int, size: int, peak: int, layout: StateLayout) -> bool:
    """Return whether *count* blocks may have *size* bytes: whole pages, before 2.43 nothing beyond them."""
    if layout.fast_bins:
        return (count == 0) == (size == 0) and not peak & 4095
    return count * 4096 <= size and not (size | peak) % (2 * layout.word)


def _huge_page(raw: bytes, flags_at: int, word: int) -> int:
    """Return ``hp_pagesize``, in front of ``hp_flags``: the pages of hugetlb=2 (since 2.35), 0 if not set."""
    if flags_at < word or not int.from_bytes(raw[flags_at : flags_at + 4], "little") & _MAP_HUGETLB:
        return 0
    size = int.from_bytes(raw[flags_at - word : flags_at], "little")
    return size if size > 1 << 16 and not size & size - 1 else 0
