"""The rows of the pieces of snapshots, made column by column.

Most mappings of a fleet are alike in everything but their bounds: the same libraries, often resident to the
same degree, the same stacks. So what follows the bounds is turned into columns once for all that are alike,
and a row is its bounds and the number of its likeness.
"""

from collections import abc
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from vmdiff.fleet.columns import COUNTERS, addresses, array, is_counter_column, spread
from vmdiff.model import Content, Mapping, Owner, Snapshot
from vmdiff.model.memory_figures import figure, parts_of
from vmdiff.model.piece import PRIVATE, Counts, pieces_of
from vmdiff.model.snapshot_columns import SnapshotColumns, is_cut, mapping_of

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

_CUT = -1


class _Likeness(NamedTuple):
    """What pieces that are alike have besides their bounds; *cut* are the counters of a part of a mapping.

    Where *cut* is None the mapping has no bounds, for it stands for all that are alike.
    """

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
        return self.mapping.size if self.cut is None else self.cut["size"]

    @property
    def accessible(self) -> bool | None:
        """Whether it can be read, written or run."""
        perms = self.mapping.perms
        return None if perms.startswith("???") else not perms.startswith("---")


class PieceColumns:
    """The columns of the pieces of snapshots that measure the same *counters*."""

    def __init__(self, counters: abc.Sequence[str]) -> None:
        self._counters = [name for name in counters if is_counter_column(name)]
        self._likenesses: list[_Likeness] = []
        self._known: dict[int, int] = {}  # likeness by the identity of a content
        self._which: list[int] = []  # likeness of each row; and its bounds
        self._lows: list[int | None] = []
        self._highs: list[int | None] = []

    def append(self, columns: SnapshotColumns) -> int:
        """Append the pieces of a snapshot in address order; return how many there are.

        The columns must outlive this object: their contents are known by identity.
        """
        before, begin = len(self._which), 0
        shell, starts, ends, contents = columns
        which = self._numbered(contents)
        for at in [at for at, one in enumerate(which) if one == _CUT]:
            self._extend(which[begin:at], starts[begin:at], ends[begin:at])
            self._extend_by_pieces(shell, mapping_of(starts[at], ends[at], contents[at]))
            begin = at + 1
        self._extend(which[begin:], starts[begin:], ends[begin:])
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

    def _numbered(self, contents: abc.Sequence[Content]) -> list[int]:
        """Return the likeness of each content, `_CUT` where it may have several."""
        known, keys = self._known, list(map(id, contents))
        for at in [at for at, key in enumerate(keys) if key not in known]:
            if keys[at] not in known:
                mapping = Mapping(None, None, *contents[at])
                cut = is_cut(contents[at])
                known[keys[at]] = _CUT if cut else self._add(_Likeness(mapping, mapping.owner, None))
        return list(map(known.__getitem__, keys))

    def _add(self, likeness: _Likeness) -> int:
        self._likenesses.append(likeness)
        return len(self._likenesses) - 1

    def _extend(
        self, which: abc.Sequence[int], lows: abc.Sequence[int | None], highs: abc.Sequence[int | None]
    ) -> None:
        self._which += which
        self._lows += lows
        self._highs += highs

    def _extend_by_pieces(self, snapshot: Snapshot, mapping: Mapping) -> None:
        for piece in pieces_of(snapshot, mapping):
            self._which.append(self._add(_Likeness(mapping, piece.owner, piece.counts)))
            self._lows.append(piece.ranges[0].start if piece.ranges else mapping.start)
            self._highs.append(piece.ranges[-1].end if piece.ranges else mapping.end)

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
        columns = {name: [counts.get(name, 0) for counts in held] for name in self._counters}
        yield from columns.items()
        yield PRIVATE, self._private(columns)

    def _private(self, columns: abc.Mapping[str, list[Any]]) -> list[int | None]:
        """Return what no other process maps; worked out once for counters that are alike."""
        parts = [name for name in parts_of(PRIVATE) if name in columns]
        every = list(zip(*(columns[name] for name in parts), strict=True)) or [()] * len(self._likenesses)
        figures = {some: figure(dict(zip(parts, some, strict=True)), PRIVATE) for some in set(every)}
        cuts = (likeness.cut for likeness in self._likenesses)
        return [figures[some] if cut is None else cut[PRIVATE] for some, cut in zip(every, cuts, strict=True)]

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
