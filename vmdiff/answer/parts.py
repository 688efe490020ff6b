"""A comparison or snapshot cut into the parts that a sentence can name: owners, else files, else kinds."""

from collections import Counter, abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vmdiff.answer.sentence import Mover
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.owner_bounds import owner_bounds, proven_moves
from vmdiff.comparison.tally import Grouping, tallied
from vmdiff.comparison.totals import held_groups
from vmdiff.model import Kind, Snapshot
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


class Divisible(Protocol):
    """A figure of a comparison or snapshot that is cut up by owner, kind or object."""

    @property
    def figure(self) -> str:
        """Its name, such as ``resident``."""

    @property
    def sides(self) -> tuple[Snapshot, ...]:
        """The snapshots that it is a figure of, the last one last."""

    def shares(self, by: str) -> Iterator[tuple[str, int | None]]:
        """Yield each group with its share in bytes; None where that is unknown."""

    def least(self, counter: str) -> abc.Mapping[str, int]:
        """Return what is certainly the share of owners whose memory could not be split."""


@dataclass(frozen=True, slots=True)
class ChangeOf:
    """The change of a figure from one snapshot to the next."""

    figure: str
    comparison: Comparison

    @property
    def sides(self) -> tuple[Snapshot, ...]:
        """The snapshots before and after."""
        return self.comparison.before, self.comparison.after

    def shares(self, by: str) -> Iterator[tuple[str, int | None]]:
        """Yield each group with its change."""
        for group in self.comparison.grouped(by):
            yield group.name, group.delta(self.figure)

    def least(self, counter: str) -> abc.Mapping[str, int]:
        """Return what certainly moved of owners whose memory could not be split."""
        return proven_moves(self.comparison.before, self.comparison.after, counter)


class SizeOf:
    """A figure of one snapshot, whose mappings are added up once for all ways to cut it."""

    def __init__(self, figure: str, snapshot: Snapshot) -> None:
        self.figure = figure
        self._snapshot = snapshot
        self._made = tallied(snapshot)

    @property
    def sides(self) -> tuple[Snapshot, ...]:
        """The snapshot."""
        return (self._snapshot,)

    def shares(self, by: str) -> Iterator[tuple[str, int | None]]:
        """Yield each group with what it holds."""
        for group in held_groups(self._snapshot, self._made, Grouping(by)):
            yield group.name, group.figure(self.figure)

    def least(self, counter: str) -> abc.Mapping[str, int]:
        """Return what owners whose memory could not be split certainly hold."""
        return proven_moves(None, self._snapshot, counter)


def parts(whole: Divisible) -> tuple[Mover, ...]:
    """Return all parts that have a share, those of unowned files by object where one object stands out.

    Parts whose share is unknown are left out: it is unexplained.
    """
    if len({side.origin.owners for side in whole.sides}) > 1:  # known on one side: no change
        return tuple(Mover("kind", name, moved) for name, moved in whole.shares("kind") if moved)
    found: list[Mover] = []
    for name, moved in whole.shares("owner"):
        if not moved:
            continue
        kind = _kind_of(name)
        if name in _UNSPLIT:
            found += _proven(whole, moved)
        elif kind is None:
            found.append(Mover("owner", name, moved))
        elif kind in _NAMED_BY_OBJECT:
            found += _by_object(whole, kind, moved)
        else:
            found.append(Mover("kind", kind, moved))
    return tuple(found)


def _kind_of(name: str) -> str | None:
    """Return the kind that an unowned group stands for, None for an owner."""
    return name[1:-1] if name.startswith("(") and name not in _UNSPLIT else None


def _proven(whole: Divisible, moved: int) -> Iterator[Mover]:
    """Cut memory that could not be split into what is certainly one owner's, and the rest.

    One page that came while the pages were counted would otherwise hide whose all the others are.
    """
    counter = _COUNTERS.get(whole.figure)
    if counter is not None:
        known = {name for name, share in whole.shares("owner") if share is not None}
        for name, least in whole.least(counter).items():
            if name not in known and _kind_of(name) is None:
                yield Mover("owner", name, least, at_least=True)
                moved -= least
    if moved:
        yield Mover("owner", NOT_SPLIT, moved)


def _by_object(whole: Divisible, kind: str, moved: int) -> Iterator[Mover]:
    """Cut unowned memory of one kind into its large objects and the rest."""
    rest = moved
    for path, share in _objects(whole, kind):
        if abs(share) * 10 >= abs(moved) and (share > 0) == (moved > 0) and abs(share) <= abs(rest):
            yield Mover("object", path, share)
            rest -= share
    if rest:
        yield Mover("kind", kind, rest)


def _objects(whole: Divisible, kind: str) -> list[tuple[str, int]]:
    """Return the objects that are wholly of this kind and have no owner, largest share first."""
    named = [mapping for side in whole.sides for mapping in side.mappings if mapping.path]
    others = {m.path for m in named if m.kind != kind or m.owner is not None}
    own = {m.path for m in named if m.kind == kind} - others
    shares = ((name, share) for name, share in whole.shares("object") if share and name in own)
    return sorted(shares, key=lambda one: -abs(one[1]))


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
