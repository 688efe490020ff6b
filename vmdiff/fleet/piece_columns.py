"""The rows of the pieces of snapshots, made column by column.

Most mappings of a fleet are alike in everything but their bounds: the same libraries, often resident to the
same degree, the same stacks. So what follows the bounds is turned into columns once for all that are alike,
and a row is its bounds and the number of its likeness.
"""

from collections import abc
from collections.abc import Hashable, Iterator
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from vmdiff.fleet.columns import COUNTERS, addresses, array, is_counter_column, spread
from vmdiff.model import Mapping, Owner, PlacedMapping, Snapshot
from vmdiff.model.memory_figures import figure, parts_of
from vmdiff.model.piece import PRIVATE, Counts, pieces_of

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

_CUT = -1
_LOW, _HIGH = itemgetter(0), itemgetter(1)
_OWN_LOOK = itemgetter(*map(Mapping._fields.index, ("perms", "kind", "path", "deleted", "build_id", "flags")))
_OWNER, _VALUES = itemgetter(Mapping._fields.index("owner")), itemgetter(Mapping._fields.index("values"))


class _Likeness(NamedTuple):
    """What pieces that are alike have besides their bounds; *cut* are the counters of a part of a mapping."""

    mapping: Mapping
    owner: Owner | None
    cut: Counts | None

    @property
    def counts(self) -> abc.Mapping[str, Any]:
        """Its counters; one that is absent is 0."""
        return self.mapping.values if self.cut is None else self.cut

    @property
    def size(self) -> int | None:
        """Its size where the bounds do not say it."""
        if self.cut is None:
            return None if isinstance(self.mapping, PlacedMapping) else self.mapping.size
        return self.cut["size"]

    @property
    def accessible(self) -> bool | None:
        """Whether it can be read, written or run."""
        perms = self.mapping.perms
        return None if perms.startswith("???") else not perms.startswith("---")

    def private(self, parts: abc.Sequence[str]) -> int | None:
        """Return what no other process maps, of which *parts* are counted."""
        if self.cut is None:
            return figure({name: self.counts.get(name, 0) for name in parts}, PRIVATE)
        return self.cut[PRIVATE]


class PieceColumns:
    """The columns of the pieces of snapshots that measure the same *counters*."""

    def __init__(self, counters: abc.Sequence[str]) -> None:
        self._counters = [name for name in counters if is_counter_column(name)]
        self._likenesses: list[_Likeness] = []
        self._known: dict[Hashable, int] = {}
        self._which: list[int] = []  # likeness of each row; and its bounds
        self._lows: list[int | None] = []
        self._highs: list[int | None] = []

    def append(self, snapshot: Snapshot) -> int:
        """Append the pieces of a snapshot in address order; return how many there are.

        The snapshot must outlive this object: its owners and values are known by identity.
        """
        before, begin = len(self._which), 0
        mappings, which = snapshot.mappings, self._numbered(snapshot.mappings)
        for at in [at for at, one in enumerate(which) if one == _CUT]:
            self._extend(which[begin:at], mappings[begin:at])
            self._extend_by_pieces(snapshot, mappings[at])
            begin = at + 1
        self._extend(which[begin:], mappings[begin:])
        return len(self._which) - before

    def arrays(self) -> dict[str, Any]:
        """Return an array for each column; its type is null where nothing is known."""
        import pyarrow as pa  # an extra

        which = pa.array(self._which, type=pa.int32())
        low, high = addresses(self._lows), addresses(self._highs)
        columns = {"low": low, "high": high}
        for name, values in (*self._texts(), *self._counted()):
            columns[name] = spread(array(name, values), which)
        columns |= self._sizes(low, high, which)
        return {name: pa.nulls(len(which)) for name in COUNTERS} | columns

    def _numbered(self, mappings: abc.Sequence[Mapping]) -> list[int]:
        """Return the likeness of each mapping, `_CUT` where it has several."""
        known, looks = self._known, list(_looks(mappings))
        for at in [at for at, look in enumerate(looks) if look not in known]:
            if looks[at] not in known:
                mapping = mappings[at]
                cut = mapping.owner is not None and mapping.owner.parts and isinstance(mapping, PlacedMapping)
                known[looks[at]] = _CUT if cut else self._add(_Likeness(mapping, mapping.owner, None))
        return list(map(known.__getitem__, looks))

    def _add(self, likeness: _Likeness) -> int:
        self._likenesses.append(likeness)
        return len(self._likenesses) - 1

    def _extend(self, which: abc.Iterable[int], mappings: abc.Sequence[Mapping]) -> None:
        self._which += which
        self._lows += map(_LOW, mappings)
        self._highs += map(_HIGH, mappings)

    def _extend_by_pieces(self, snapshot: Snapshot, mapping: Mapping) -> None:
        for piece in pieces_of(snapshot, mapping):
            self._which.append(self._add(_Likeness(mapping, piece.owner, piece.counts)))
            self._lows.append(piece.ranges[0].start)
            self._highs.append(piece.ranges[-1].end)

    def _texts(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the columns of `OF_A_PIECE` but the bounds, a value a likeness."""
        mappings = [likeness.mapping for likeness in self._likenesses]
        owners = [likeness.owner for likeness in self._likenesses]
        yield "kind", [mapping.kind.value for mapping in mappings]
        for name in ("perms", "path", "deleted", "build_id"):
            yield name, list(map(attrgetter(name), mappings))
        yield "flags", [None if mapping.flags is None else " ".join(mapping.flags) for mapping in mappings]
        yield "owner", [owner and owner.name for owner in owners]
        yield "owner_label", [owner and owner.label for owner in owners]
        yield "certainty", [owner and owner.certainty for owner in owners]
        yield "basis", [owner and owner.basis for owner in owners]

    def _counted(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the counters that were measured, a value a likeness."""
        held = [likeness.counts for likeness in self._likenesses]
        for name in self._counters:
            yield name, [counts.get(name, 0) for counts in held]
        parts = [name for name in parts_of(PRIVATE) if name in self._counters]
        yield PRIVATE, [likeness.private(parts) for likeness in self._likenesses]

    def _sizes(self, low: Any, high: Any, which: Any) -> dict[str, Any]:
        """Return the columns that follow from the bounds and the permissions."""
        import pyarrow as pa
        import pyarrow.compute as pc

        said = array("size", [likeness.size for likeness in self._likenesses]).take(which)
        between = pc.subtract(high, low)
        fits = pc.if_else(pc.greater(between, 0), between, None)  # 2^63 bytes and more do not
        size = pc.coalesce(said, fits)
        accessible = pa.array([likeness.accessible for likeness in self._likenesses], type=pa.bool_())
        return {"size": size, "accessible": pc.if_else(accessible.take(which), size, 0)}


def _looks(mappings: abc.Sequence[Mapping]) -> Iterator[Hashable]:
    """Return for each mapping all that its columns show but the bounds: what is shared, by its identity."""
    owners, values = map(id, map(_OWNER, mappings)), map(id, map(_VALUES, mappings))
    return zip(map(_OWN_LOOK, mappings), owners, values, strict=True)
