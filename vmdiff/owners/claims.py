"""Claims on stretches of memory, and how they are settled into one owner a mapping."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vmdiff.model import MIXED, Basis, Mapping, Owner, Part, Snapshot
from vmdiff.model.owner import certainty
from vmdiff.owners.memory import Memory


class Claim(NamedTuple):
    """A rule's word that ``[start, end)`` belongs to the owner *name*; it may span many mappings."""

    start: int
    end: int
    name: str
    basis: Basis
    evidence: str
    label: str | None = None
    tid: int | None = None


@dataclass(frozen=True)
class Scene:
    """What a rule may look at: the snapshot, and the process's memory where it can be read."""

    snapshot: Snapshot
    memory: Memory | None = None

    @cached_property
    def mappings(self) -> tuple[Mapping, ...]:
        """The mappings that have both bounds, in address order."""
        return tuple(m for m in self.snapshot.mappings if m.start is not None and m.end is not None)

    @cached_property
    def _starts(self) -> list[int]:
        return [mapping.start or 0 for mapping in self.mappings]

    def at(self, address: int) -> Mapping | None:
        """Give the mapping that holds *address*."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        mapping = self.mappings[index]
        return mapping if address < (mapping.end or 0) else None

    def within(self, start: int, end: int) -> Sequence[Mapping]:
        """Give the mappings that overlap ``[start, end)``."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        last = bisect_right(self._starts, end - 1)
        return [m for m in self.mappings[first:last] if (m.end or 0) > start]


Rule = Callable[[Scene], Iterable[Claim]]


def assign(scene: Scene, rules: Iterable[Rule]) -> Snapshot:
    """Give the snapshot with the owners that *rules* find.

    Certain claims stand before likely ones, then earlier rules before later ones; what a claim
    loses to a stronger one it keeps elsewhere. A mapping that one claim covers whole has that
    owner, one that several share is ``mixed``, with parts. Owners already there stay.
    """
    claims = [(certainty(claim.basis) != "certain", claim) for rule in rules for claim in rule(scene)]
    claims.sort(key=lambda ranked: ranked[0])  # stable: rules stay in order
    pieces: dict[int, list[tuple[int, int, Claim]]] = {}
    for _, claim in claims:
        for mapping in scene.within(claim.start, claim.end):
            if mapping.owner is None and mapping.start is not None:
                taken = pieces.setdefault(mapping.start, [])
                taken.extend(_what_is_free(taken, claim, mapping))
    if not pieces:
        return scene.snapshot
    mappings = tuple(
        mapping._replace(owner=_owner(mapping, sorted(held), scene.memory))
        if mapping.start is not None and (held := pieces.get(mapping.start))
        else mapping
        for mapping in scene.snapshot.mappings
    )
    return scene.snapshot.model_copy(update={"mappings": mappings})


def _what_is_free(
    held: list[tuple[int, int, Claim]], claim: Claim, mapping: Mapping
) -> list[tuple[int, int, Claim]]:
    """Give the stretches of *claim* inside *mapping* that no stronger claim holds."""
    low, high = max(claim.start, mapping.start or 0), min(claim.end, mapping.end or 0)
    free = []
    for start, end, _ in sorted(held):
        if end <= low:
            continue
        if start >= high:
            break
        if low < start:
            free.append((low, start, claim))
        low = max(low, end)
    if low < high:
        free.append((low, high, claim))
    return free


def _owner(mapping: Mapping, held: list[tuple[int, int, Claim]], memory: Memory | None) -> Owner:
    if len(held) == 1:
        start, end, claim = held[0]
        if (start, end) == (mapping.start, mapping.end):
            name, basis, evidence, label, tid = claim[2:]
            return Owner(name, certainty(basis), basis, evidence, label, tid)
    return Owner(MIXED, parts=tuple(_parts(held, memory)))


def _parts(held: list[tuple[int, int, Claim]], memory: Memory | None) -> Iterator[Part]:
    for start, end, claim in held:
        rss, swap = (memory and memory.residency(start, end)) or (None, None)
        name, basis, evidence, label, tid = claim[2:]
        yield Part(start, end, name, certainty(basis), basis, evidence, label, tid, rss, swap)
