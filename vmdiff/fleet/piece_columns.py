"""The rows of the pieces of snapshots, made column by column.

A row is its bounds and the number of its likeness: what follows the bounds is columns already.
"""

from collections import abc
from typing import Any, NamedTuple

from vmdiff.fleet.columns import COUNTERS, addresses, spread
from vmdiff.fleet.likenesses import CUT, Likenesses
from vmdiff.model import DERIVED, Mapping, Snapshot, content
from vmdiff.model.piece import PRIVATE, pieces_of
from vmdiff.model.snapshot_columns import SnapshotColumns, mapping_of

# Late imports: the packages of an extra are needed by nobody who does not ask for it.


class PackedPieces(NamedTuple):
    """The columns of pieces as arrays: the bounds of each, and what follows them once for all that are alike.

    *which* is the place in the columns of *alike* of each piece.
    """

    low: Any
    high: Any
    which: Any
    alike: abc.Mapping[str, Any]

    def arrays(self) -> dict[str, Any]:
        """Return an array for each column; its type is null where nothing is known."""
        import pyarrow as pa  # an extra

        low, high, which, alike = self
        said, accessible = (alike[name].take(which) for name in DERIVED)
        columns = {name: spread(values, which) for name, values in alike.items() if name not in DERIVED}
        columns |= {"low": low, "high": high, **_sizes(low, high, said, accessible)}
        return {name: pa.nulls(len(which)) for name in COUNTERS} | columns


class PieceColumns:
    """The columns of the pieces of snapshots that measure the same counters."""

    def __init__(self, likenesses: Likenesses, several: abc.Iterable[SnapshotColumns]) -> None:
        self._likenesses = likenesses
        self._which: list[int] = []  # likeness of each row; and its bounds
        self._lows: list[int | None] = []
        self._highs: list[int | None] = []
        self.counts = list(map(self._append, several))  # rows of each snapshot

    def _append(self, columns: SnapshotColumns) -> int:
        """Append the pieces of a snapshot in address order; return how many there are."""
        before, begin = len(self._which), 0
        shell, starts, ends, contents = columns
        which = self._likenesses.numbered(contents)
        for at in [at for at, one in enumerate(which) if one == CUT] if CUT in which else ():
            self._extend(which[begin:at], starts[begin:at], ends[begin:at])
            self._extend_by_pieces(shell, mapping_of(starts[at], ends[at], contents[at]))
            begin = at + 1
        self._extend(which[begin:], starts[begin:], ends[begin:])
        return len(self._which) - before

    def packed(self) -> PackedPieces:
        """Return the columns."""
        import pyarrow as pa  # an extra

        coded = pa.array(self._which, type=pa.int32()).dictionary_encode()
        alike = {name: values.take(coded.dictionary) for name, values in self._likenesses.columns().items()}
        return PackedPieces(addresses(self._lows), addresses(self._highs), coded.indices, alike)

    def _extend(
        self, which: abc.Sequence[int], lows: abc.Sequence[int | None], highs: abc.Sequence[int | None]
    ) -> None:
        self._which += which
        self._lows += lows
        self._highs += highs

    def _extend_by_pieces(self, snapshot: Snapshot, mapping: Mapping) -> None:
        for piece in pieces_of(snapshot, mapping):
            alone = mapping._replace(owner=piece.owner, values=piece.counts)
            self._which.append(self._likenesses.of_piece(content(alone), piece.counts[PRIVATE]))
            self._lows.append(piece.ranges[0].start if piece.ranges else mapping.start)
            self._highs.append(piece.ranges[-1].end if piece.ranges else mapping.end)


def _sizes(low: Any, high: Any, said: Any, accessible: Any) -> dict[str, Any]:
    """Return the columns that follow from the bounds and the permissions.

    *said* is the size where the bounds do not say it.
    """
    import pyarrow.compute as pc

    between = pc.subtract(high, low)
    fits = pc.if_else(pc.greater(between, 0), between, None)  # 2^63 bytes and more do not
    size = pc.coalesce(said, fits)
    return {"size": size, "accessible": pc.if_else(accessible, size, 0)}
