"""A change: one region that differs, with its name and what it adds to each total."""

from collections import abc
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeVar

from vmdiff.model import Kind, Mapping, Owner

Counts = abc.Mapping[str, int | None]  # bytes by counter; None is unknown
MovedEnd = Literal["start", "end", "both"]


class ChangeName(StrEnum):
    """What became of a region; `MIRRORS` tells what each is called seen from the other side."""

    NEW = "new"
    REMOVED = "removed"
    REPLACED = "replaced"
    REPROTECTED = "reprotected"
    GROWN = "grown"
    SHRUNK = "shrunk"
    SHIFTED = "shifted"
    MOVED = "moved"
    SPLIT = "split"
    MERGED = "merged"
    REDRAWN = "redrawn"
    RESIDENT = "resident"
    RECOUNTED = "recounted"
    RELABELLED = "relabelled"


_PAIRS = (
    (ChangeName.NEW, ChangeName.REMOVED),
    (ChangeName.GROWN, ChangeName.SHRUNK),
    (ChangeName.SPLIT, ChangeName.MERGED),
)


MIRRORS: abc.Mapping[ChangeName, ChangeName] = {
    **{name: name for name in ChangeName},
    **dict(_PAIRS),
    **{second: first for first, second in _PAIRS},
}


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Change:
    """One region that differs, with its name and its deltas in bytes (None: unknown on a side).

    *moved_end* says which end a grown or shrunk mapping moved: ``start``, ``end`` or ``both``.
    *crowd* numbers the changes that are alike and may be shown as one row.
    """

    change: ChangeName
    before: tuple[Mapping, ...]
    after: tuple[Mapping, ...]
    delta: Counts
    because: str | None = None
    moved_end: MovedEnd | None = None
    crowd: int | None = None

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The mappings of both sides."""
        return self.before + self.after

    @property
    def kind(self) -> Kind | None:
        """The kind that all its mappings share, else None."""
        return common([mapping.kind for mapping in self.before + self.after])

    @property
    def path(self) -> str | None:
        """The path that all its mappings share, else None."""
        return common([mapping.path for mapping in self.before + self.after])

    @property
    def owner(self) -> Owner | None:
        """The owner that all its mappings share by name; where they differ in more, the latest."""
        owners = [mapping.owner for mapping in self.before + self.after]
        if not any(owners):  # by far the most
            return None
        names = [owner and owner.name for owner in owners]
        return owners[-1] if common(names) is not None else None


def common(values: list[Value]) -> Value | None:
    """Return the value that all are, else None."""
    first = values[0]
    return first if values.count(first) == len(values) else None
