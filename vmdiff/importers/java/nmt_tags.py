"""What a Java virtual machine's own words for its memory mean, and how to put them on mappings.

Facts: HotSpot's ``nmt/memMapPrinter.cpp`` (the tags of System.map) and ``utilities/vmError.cpp`` (the lines
of hs_err logs). HotSpot names what it asked for itself, so an owner that rests on that is certain.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from vmdiff.model import MIXED, Mapping, Owner, Part, owner
from vmdiff.model.owner import certainty

# The tags of HotSpot's native memory tracking, short as in System.map: whose memory it is.
TAGS = {
    "JAVAHEAP": "jvm heap",
    "CLASS": "jvm class space",
    "META": "jvm metaspace",
    "CODE": "jvm code cache",
    "GC": "jvm gc",
    "CARDTBL": "jvm gc",
    "CDS": "jvm cds",
    "STACK": "thread stack",
}
INTERNAL = "jvm internal"  # all others: POLL, INTERN, TEST, JDK, ...

_STACK = re.compile(r"STACK-([0-9]{1,10})-(.{1,200})", re.DOTALL)
_TAG = re.compile(r"[A-Z][A-Z0-9_]{1,15}(?:-.{0,220})?|[A-Z][\w-]{0,40}")


class TaggedRange(NamedTuple):
    """The virtual machine's word that ``[start, end)`` is *name*'s."""

    start: int
    end: int
    name: str
    evidence: str
    label: str | None = None
    tid: int | None = None


def tagged(info: str, evidence: str) -> Owner | None:
    """Return the owner that a mapping's tags name; of two tags no border is known, so it is ``mixed``."""
    tags = [tag for tag in info.split(",") if tag not in {"", "-"}]
    if not tags or not all(_TAG.fullmatch(tag) for tag in tags):
        return None
    if len(tags) > 1:
        names = ", ".join(tags)
        return Owner(MIXED, "certain", "name", f"{evidence}; where one ends is not told", label=names)
    tag = tags[0]
    if found := _STACK.fullmatch(tag):
        return owner("thread stack", "name", evidence, label=found[2], tid=int(found[1]))
    name = TAGS.get(tag, INTERNAL)
    return owner(name, "name", evidence, label=tag if name == INTERNAL or tag == "CARDTBL" else None)


def with_jvm_ranges(mappings: Sequence[Mapping], claims: Iterable[TaggedRange]) -> list[Mapping]:
    """Return the mappings with the owners that *claims* name; earlier claims stand before later ones.

    A mapping that one claim covers whole has that owner, one that claims cover in part is ``mixed``.
    The kernel's own names (``[heap]``, ``[stack]``) stand before all claims.
    """
    pieces = disjoint(claims)
    given = []
    first = 0
    for mapping in mappings:
        held = []
        if mapping.start is not None and mapping.end is not None:
            while first < len(pieces) and pieces[first].end <= mapping.start:
                first += 1
            if not (mapping.path or "").startswith("["):
                held = list(_inside(pieces, first, mapping.start, mapping.end))
        given.append(mapping._replace(owner=_settled(mapping, held)) if held else mapping)
    return given


def disjoint(claims: Iterable[TaggedRange]) -> list[TaggedRange]:
    """Cut claims so that they share no address, lowest first; what an earlier one holds a later one loses.

    What is held is kept as a list of stretches that do not touch, so a claim that covers many of them
    joins them, and hostile lists of claims cost no more than honest ones.
    """
    starts: list[int] = []
    ends: list[int] = []
    pieces: list[TaggedRange] = []
    for claim in claims:
        first, last = bisect_left(ends, claim.start), bisect_right(starts, claim.end)
        low = claim.start
        for start, end in zip(starts[first:last], ends[first:last], strict=True):
            if low < start:
                pieces.append(claim._replace(start=low, end=start))
            low = max(low, end)
        if low < claim.end:
            pieces.append(claim._replace(start=low))
        if first < last:
            bounds = min(claim.start, starts[first]), max(claim.end, ends[last - 1])
        else:
            bounds = claim.start, claim.end
        starts[first:last], ends[first:last] = [bounds[0]], [bounds[1]]
    return sorted(pieces, key=lambda piece: piece.start)


def _inside(pieces: Sequence[TaggedRange], first: int, low: int, high: int) -> Iterator[TaggedRange]:
    """Yield the pieces in ``[low, high)``, cut to it; none before *first* reaches into it."""
    for index in range(first, len(pieces)):
        piece = pieces[index]
        if piece.start >= high:
            return
        yield piece._replace(start=max(piece.start, low), end=min(piece.end, high))


def _settled(mapping: Mapping, pieces: Sequence[TaggedRange]) -> Owner:
    claim = pieces[0]
    if _is_one(pieces) and (claim.start, pieces[-1].end) == (mapping.start, mapping.end):
        labels = ", ".join(dict.fromkeys(each.label for each in pieces if each.label))
        return owner(claim.name, "name", claim.evidence, label=labels or None, tid=claim.tid)
    return Owner(
        MIXED,
        parts=tuple(
            Part(
                each.start,
                each.end,
                each.name,
                certainty("name"),
                "name",
                each.evidence,
                each.label,
                each.tid,
            )
            for each in pieces
        ),
    )


def _is_one(pieces: Sequence[TaggedRange]) -> bool:
    """Return whether the pieces touch and are all the same owner's."""
    return all(
        below.end == above.start and (below.name, below.tid) == (above.name, above.tid)
        for below, above in pairwise(pieces)
    )
