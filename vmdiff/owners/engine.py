"""Claims on stretches of memory, and how they are settled into one owner a mapping."""

from bisect import bisect_right
from collections import abc
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from vmdiff.model import MIXED, Basis, Kind, Mapping, Owner, Part, PlacedMapping, Snapshot
from vmdiff.model.owner import certainty
from vmdiff.owners.memory_port import Memory

_DEFAULT_PAGE = 4096


class Claim(NamedTuple):
    """A rule's word that ``[start, end)`` belongs to the owner *name*; it may span many mappings.

    A mapping without addresses is claimed by its *place* in the snapshot, with both bounds 0.
    """

    start: int
    end: int
    name: str
    basis: Basis
    evidence: str
    label: str | None = None
    tid: int | None = None
    place: int | None = None


class Scene:
    """What a rule may look at: the snapshot, and the process's memory where it can be read.

    *notes* is where rules keep what others may need too, such as the objects of `vmdiff.elf.symbols`.
    *explained* are the ranges that earlier rules claim for certain or otherwise vouch for, *threads*
    those whose stacks they claim: later ones need not look there.
    """

    def __init__(self, snapshot: Snapshot, memory: Memory | None = None) -> None:
        self.snapshot = snapshot
        self.memory = memory
        self.notes: dict[Hashable, Any] = {}
        self.explained: list[tuple[int, int]] = []
        self.threads: set[int] = set()

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
        """Give the mapping that holds *address*."""
        return self.snapshot.by_address.at(address)

    def within(self, start: int, end: int) -> Sequence[PlacedMapping]:
        """Give the mappings that overlap ``[start, end)``."""
        return self.snapshot.by_address.within(start, end)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the half-open range of indices of the mappings that overlap ``[start, end)``."""
        return self.snapshot.by_address.span(start, end)

    @cached_property
    def plain(self) -> tuple[PlacedMapping, ...]:
        """The private anonymous mappings without a name that are readable and writable."""
        return tuple(mapping for mapping in self.mappings if is_plain(mapping))

    @cached_property
    def touched(self) -> tuple[PlacedMapping, ...]:
        """Those plain mappings that have pages, or may have, in memory or swap: others hold no records."""
        counters = self.snapshot.origin.counters
        unknown = None if "rss" in counters else 1
        return tuple(
            mapping
            for mapping in self.plain
            if mapping.values.get("rss", unknown) or mapping.values.get("swap")
        )

    def read(self, address: int, length: int) -> bytes | None:
        """Give *length* bytes of the process's memory, or None where they cannot be read."""
        return None if self.memory is None else self.memory.read(address, length)


def is_plain(mapping: Mapping) -> bool:
    """Tell private anonymous memory without a name that is readable and writable."""
    return mapping.path is None and mapping.perms[:2] == "rw" and mapping.kind is Kind.ANONYMOUS


Rule = Callable[[Scene], Iterable[Claim]]
Piece = tuple[int, int, Claim]


def assign(scene: Scene, rules: Iterable[Rule]) -> Snapshot:
    """Give the snapshot with the owners that *rules* find.

    Certain claims stand before likely ones, then earlier rules before later ones; what a claim
    loses to a stronger one it keeps elsewhere. A mapping that one claim covers whole has that
    owner, one that several share is ``mixed``, with parts. Owners already there stay. What the
    process's memory did not permit is a doubt of the snapshot.
    """
    owners = _settle(scene, _ranked(scene, rules))
    mappings = tuple(
        mapping
        if (owner := owners.get(index)) is None or mapping.owner is not None
        else mapping.owned_by(owner)
        for index, mapping in enumerate(scene.snapshot.mappings)
    )
    noted = scene.snapshot.noting(*_refusals(scene.memory), owners=True)
    return noted.model_copy(update={"mappings": mappings})


def _refusals(memory: Memory | None) -> Iterator[str]:
    if memory is not None and memory.denied:
        what = ", ".join(sorted(memory.denied))
        yield f"owners: no permission for {what} of the process, so fewer are found and fewer are certain"


def _ranked(scene: Scene, rules: Iterable[Rule]) -> list[Claim]:
    """Run the rules in order; give all claims, the certain ones first."""
    certain: list[Claim] = []
    likely: list[Claim] = []
    for rule in rules:
        for claim in rule(scene):
            if certainty(claim.basis) == "certain":
                certain.append(claim)
                scene.explained.append((claim.start, claim.end))
                if claim.tid is not None:
                    scene.threads.add(claim.tid)
            else:
                likely.append(claim)
    return certain + likely


def _settle(scene: Scene, claims: Sequence[Claim]) -> dict[int, Owner]:
    """Give the owners by the index of their mapping in the snapshot."""
    owners = {claim.place: _whole(claim) for claim in reversed(claims) if claim.place is not None}
    alone: dict[int, Claim] = {}
    held: dict[int, list[Piece]] = {}
    for claim in claims:
        for index in range(*scene.span(claim.start, claim.end)):
            if index in alone:
                continue
            start, end = scene.mappings[index].range
            if index not in held and claim.start <= start and end <= claim.end:
                alone[index] = claim
            else:
                _take(held.setdefault(index, []), claim, scene.mappings[index])
    places = _places(scene.snapshot)
    alike: dict[tuple[object, ...], Owner] = {}  # thousands of blocks of one heap share an owner
    for index, claim in alone.items():
        said = claim[2:]
        owners[places[index]] = alike.get(said) or alike.setdefault(said, _whole(claim))
    for index, pieces in held.items():
        owners[places[index]] = _owner(scene, scene.mappings[index], pieces)
    return owners


def _places(snapshot: Snapshot) -> list[int]:
    return [index for index, m in enumerate(snapshot.mappings) if isinstance(m, PlacedMapping)]


def _take(held: list[Piece], claim: Claim, mapping: PlacedMapping) -> None:
    """Add to *held*, which is ordered and disjoint, what *claim* can have of *mapping*."""
    low, high = max(claim.start, mapping.start), min(claim.end, mapping.end)
    at = bisect_right(held, low, key=_start)
    if at and held[at - 1][1] > low:
        low = held[at - 1][1]
    while low < high:
        limit = held[at][0] if at < len(held) else high
        if low < limit:
            held.insert(at, (low, min(limit, high), claim))
            at += 1
        if at == len(held):
            break
        low = held[at][1]
        at += 1


def _start(piece: Piece) -> int:
    return piece[0]


def _owner(scene: Scene, mapping: PlacedMapping, pieces: list[Piece]) -> Owner:
    held = list(_joined(pieces))
    start, end, claim = held[0]
    if start == mapping.start and end == mapping.end:
        return _whole(claim)
    return Owner(MIXED, parts=tuple(_parts(scene, mapping, held)))


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Make one of neighbours that say the same: two full heaps of one arena are one arena's memory."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and last[1] == piece[0] and last[2][2:] == piece[2][2:]:
            last = (last[0], piece[1], last[2])
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _whole(claim: Claim) -> Owner:
    _, _, name, basis, evidence, label, tid, _ = claim
    return Owner(name, certainty(basis), basis, evidence, label, tid)


def _parts(scene: Scene, mapping: PlacedMapping, held: list[Piece]) -> Iterator[Part]:
    split = _split(scene, mapping, held)
    for start, end, claim in held:
        rss, swap = split.get(start, (None, None))
        _, _, name, basis, evidence, label, tid, _ = claim
        yield Part(start, end, name, certainty(basis), basis, evidence, label, tid, rss, swap)


def _split(scene: Scene, mapping: PlacedMapping, held: list[Piece]) -> abc.Mapping[int, tuple[int, int]]:
    """Give the resident and swapped bytes of the pieces and of what lies between, by start.

    Nothing unless they add up to what the snapshot says of the mapping: pages may have come and
    gone since, and parts that do not sum to their whole would not be exact.
    """
    rss, swap = (scene.snapshot.value(mapping, counter) for counter in ("rss", "swap"))
    if scene.memory is None or rss is None:
        return {}
    if not rss and not swap:
        return {start: (0, 0) for start, _, _ in held}
    found: dict[int, tuple[int, int]] = {}
    for start, end in _tiles(mapping, held):
        counted = scene.memory.residency(start, end)
        if counted is None:
            return {}
        found[start] = counted
    fits = sum(r for r, _ in found.values()) == rss and sum(s for _, s in found.values()) == (swap or 0)
    return found if fits else {}


def _tiles(mapping: PlacedMapping, held: list[Piece]) -> Iterator[tuple[int, int]]:
    """Cut the whole mapping at the borders of the pieces."""
    low = mapping.start
    for start, end, _ in held:
        if low < start:
            yield low, start
        yield start, end
        low = end
    if low < mapping.end:
        yield low, mapping.end
