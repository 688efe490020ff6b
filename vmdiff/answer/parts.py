"""A comparison or snapshot cut into the parts that a sentence can name: owners, else files, else kinds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vmdiff.answer.sentence import Mover
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.owner_bounds import owner_bounds, proven_moves
from vmdiff.comparison.totals import Group
from vmdiff.model import Kind, Mapping, Snapshot
from vmdiff.model.memory_figures import figure_of_two
from vmdiff.model.piece import NOT_SPLIT, PRIVATE

_NAMED_BY_OBJECT = frozenset({Kind.FILE, Kind.IMAGE, Kind.SHARED_MEMORY, Kind.DEVICE})
# Kinds that a reader knows under another name; what nothing claims goes by its kind in parentheses.
_KINDS = {
    "heap": "heap",
    "stack": "main stack",
    "anonymous": "anonymous memory",
    "image": "executables and libraries",
    "file": "files",
    "shared-memory": "shared memory",
    "reserved": "reserved addresses",
}
_LONGEST = 40  # characters of a path in a sentence
_UNSPLIT = frozenset({NOT_SPLIT})
_COUNTERS = {"resident": "rss", PRIVATE: PRIVATE}  # what of a figure pages are counted for


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of a group: its change, or (*level*) how much there is after."""

    figure: str
    level: bool = False

    def __call__(self, group: Group) -> int | None:
        """Read it off a group; None where it is unknown."""
        totals = group.totals.items()
        return figure_of_two(
            {name: total.after if self.level else total.delta for name, total in totals}, self.figure
        )


def change_of(name: str) -> Value:
    """Return what reads the change of a figure off a group."""
    return Value(name)


def size_of(name: str) -> Value:
    """Return what reads a figure of one snapshot off a group."""
    return Value(name, level=True)


def parts(comparison: Comparison, value: Value) -> tuple[Mover, ...]:
    """Return all parts that moved, those of unowned files by object where one object stands out.

    Parts whose figure is unknown are left out: their movement is unexplained.
    """
    if comparison.before.origin.owners != comparison.after.origin.owners:  # known on one side: no change
        shares = ((group.name, value(group)) for group in comparison.grouped("kind"))
        return tuple(Mover("kind", name, moved) for name, moved in shares if moved)
    found: list[Mover] = []
    for group in comparison.grouped("owner"):
        moved = value(group)
        if not moved:
            continue
        kind = _kind_of(group.name)
        if group.name in _UNSPLIT:
            found += _proven(comparison, moved, value)
        elif kind is None:
            found.append(Mover("owner", group.name, moved))
        elif kind in _NAMED_BY_OBJECT:
            found += _by_object(comparison, kind, moved, value)
        else:
            found.append(Mover("kind", kind, moved))
    return tuple(found)


def _kind_of(name: str) -> str | None:
    """Return the kind that an unowned group stands for, None for an owner."""
    return name[1:-1] if name.startswith("(") and name not in _UNSPLIT else None


def _proven(comparison: Comparison, moved: int, value: Value) -> Iterator[Mover]:
    """Cut memory that could not be split into what is certainly one owner's, and the rest.

    One page that came while the pages were counted would otherwise hide whose all the others are.
    """
    counter = _COUNTERS.get(value.figure)
    if counter is not None:
        known = {group.name for group in comparison.grouped("owner") if value(group) is not None}
        before = None if value.level else comparison.before
        for name, least in proven_moves(before, comparison.after, counter).items():
            if name not in known and _kind_of(name) is None:
                yield Mover("owner", name, least, at_least=True)
                moved -= least
    if moved:
        yield Mover("owner", NOT_SPLIT, moved)


def _by_object(comparison: Comparison, kind: str, moved: int, value: Value) -> Iterator[Mover]:
    """Cut unowned memory of one kind into its large objects and the rest."""
    rest = moved
    for path, share in _objects(comparison, kind, value):
        if abs(share) * 10 >= abs(moved) and (share > 0) == (moved > 0) and abs(share) <= abs(rest):
            yield Mover("object", path, share)
            rest -= share
    if rest:
        yield Mover("kind", kind, rest)


def _objects(comparison: Comparison, kind: str, value: Value) -> list[tuple[str, int]]:
    """Return the objects that are wholly of this kind and have no owner, largest movement first."""
    others = {m.path for m in _mappings(comparison) if m.path and (m.kind != kind or m.owner is not None)}
    own = {m.path for m in _mappings(comparison) if m.path and m.kind == kind} - others
    shares = [(group.name, value(group) or 0) for group in comparison.grouped("object") if group.name in own]
    return sorted((one for one in shares if one[1]), key=lambda one: -abs(one[1]))


def _mappings(comparison: Comparison) -> Iterator[Mapping]:
    yield from comparison.before.mappings
    yield from comparison.after.mappings


def words(part: Mover, sides: Sequence[Snapshot]) -> str:
    """Return what a sentence calls a part; names are as the kernel gave them, for a view to make harmless."""
    if part.name in _UNSPLIT:
        return _one_of(sides)
    if part.at_least:
        return f"{part.name} at least"
    if part.by == "kind":
        if part.name == "anonymous" and all(_searched(side) for side in sides):
            return "mapped by the program itself"
        return _KINDS.get(part.name, f"{part.name} memory")
    return short(part.name) if part.by == "object" else part.name


def _one_of(sides: Sequence[Snapshot]) -> str:
    """Name those who may have memory that could not be split: the two with the most room for it."""
    room: Counter[str] = Counter()
    for side in sides:
        for name, bounds in owner_bounds(side, "rss").items():
            room[name] += bounds.most - bounds.least
    names = [_KINDS.get(_kind_of(name) or "", name) for name, _ in room.most_common() if room[name]]
    if len(names) < 2:
        return "memory of several owners"
    return " or ".join(names) if len(names) == 2 else f"{names[0]}, {names[1]} or others"


def short(path: str) -> str:
    """Leave out the middle folders of a long path: its beginning and its name say what it is."""
    folders = path.split("/")
    if len(path) <= _LONGEST or len(folders) < 4:
        return path
    return "/".join([*folders[:2], "…", folders[-1]])


def _searched(side: Snapshot) -> bool:
    """Return whether owners were looked for with the process at hand: a listing shows only some of them."""
    return side.origin.owners and side.origin.source == "linux-proc"
