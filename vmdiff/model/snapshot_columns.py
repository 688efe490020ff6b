"""A snapshot with its mappings as columns, for reading many snapshots that resemble each other.

Building a mapping and looking into it costs more than all else that is done with most of those of a fleet:
they differ from others in nothing but their bounds.
"""

from collections import abc
from itertools import starmap
from typing import NamedTuple

from vmdiff.model.mapping import Content, Mapping, PlacedMapping, bounds
from vmdiff.model.owner import Owner
from vmdiff.model.snapshot import Snapshot

_OWNER, _VALUES = (Mapping._fields.index(name) - 2 for name in ("owner", "values"))


class SnapshotColumns(NamedTuple):
    """A snapshot without its mappings, and these by column: their bounds, and everything else of each.

    The content of mappings that are alike is one object, so that whoever holds on to it knows it by identity.
    """

    shell: Snapshot
    starts: abc.Sequence[int | None]
    ends: abc.Sequence[int | None]
    contents: abc.Sequence[Content]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "SnapshotColumns":
        """Take a snapshot apart."""
        alike: dict[abc.Hashable, Content] = {}
        contents = []
        for _, _, *rest in snapshot.mappings:
            look = (*rest[:_OWNER], id(rest[_OWNER]), id(rest[_VALUES]))
            contents.append(alike.get(look) or alike.setdefault(look, tuple(rest)))
        starts, ends = zip(*bounds(snapshot.mappings), strict=True) if contents else ((), ())
        return cls(snapshot.model_copy(update={"mappings": ()}), starts, ends, contents)

    def whole(self) -> Snapshot:
        """Return the snapshot with its mappings."""
        rows = zip(self.starts, self.ends, self.contents, strict=True)
        mappings = starmap(mapping_of, rows)
        return self.shell.model_copy(update={"mappings": tuple(mappings)})


def mapping_of(start: int | None, end: int | None, content: Content) -> Mapping:
    """Put a mapping together again."""
    placed = start is not None and end is not None
    return (PlacedMapping if placed else Mapping)(start, end, *content)


def is_cut(content: Content) -> bool:
    """Return whether it names the parts of a mapping, which lie within the bounds of that one alone."""
    owner: Owner | None = content[_OWNER]
    return owner is not None and bool(owner.parts or owner.rest)
