"""Pieces: mappings cut where their owners end, each with counters of its own.

The kernel merges neighbours that are alike, so one mapping may hold the memory of several owners. Where
page-level reading counted every part, the pieces' counters are exact and add up to the mapping's. A counter
that cannot be split is None in each piece that may have some of it.
"""

from collections import abc
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.model.address_range import AddressRange
from vmdiff.model.kind import Kind
from vmdiff.model.mapping import Mapping, PlacedMapping
from vmdiff.model.memory_figures import figure
from vmdiff.model.owner import MIXED, Owner, Part, Unclaimed
from vmdiff.model.page_map import PAGE_COUNTERS
from vmdiff.model.snapshot import Snapshot

Counts = abc.Mapping[str, int | None]  # bytes by counter; None is unknown

NOT_SPLIT = "(not split)"  # the group of what cannot be split among the owners of one mapping
PRIVATE = "private"  # what no other process maps: a counter of pieces, split exactly where rss is

# What counts some of the resident pages of a mapping, each for as much as rss does or less
# (fs/proc/task_mmu.c, smaps_account): where such a counter equals rss, it does so in each piece.
_OF_RESIDENT = frozenset(
    {
        "pss",
        "pss_dirty",
        "shared_clean",
        "shared_dirty",
        "private_clean",
        "private_dirty",
        "referenced",
        "anonymous",
        "ksm",
        "lazy_free",
        "anon_huge_pages",
        "shmem_pmd_mapped",
        "file_pmd_mapped",
        "locked",
    }
)

_HUGETLB = frozenset({"private_hugetlb", "shared_hugetlb"})


class Piece(NamedTuple):
    """Memory of one owner in one mapping: all of it, a part, or what no part claims (*owner* is None).

    *counts* has every counter of the snapshot and `PRIVATE`. *ranges* is where it lies: one range, several
    where only their sum was counted, none where the listing tells no bounds.
    """

    mapping: Mapping
    owner: Owner | None
    counts: Counts
    ranges: tuple[AddressRange, ...]

    @property
    def kind(self) -> Kind:
        """The kind of its mapping."""
        return self.mapping.kind

    @property
    def path(self) -> str | None:
        """The path of its mapping."""
        return self.mapping.path

    @property
    def group(self) -> str:
        """The group of owners that it counts in: its owner's name, else its kind in parentheses."""
        return group_of(self.kind, self.owner)


def group_of(kind: Kind, owner: Owner | None) -> str:
    """Return the group of owners that memory of one owner counts in."""
    if owner is None:
        return f"({kind})"
    return NOT_SPLIT if owner.name == MIXED else owner.name


def pieces(snapshot: Snapshot) -> Iterator[Piece]:
    """Yield the pieces of every mapping, in order."""
    for mapping in snapshot.mappings:
        yield from pieces_of(snapshot, mapping)


def pieces_of(snapshot: Snapshot, mapping: Mapping) -> list[Piece]:
    """Return the pieces of one mapping of the snapshot; counters that are known add up to the mapping's."""
    whole: dict[str, int | None] = {name: snapshot.value(mapping, name) for name in snapshot.counters}
    whole[PRIVATE] = figure(whole, PRIVATE)
    owner = mapping.owner
    if not isinstance(mapping, PlacedMapping):
        return [Piece(mapping, owner, whole, ())]
    if owner is None or not owner.parts:
        return [Piece(mapping, owner, whole, (mapping.range,))]
    stretches = _stretches(mapping, owner)
    shares = _shares(whole, stretches, accessible=bool(mapping.accessible))
    return [
        Piece(mapping, stretch.owner, share, stretch.ranges)
        for stretch, share in zip(stretches, shares, strict=True)
    ]


class _PieceRange(NamedTuple):
    """A part of a mapping, or what no part claims, with what was counted there."""

    owner: Owner | None
    ranges: tuple[AddressRange, ...]
    counted: Part | Unclaimed | None

    @property
    def size(self) -> int:
        return sum(one.size for one in self.ranges)

    def figure(self, name: str) -> int | None:
        """Return a figure that was counted there, None where it was not."""
        return getattr(self.counted, name, None)


def _stretches(mapping: PlacedMapping, owner: Owner) -> list[_PieceRange]:
    """Return the parts and what lies between them; uncounted gaps are one, for their sum may be known."""
    found = [_PieceRange(part.owner, (part.range,), part) for part in owner.parts]
    borders = [mapping.start, *(border for part in owner.parts for border in part.range), mapping.end]
    between = zip(borders[::2], borders[1::2], strict=True)
    gaps = tuple(AddressRange(low, high) for low, high in between if low < high)
    if gaps == tuple(gap.range for gap in owner.rest):
        found += [_PieceRange(None, (gap.range,), gap) for gap in owner.rest]
    elif gaps:
        found.append(_PieceRange(None, gaps, None))
    return sorted(found, key=lambda stretch: stretch.ranges)


def _shares(
    whole: Counts, stretches: Sequence[_PieceRange], *, accessible: bool
) -> list[dict[str, int | None]]:
    """Return the counters of each stretch, None what cannot be said exactly."""
    sizes = [stretch.size for stretch in stretches]
    rss = _settled(whole.get("rss"), [one.figure("rss") for one in stretches], sizes)
    swap = _settled(whole.get("swap"), [one.figure("swap") for one in stretches], sizes)
    alone = whole[PRIVATE] is not None and whole[PRIVATE] == whole.get("rss")
    private = _settled(whole[PRIVATE], rss if alone else [one.figure("private") for one in stretches], sizes)
    columns: dict[str, list[int | None]] = {}
    for name, amount in whole.items():
        if name in _OF_RESIDENT:
            columns[name] = _parts_of(amount, whole["rss"], rss)
        elif name in _HUGETLB:  # pagemap counts no part of these: all of them, or none
            columns[name] = _settled(amount, [None] * len(sizes), sizes)
        elif name in PAGE_COUNTERS:
            columns[name] = _settled(amount, [one.figure(name) for one in stretches], sizes)
        elif name == "swap_pss":
            columns[name] = _parts_of(amount, whole.get("swap"), swap)
        else:
            columns[name] = [None if amount else amount] * len(sizes)
    if whole.get("private_clean") == 0 or whole.get("private_dirty") == 0:
        kept = "private_dirty" if whole.get("private_clean") == 0 else "private_clean"
        columns[kept] = private
    columns |= {"size": [*sizes], "accessible": [*sizes] if accessible else [0] * len(sizes)}
    columns |= {"rss": rss, "swap": swap, PRIVATE: private}
    if None in columns.get("pss", ()):
        shares = _with_all_shares(whole, rss, private)
        columns["pss"] = columns["pss"] if None in shares else shares
    return [{name: columns[name][at] for name in whole} for at in range(len(sizes))]


def _settled(whole: int | None, counted: Sequence[int | None], sizes: Sequence[int]) -> list[int | None]:
    """Return what each stretch has of a counter, as far as it follows from what was counted."""
    if whole is None:
        return [None] * len(sizes)
    if whole in {0, sum(sizes)}:  # nothing, or every page
        return [size if whole else 0 for size in sizes]
    uncounted = [size for size, amount in zip(sizes, counted, strict=True) if amount is None]
    left = whole - sum(amount for amount in counted if amount is not None)
    if not 0 <= left <= sum(uncounted):
        return [None] * len(sizes)  # they do not add up
    if left in {0, sum(uncounted)}:
        return [
            (size if left else 0) if amount is None else amount
            for size, amount in zip(sizes, counted, strict=True)
        ]
    return [left if amount is None and len(uncounted) == 1 else amount for amount in counted]


def _with_all_shares(
    whole: Counts, rss: Sequence[int | None], private: Sequence[int | None]
) -> list[int | None]:
    """Return the PSS of each stretch: what is private counts in full, the rest is of the one that shares."""
    pss, alone = whole["pss"], whole[PRIVATE]
    unknown: list[int | None] = [None] * len(rss)
    if pss is None or alone is None or None in rss or None in private:
        return unknown
    kept = [amount or 0 for amount in private]
    sharing = [at for at, amount in enumerate(rss) if (amount or 0) > kept[at]]
    if len(sharing) > 1 or sum(kept) != alone or pss < alone:
        return unknown
    return (
        [amount + (pss - alone if at in sharing else 0) for at, amount in enumerate(kept)]
        if sharing
        else unknown
    )


def _parts_of(amount: int | None, whole: int | None, counted: Sequence[int | None]) -> list[int | None]:
    """Split a counter that counts some of the pages that another, already split, counts all of."""
    if not amount or amount == whole:
        return [*counted] if amount else [amount] * len(counted)
    holders = [at for at, held in enumerate(counted) if held != 0]
    if not holders:  # a document that contradicts itself
        return [None] * len(counted)
    return [0 if at not in holders else amount if len(holders) == 1 else None for at in range(len(counted))]
