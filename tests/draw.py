"""Address spaces drawn as text, so that a test shows what it means."""

from itertools import groupby
from typing import Any

from vmdiff.model import Kind, Mapping, Origin, Snapshot

PAGE = 0x1000
COUNTERS = ("rss", "pss", "private_dirty", "swap")


def mappings(drawing: str) -> tuple[Mapping, ...]:
    """Build ``"aa.b"``: a two-page mapping *a*, a hole, a one-page mapping *b*.

    Small letters are anonymous and readable, capitals of the same are inaccessible (the border
    between ``a`` and ``A`` is one of permissions), digits are pages of a file of that name.
    """
    drawn, page = [], 0
    for name, run in groupby(drawing):
        end = page + len(list(run))
        if name != ".":
            drawn.append(_mapping(name, page * PAGE, end * PAGE))
        page = end
    return tuple(drawn)


def _mapping(name: str, start: int, end: int) -> Mapping:
    values = {"rss": PAGE, "pss": PAGE // 2}
    if name.isdigit():
        return Mapping(
            start, end, "r--s", Kind.FILE, start, "08:01", f"10{name}", f"/files/{name}", values=values
        )
    if name.isupper():
        return Mapping(start, end, "---p", Kind.RESERVED)
    flags = ("rd", "wr", f"f{name}")  # neighbours of other letters are told apart by a flag
    return Mapping(start, end, "rw-p", Kind.ANONYMOUS, flags=flags, values=values)


def snapshot(*drawn: Mapping, counters: tuple[str, ...] = COUNTERS, **facts: Any) -> Snapshot:
    """Build a snapshot of these mappings."""
    return Snapshot(origin=Origin(source="drawn", counters=counters), mappings=drawn, **facts)


def space(drawing: str) -> Snapshot:
    """Build the snapshot of a drawing."""
    return snapshot(*mappings(drawing))
