"""A comparison or snapshot cut into the parts that a sentence can name: owners, else files, else kinds."""

from collections.abc import Callable, Iterator, Sequence

from vmdiff.answer.sentence import Mover
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.totals import Group
from vmdiff.model import Kind, Mapping, Snapshot
from vmdiff.model.memory_figures import figure
from vmdiff.model.piece import NOT_SPLIT

Value = Callable[[Group], int | None]

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


def change_of(name: str) -> Value:
    """Return what reads the change of a figure off a group."""
    return lambda group: _change(group, name)


def size_of(name: str) -> Value:
    """Return what reads a figure of one snapshot off a group."""
    return lambda group: figure({counter: total.after for counter, total in group.totals.items()}, name)


def _change(group: Group, name: str) -> int | None:
    return figure({counter: total.delta for counter, total in group.totals.items()}, name)


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
        if kind is None:
            found.append(Mover("owner", group.name, moved))
        elif kind in _NAMED_BY_OBJECT:
            found += _by_object(comparison, kind, moved, value)
        else:
            found.append(Mover("kind", kind, moved))
    return tuple(found)


def _kind_of(name: str) -> str | None:
    """Return the kind that an unowned group stands for, None for an owner."""
    return name[1:-1] if name.startswith("(") and name not in _UNSPLIT else None


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
        return "memory of several owners"
    if part.by == "kind":
        if part.name == "anonymous" and all(_searched(side) for side in sides):
            return "mapped by the program itself"
        return _KINDS.get(part.name, f"{part.name} memory")
    return short(part.name) if part.by == "object" else part.name


def short(path: str) -> str:
    """Leave out the middle folders of a long path: its beginning and its name say what it is."""
    folders = path.split("/")
    if len(path) <= _LONGEST or len(folders) < 4:
        return path
    return "/".join([*folders[:2], "…", folders[-1]])


def _searched(side: Snapshot) -> bool:
    """Say whether owners were looked for with the process at hand: a listing shows only some of them."""
    return side.origin.owners and side.origin.source == "linux-proc"
