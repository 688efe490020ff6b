"""What follows the bounds of mappings and their pieces, turned into columns once for all that are alike.

Most mappings of a fleet are alike in everything but their bounds: the same libraries, often resident to the
same degree, the same stacks.
"""

from collections import abc
from collections.abc import Iterator
from typing import Any

from vmdiff.fleet.columns import array, is_counter_column
from vmdiff.model import Content, Mapping
from vmdiff.model.memory_figures import figure, parts_of
from vmdiff.model.piece import PRIVATE
from vmdiff.model.snapshot_columns import is_cut

# Late imports: the packages of an extra are needed by nobody who does not ask for it.

CUT = -1  # the number of what several pieces are made of
_FIELDS = Mapping._fields[2:]  # of a content

Column = abc.Sequence[Any]


class Likenesses:
    """The contents of snapshots that measure the same *counters*: each has a number, a row of the columns.

    It only grows: what earlier snapshots had is not turned into columns again.
    """

    def __init__(self, counters: abc.Sequence[str]) -> None:
        self._counters = [name for name in counters if is_counter_column(name)]
        self._numbers: dict[int, int] = {}  # by the identity of a content, which holds while that is kept
        self._cut: list[Content] = []
        self._rows: list[Content] = []  # with the owner and the counters of a piece, where it is one
        self._private: dict[int, int | None] = {}  # of the rows that are pieces
        self._columns: dict[str, Any] = {}
        self._done = 0  # rows that are in the columns

    def __len__(self) -> int:
        return len(self._rows) + len(self._cut)

    def numbered(self, contents: abc.Sequence[Content]) -> list[int]:
        """Return the number of each content, `CUT` where it may have several pieces."""
        which: list[Any] = list(map(self._numbers.get, map(id, contents)))
        for at in [at for at, number in enumerate(which) if number is None]:
            which[at] = self._number(contents[at])
        return which

    def of_piece(self, likeness: Content, private: int | None) -> int:
        """Return the number of a piece, which has *private* bytes of its own."""
        self._private[len(self._rows)] = private
        return self._add(likeness)

    def columns(self) -> abc.Mapping[str, Any]:
        """Return an array a column, with a value a number.

        ``size`` is known where the bounds do not say it, ``accessible`` is whether it is.
        """
        import pyarrow as pa  # an extra

        if self._done < len(self._rows) or not self._columns:
            fresh = dict(self._fresh())
            for name, before in self._columns.items():
                fresh[name] = pa.concat_arrays([before, fresh[name]])
            self._columns, self._done = fresh, len(self._rows)
        return self._columns

    def _number(self, likeness: Content) -> int:
        if (number := self._numbers.get(id(likeness))) is None:
            if is_cut(likeness):
                self._cut.append(likeness)
            number = self._numbers[id(likeness)] = CUT if is_cut(likeness) else self._add(likeness)
        return number

    def _add(self, likeness: Content) -> int:
        self._rows.append(likeness)
        return len(self._rows) - 1

    def _fresh(self) -> Iterator[tuple[str, Any]]:
        """Yield the columns of the rows that are not in them yet."""
        import pyarrow as pa

        fields = list(zip(*self._rows[self._done :], strict=True)) or [()] * len(_FIELDS)
        likenesses = dict(zip(_FIELDS, fields, strict=True))
        for name, values in (*_texts(likenesses), *self._counted(likenesses["values"])):
            yield name, array(name, values)
        yield "size", array("size", [counts.get("size") for counts in likenesses["values"]])
        yield "accessible", pa.array(list(map(_is_accessible, likenesses["perms"])), type=pa.bool_())

    def _counted(self, held: Column) -> Iterator[tuple[str, Column]]:
        """Yield the counters that were measured; one that is absent is 0."""
        columns = {name: [counts.get(name, 0) for counts in held] for name in self._counters}
        yield from columns.items()
        parts = [name for name in parts_of(PRIVATE) if name in columns]
        every = list(zip(*(columns[name] for name in parts), strict=True)) or [()] * len(held)
        figures = {some: figure(dict(zip(parts, some, strict=True)), PRIVATE) for some in set(every)}
        private = list(map(figures.__getitem__, every))
        for number, of_piece in self._private.items():
            private[number - self._done] = of_piece
        self._private.clear()
        yield PRIVATE, private


def _texts(likenesses: abc.Mapping[str, Column]) -> Iterator[tuple[str, Column]]:
    """Yield the columns of text, and what is known of the owner."""
    for name in ("perms", "path", "deleted", "build_id"):
        yield name, likenesses[name]
    yield "kind", [kind.value for kind in likenesses["kind"]]
    yield "flags", [None if flags is None else " ".join(flags) for flags in likenesses["flags"]]
    owners = likenesses["owner"]
    yield "owner", [owner and owner.name for owner in owners]
    yield "owner_label", [owner and owner.label for owner in owners]
    yield "certainty", [owner and owner.certainty for owner in owners]
    yield "basis", [owner and owner.basis for owner in owners]


def _is_accessible(perms: str) -> bool | None:
    """Return whether memory can be read, written or run."""
    return None if perms.startswith("???") else not perms.startswith("---")
