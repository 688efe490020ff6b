"""Settle what several rules claim into one owner for each mapping."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import MIXED, Owner, Part, PlacedMapping, Snapshot, Unclaimed
from vmdiff.model.owner import certainty
from vmdiff.owners.claim import Claim, Doubt, Learned, SettledMemory
from vmdiff.owners.memory_port import Memory
from vmdiff.owners.part_counters import count_parts
from vmdiff.owners.scene import Scene

Rule = Callable[[Scene], Iterable[Claim | Doubt | Learned]]
HeldPiece = tuple[int, int, Claim]


def assign(scene: Scene, rules: Iterable[Rule]) -> Snapshot:
    """Return the snapshot with the owners that *rules* find: see `assigned`."""
    return assigned(scene, rules).snapshot


def assigned(scene: Scene, rules: Iterable[Rule]) -> Scene:
    """Return the scene with the owners that *rules* find in its snapshot, and with what the rules learned.

    Certain claims stand before likely ones, then earlier rules before later ones; what a claim
    loses to a stronger one it keeps elsewhere. A mapping that one claim covers whole has that
    owner, one that several share is ``mixed``, with parts. Owners already there stay. What the
    process's memory did not permit is a doubt of the snapshot.
    """
    scene, found = _found(scene, rules)
    owners = _settle(scene, found.certain + found.likely)
    mappings = list(scene.snapshot.mappings)
    for index, owner in owners.items():
        if mappings[index].owner is None:
            mappings[index] = mappings[index].owned_by(owner)
    noted = scene.snapshot.noting(*_refusals(scene.memory), *found.doubts, owners=True)
    owned = scene.with_owners(noted.model_copy(update={"mappings": tuple(mappings)}), scene.memory)
    return owned.after(SettledMemory(found.certain, found.learned))


def _refusals(memory: Memory | None) -> Iterator[str]:
    if memory is not None and memory.denied:
        what = ", ".join(sorted(memory.denied))
        yield f"owners: no permission for {what} of the process, so fewer are found and fewer are certain"


class _RuleYields(NamedTuple):
    """What rules yielded, each list in their order."""

    certain: list[Claim]
    likely: list[Claim]
    doubts: list[str]
    learned: list[Learned]


def _found(scene: Scene, rules: Iterable[Rule]) -> tuple[Scene, _RuleYields]:
    """Run the rules in order; return the last one's scene, and what all yielded."""
    found = _RuleYields([], [], [], [])
    for rule in rules:
        # What a rule computed of the layout is kept for the next.
        scene = scene.after(SettledMemory(found.certain, found.learned))
        for yielded in list(rule(scene)):
            if isinstance(yielded, Claim):
                (found.certain if yielded.is_certain else found.likely).append(yielded)
            elif isinstance(yielded, Doubt):
                found.doubts.append(yielded.text)
            else:
                found.learned.append(yielded)
    return scene, found


def _settle(scene: Scene, claims: Sequence[Claim]) -> dict[int, Owner]:
    """Return the owners by the index of their mapping in the snapshot."""
    owners = {claim.place: claim.owner for claim in reversed(claims) if claim.place is not None}
    alone: dict[int, Claim] = {}
    held: dict[int, list[HeldPiece]] = {}
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
        owners[places[index]] = alike.get(said) or alike.setdefault(said, claim.owner)
    for index, pieces in held.items():
        owners[places[index]] = _owner(scene, scene.mappings[index], pieces)
    return owners


def _places(snapshot: Snapshot) -> Sequence[int]:
    if len(snapshot.placed) == len(snapshot.mappings):
        return range(len(snapshot.mappings))
    return [index for index, m in enumerate(snapshot.mappings) if isinstance(m, PlacedMapping)]


def _take(held: list[HeldPiece], claim: Claim, mapping: PlacedMapping) -> None:
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


def _start(piece: HeldPiece) -> int:
    return piece[0]


def _owner(scene: Scene, mapping: PlacedMapping, pieces: list[HeldPiece]) -> Owner:
    held = list(_joined(pieces))
    start, end, claim = held[0]
    if start == mapping.start and end == mapping.end:
        return claim.owner
    return _mixed(scene, mapping, held)


def _joined(pieces: Iterable[HeldPiece]) -> Iterator[HeldPiece]:
    """Make one of neighbours that say the same: two full heaps of one arena are one arena's memory."""
    last: HeldPiece | None = None
    for piece in pieces:
        if last is not None and last[1] == piece[0] and last[2][2:] == piece[2][2:]:
            last = (last[0], piece[1], last[2])
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _mixed(scene: Scene, mapping: PlacedMapping, held: list[HeldPiece]) -> Owner:
    """Return the owner of a mapping that several share, with what was counted of each stretch."""
    borders = sorted({*mapping.range, *(border for piece in held for border in piece[:2])})
    counted = count_parts(scene.memory, scene.snapshot, mapping, borders)
    claims = {start: claim for start, _, claim in held}
    parts, rest = [], []
    for (start, end), counts in zip(pairwise(borders), counted, strict=True):
        if claim := claims.get(start):
            _, _, name, basis, evidence, label, tid, _ = claim
            parts.append(Part(start, end, name, certainty(basis), basis, evidence, label, tid, *counts))
        elif counts.rss is not None:
            rest.append(Unclaimed(start, end, *counts))
    return Owner(MIXED, parts=tuple(parts), rest=tuple(rest))
