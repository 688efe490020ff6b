"""What an owner rule may look at: the layout of a process, its objects, its threads and its memory."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from vmdiff.model import AddressIndex, Kind, Mapping, Owner, Part, PlacedMapping, Snapshot
from vmdiff.model.mapping import traits
from vmdiff.owners.claim import SettledMemory
from vmdiff.owners.known_files import KnownFiles
from vmdiff.owners.mapped_objects import MappedObject, mapped_objects
from vmdiff.owners.memory_port import Memory

_DEFAULT_PAGE = 4096
_LARGEST_GUARD = 1 << 20
_OUT_OF_RSS = ("swap", "private_hugetlb")


class OwnedRange(NamedTuple):
    """A stretch of memory, and whose it is."""

    start: int
    end: int
    owner: Owner | Part


class Scene:
    """A snapshot, the process's memory where it can be read, and what earlier rules settled.

    *known* is what was learnt of program files, in other processes of a set among them.
    """

    def __init__(
        self, snapshot: Snapshot, memory: Memory | None = None, known: KnownFiles | None = None
    ) -> None:
        self.snapshot = snapshot
        self.memory = memory
        self.known = KnownFiles() if known is None else known
        self.settled = SettledMemory()

    def after(self, settled: SettledMemory) -> "Scene":
        """Return the same scene for the next rule, which sees what the rules before it have settled."""
        later = copy(self)  # with all that was computed of the layout
        later.settled = settled
        return later

    def with_owners(self, snapshot: Snapshot, memory: Memory | None) -> "Scene":
        """Return the scene of the same layout for those who look for what owners do with their memory.

        *snapshot* has the same mappings, with owners, maybe later counters. What the rules learned is kept,
        and of what was computed of the layout what does not hold mappings.
        """
        owned = Scene(snapshot, memory, self.known)
        owned.settled = self.settled
        owned.__dict__["_alike"] = self._alike
        return owned

    @property
    def mappings(self) -> tuple[PlacedMapping, ...]:
        """The mappings that have both bounds, in address order."""
        return self.snapshot.placed

    @cached_property
    def page_size(self) -> int:
        """The size of a page in bytes, 4096 where the snapshot does not tell."""
        size = self.snapshot.host.page_size or 0
        return size if size >= _DEFAULT_PAGE and not size & size - 1 else _DEFAULT_PAGE

    @cached_property
    def word_size(self) -> int:
        """The bytes of a word of the process: 4 if all of it lies in the first 4 GiB, else 8."""
        return 8 if any(mapping.end > 1 << 32 for mapping in self.mappings[-1:]) else 4

    def at(self, address: int) -> PlacedMapping | None:
        """Return the mapping that holds *address*."""
        return self.snapshot.by_address.at(address)

    def within(self, start: int, end: int) -> Sequence[PlacedMapping]:
        """Return the mappings that overlap ``[start, end)``."""
        return self.snapshot.by_address.within(start, end)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the half-open range of indices of the mappings that overlap ``[start, end)``."""
        return self.snapshot.by_address.span(start, end)

    @cached_property
    def _alike(self) -> dict[tuple[str, Kind, str | None], list[int]]:
        """The places of the mappings by permissions, kind and path: these are few where mappings are many."""
        found: defaultdict[tuple[str, Kind, str | None], list[int]] = defaultdict(list)
        for place, key in enumerate(traits(self.mappings)):
            found[key].append(place)
        return dict(found)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths and names that mappings have; one may be there twice."""
        return tuple(path for _, _, path in self._alike if path is not None)

    def places(self, wanted: Callable[[str, Kind, str | None], bool]) -> Sequence[int]:
        """Return, in order, the places in `mappings` of those whose permissions, kind and path are *wanted*.

        The question is asked once for all mappings that are alike, so that a rule that looks for something
        rare costs nothing in a process with many mappings.
        """
        chosen = [places for key, places in self._alike.items() if wanted(*key)]
        return chosen[0] if len(chosen) == 1 else sorted(chain.from_iterable(chosen))

    def select(self, wanted: Callable[[str, Kind, str | None], bool]) -> tuple[PlacedMapping, ...]:
        """Return, in address order, the mappings whose permissions, kind and path are *wanted*."""
        return tuple(map(self.mappings.__getitem__, self.places(wanted)))

    @property
    def unplaced(self) -> Iterable[tuple[int, Mapping]]:
        """The mappings without bounds, each with its place in the snapshot."""
        if len(self.mappings) == len(self.snapshot.mappings):
            return ()
        every = enumerate(self.snapshot.mappings)
        return ((place, mapping) for place, mapping in every if not isinstance(mapping, PlacedMapping))

    def of_kind(self, *kinds: Kind) -> tuple[PlacedMapping, ...]:
        """Return, in address order, the mappings of some *kinds*."""
        return self.select(lambda _, kind, __: kind in kinds)

    @cached_property
    def plain(self) -> tuple[PlacedMapping, ...]:
        """The private anonymous mappings without a name that are readable and writable."""
        return self.select(_plain)

    @cached_property
    def touched(self) -> tuple[PlacedMapping, ...]:
        """Those plain mappings that have pages, or may have, in memory or swap: others hold no records."""
        counters = self.snapshot.origin.counters
        unknown = None if "rss" in counters else 1
        return tuple(
            [
                mapping
                for mapping in self.plain
                if mapping.values.get("rss", unknown) or any(map(mapping.values.get, _OUT_OF_RSS))
            ]
        )

    @cached_property
    def owned(self) -> dict[str, tuple[OwnedRange, ...]]:
        """The memory of each owner by its name, wherever the kernel merged it, in address order."""
        found: dict[str, list[OwnedRange]] = {}
        for mapping in self.mappings:
            owner = mapping.owner
            if owner is None:
                continue
            if not owner.parts:
                found.setdefault(owner.name, []).append(OwnedRange(mapping.start, mapping.end, owner))
            for part in owner.parts:
                found.setdefault(part.name, []).append(OwnedRange(part.start, part.end, part))
        return {name: tuple(ranges) for name, ranges in found.items()}

    @cached_property
    def writable(self) -> AddressIndex[PlacedMapping]:
        """The mappings that the process can read and write."""
        return AddressIndex(self.select(lambda perms, _, __: perms.startswith("rw")))

    @cached_property
    def guarded(self) -> tuple[tuple[PlacedMapping, PlacedMapping], ...]:
        """The plain mappings that have a few inaccessible pages right below, after those pages."""
        reserved = self.places(lambda _, kind, __: kind is Kind.RESERVED)
        pairs = (
            (self.mappings[place], above)
            for place in reserved
            for above in self.mappings[place + 1 : place + 2]
        )
        return tuple((below, above) for below, above in pairs if is_guard(below, above) and is_plain(above))

    @cached_property
    def objects(self) -> tuple[MappedObject, ...]:
        """The executable and the libraries, each load once, in address order.

        Debuggers, profilers and symbolisers map whole files to read them, libraries that they use among them:
        what has neither code nor variables mapped is no load.
        """
        found = mapped_objects(self.of_kind(Kind.IMAGE), self.memory, self.page_size, self.known)
        return tuple(thing for thing in found if any(m.perms[:3] != "r--" for m in thing.mappings))

    def find_object(self, *parts: str) -> MappedObject | None:
        """Return the first object whose file name contains one of *parts*."""
        return next((thing for thing in self.objects if any(part in thing.name for part in parts)), None)

    @cached_property
    def has_musl(self) -> bool:
        """Whether the C library is musl, mapped as a library."""
        return any(thing.is_musl for thing in self.objects)

    @property
    def executable(self) -> MappedObject | None:
        """The object of the program itself."""
        path = self.snapshot.process.executable
        return next((thing for thing in self.objects if thing.path == path), None)

    @cached_property
    def thread_names(self) -> dict[int, str | None]:
        """The kernel's names of the threads, by thread id."""
        return {thread.tid: thread.name for thread in self.snapshot.process.threads or ()}

    @property
    def can_read(self) -> bool:
        """Whether the process's memory can be read, as far as is known yet."""
        return self.memory is not None and "memory" not in self.memory.denied

    def read(self, address: int, length: int) -> bytes | None:
        """Return *length* bytes of the process's memory, or None where they cannot be read."""
        return None if self.memory is None else self.memory.read(address, length)


def is_plain(mapping: Mapping) -> bool:
    """Return whether it is private anonymous memory without a name, readable and writable.

    Huge pages of hugetlbfs (MAP_HUGETLB) have a file of the kernel's behind them.
    """
    return _plain(mapping.perms, mapping.kind, mapping.path)


def _plain(perms: str, kind: Kind, path: str | None) -> bool:
    nameless = path is None or path == "/anon_hugepage"
    return nameless and perms[:2] == "rw" and kind is Kind.ANONYMOUS


def is_guard(below: PlacedMapping, mapping: PlacedMapping) -> bool:
    """Return whether *below* is a few inaccessible pages right below *mapping*."""
    return below.kind is Kind.RESERVED and below.end == mapping.start and 0 < below.size <= _LARGEST_GUARD
