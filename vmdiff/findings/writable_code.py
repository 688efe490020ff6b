"""Memory that can be written and executed at once, which deserves a look."""

from collections.abc import Iterable

from vmdiff.comparison.change import Change
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import Finding, Found, listed
from vmdiff.model import Mapping
from vmdiff.units import size


def writable_code(comparison: Comparison) -> Found:
    """Find memory that has become writable and executable at once.

    Precondition: it is such memory now and was not before, byte by byte where addresses are known (the
    kernel merges a page that was so with a neighbour that became so), else by the sizes.
    """
    grown = [(change, _became_both(change)) for change in comparison.changes]
    found = [change for change, count in grown if count > 0]
    if found:
        where = [f"{m.start:x}" for c in found for m in c.after if _is_both(m) and m.start is not None]
        total = sum(count for _, count in grown if count > 0)
        message = f"{size(total)} became both writable and executable ({listed(where)})"
        yield Finding("writable-code", "notice", message, tuple(where[:9]))


def _became_both(change: Change) -> int:
    """Return how many bytes of a region became so; what the region already had is taken off."""
    after = list(filter(_is_both, change.after))
    if not after:  # by far the most
        return 0
    before = list(filter(_is_both, change.before))
    kept = _overlap(before, after)
    if kept is None or not kept:
        kept = min(_size(before), _size(after)) if kept is None else 0
    return _size(after) - kept


def _overlap(before: Iterable[Mapping], after: list[Mapping]) -> int | None:
    """Return the bytes that are in both; None where an address is unknown."""
    shared = 0
    for one in before:
        for other in after:
            if one.start is None or one.end is None or other.start is None or other.end is None:
                return None
            shared += max(0, min(one.end, other.end) - max(one.start, other.start))
    return shared


def _size(mappings: Iterable[Mapping]) -> int:
    return sum(mapping.size or 0 for mapping in mappings)


def _is_both(mapping: Mapping) -> bool:
    return mapping.perms[1] == "w" and mapping.perms[2] == "x"
