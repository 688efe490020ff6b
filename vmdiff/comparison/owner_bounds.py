"""How much an owner has at the least and at the most, where not all of its memory could be counted.

A mapping of several owners whose pages were not counted still bounds what each has of it: no more than its
pieces are long, and no less than what those of the others cannot hold.
"""

from collections import Counter
from typing import NamedTuple

from vmdiff.model import Mapping, Snapshot
from vmdiff.model.memory_figures import figure
from vmdiff.model.piece import pieces_of


class OwnerBounds(NamedTuple):
    """Bytes of an owner: at the least, and at the most."""

    least: int
    most: int


def owner_bounds(snapshot: Snapshot, counter: str) -> dict[str, OwnerBounds]:
    """Return the bounds of *counter* for every group of owners; equal ones where it is known exactly."""
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for mapping in snapshot.mappings:
        for group, bounds in _of_mapping(snapshot, mapping, counter).items():
            least[group] += bounds.least
            most[group] += bounds.most
    return {group: OwnerBounds(least[group], most[group]) for group in most}


def _of_mapping(snapshot: Snapshot, mapping: Mapping, counter: str) -> dict[str, OwnerBounds]:
    cut = pieces_of(snapshot, mapping)
    whole = figure({name: snapshot.value(mapping, name) for name in snapshot.counters}, counter)
    if whole is None:
        return {}
    known: Counter[str] = Counter()
    room: Counter[str] = Counter()
    for piece in cut:
        known[piece.group] += piece.counts[counter] or 0
        room[piece.group] += 0 if piece.counts[counter] is not None else piece.counts["size"] or 0
    left, all_room = whole - known.total(), room.total()
    return {
        group: OwnerBounds(
            known[group] + max(0, left - (all_room - room[group])), known[group] + min(left, room[group])
        )
        for group in known
    }


def proven_moves(before: Snapshot | None, after: Snapshot, counter: str) -> dict[str, int]:
    """Return by how much groups of owners moved at the least, those that certainly moved.

    Without *before* it is what they have at the least.
    """
    sides = [owner_bounds(side, counter) if side else {} for side in (before, after)]
    nothing = OwnerBounds(0, 0)
    moves = {}
    for group in {**sides[0], **sides[1]}:
        was, now = (side.get(group, nothing) for side in sides)
        moves[group] = max(0, now.least - was.most) or min(0, now.most - was.least)
    return {group: move for group, move in moves.items() if move}
