"""The rows of the pieces of snapshots, made column by column.

Most mappings of a fleet are alike in everything but their bounds: the same libraries, often resident to the
same degree, the same stacks. So what follows the bounds is turned into columns once for all that are alike,
and a row is its bounds and the number of its likeness.
"""

from collections import abc
from collections.abc import Iterator
from typing import Any

from vmdiff.fleet.columns import COUNTERS, addresses, array, is_counter_column, spread
from vmdiff.model import Content, Mapping, Snapshot, content
from vmdiff.model.memory_figures import figure, parts_of
from vmdiff.model.piece import PRIVATE, pieces_of
from vmdiff.model.snapshot_columns import SnapshotColumns, is_cut, mapping_of

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

_CUT = -1
_FIELDS = Mapping._fields[2:]  # of a content

Column = abc.Sequence[Any]


class PieceColumns:
    """The columns of the pieces of snapshots that measure the same *counters*."""

    def __init__(self, counters: abc.Sequence[str]) -> None:
        self._counters = [name for name in counters if is_counter_column(name)]
        self._likenesses: list[Content] = []  # with the owner and the counters of a piece, where it is one
        self._private: dict[int, int | None] = {}  # of the likenesses that are pieces
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
        fields = list(zip(*self._likenesses, strict=True)) or [()] * len(_FIELDS)
        likenesses = dict(zip(_FIELDS, fields, strict=True))
        for name, values in (*self._texts(likenesses), *self._counted(likenesses["values"])):
            columns[name] = spread(array(name, values), which)
        columns |= _sizes(low, high, which, likenesses)
        return {name: pa.nulls(len(which)) for name in COUNTERS} | columns

    def _numbered(self, contents: abc.Sequence[Content]) -> list[int]:
        """Return the likeness of each content, `_CUT` where it may have several."""
        known, keys = self._known, list(map(id, contents))
        for at in [at for at, key in enumerate(keys) if key not in known]:
            if keys[at] not in known:
                known[keys[at]] = _CUT if is_cut(contents[at]) else self._add(contents[at])
        return list(map(known.__getitem__, keys))

    def _add(self, likeness: Content) -> int:
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
            alone = mapping._replace(owner=piece.owner, values=piece.counts)
            self._which.append(number := self._add(content(alone)))
            self._private[number] = piece.counts[PRIVATE]
            self._lows.append(piece.ranges[0].start if piece.ranges else mapping.start)
            self._highs.append(piece.ranges[-1].end if piece.ranges else mapping.end)

    def _texts(self, likenesses: abc.Mapping[str, Column]) -> Iterator[tuple[str, Column]]:
        """Yield the columns of `OF_A_PIECE` but the bounds, a value a likeness."""
        for name in ("perms", "path", "deleted", "build_id"):
            yield name, likenesses[name]
        yield "kind", [kind.value for kind in likenesses["kind"]]
        yield "flags", [None if flags is None else " ".join(flags) for flags in likenesses["flags"]]
        owners = likenesses["owner"]
        yield "owner", [owner and owner.name for owner in owners]
        yield "owner_label", [owner and owner.label for owner in owners]
        yield "certainty", [owner and owner.certainty for owner in owners]
        yield "basis", [owner and owner.basis for owner in owners]

    def _counted(self, held: Column) -> Iterator[tuple[str, Column]]:
        """Yield the counters that were measured, a value a likeness; one that is absent is 0."""
        columns = {name: [counts.get(name, 0) for counts in held] for name in self._counters}
        yield from columns.items()
        parts = [name for name in parts_of(PRIVATE) if name in columns]
        every = list(zip(*(columns[name] for name in parts), strict=True)) or [()] * len(held)
        figures = {some: figure(dict(zip(parts, some, strict=True)), PRIVATE) for some in set(every)}
        private = list(map(figures.__getitem__, every))
        for number, of_piece in self._private.items():
            private[number] = of_piece
        yield PRIVATE, private


def _sizes(low: Any, high: Any, which: Any, likenesses: abc.Mapping[str, Column]) -> dict[str, Any]:
    """Return the columns that follow from the bounds and the permissions.

    The size is among the counters where the bounds do not say it.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    said = array("size", [counts.get("size") for counts in likenesses["values"]]).take(which)
    between = pc.subtract(high, low)
    fits = pc.if_else(pc.greater(between, 0), between, None)  # 2^63 bytes and more do not
    size = pc.coalesce(said, fits)
    accessible = pa.array(list(map(_is_accessible, likenesses["perms"])), type=pa.bool_())
    return {"size": size, "accessible": pc.if_else(accessible.take(which), size, 0)}


def _is_accessible(perms: str) -> bool | None:
    """Return whether memory can be read, written or run."""
    return None if perms.startswith("???") else not perms.startswith("---")
