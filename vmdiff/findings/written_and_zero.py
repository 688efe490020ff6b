"""What pages hold, where a snapshot looked: zeros that cost memory, what repeats, what was written."""

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.match_mode import Match
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found
from vmdiff.model import Snapshot
from vmdiff.model.piece import pieces_of
from vmdiff.units import size

_WORTH = 16 * NOTEWORTHY
_MOST = 3  # owners in one sentence


def written_pages(comparison: Comparison) -> Found:
    """Find what was written between two moments, by owner.

    Precondition: both sides have fingerprints of one key, so that a page with other contents was written; one
    that was written with what it held already is not seen.
    """
    moves = comparison.pages or ()
    changed = sum(one.changed for one in moves)
    if changed < NOTEWORTHY:
        return
    owners = ", ".join(f"{one.owner} {size(one.changed)}" for one in moves[:_MOST] if one.changed)
    looked = sum(one.changed + one.kept for one in moves)
    message = f"{size(changed)} of {size(looked)} that stayed in memory was written meanwhile: {owners}"
    evidence = tuple(
        f"{name} {size(total)}"
        for name in ("written", "filled", "cleared", "freed", "swapped", "came", "kept")
        if (total := sum(getattr(one, name) for one in moves))
    )
    yield Finding("pages-written", "info", message, evidence)


def pages_not_compared(comparison: Comparison) -> Found:
    """Say that what was written is unknown although both sides looked at pages.

    Precondition: the two are of one address space, so that fingerprints of one key would have told.
    """
    sides = (comparison.before.pages, comparison.after.pages)
    if comparison.match is not Match.ADDRESS or comparison.moved_pages is not None:
        return
    keys = [pages.key for pages in sides if pages is not None]
    if len(keys) == len(sides):
        why = "not both have fingerprints" if None in keys else "the fingerprints are of different keys"
        message = f"what was written meanwhile is unknown: {why}; snap both with the same --page-key"
        yield Finding("pages-not-compared", "info", message)


def zeros_in_memory(snapshot: Snapshot) -> Found:
    """Find resident memory that holds zeros only: touched and never used, or cleared.

    Precondition: the pages were read, and zeros are half of an owner's resident memory or more.
    """
    for owner, (zeros, resident) in _by_owner(snapshot, "zero_filled").items():
        if zeros >= _WORTH and zeros <= resident <= zeros * 2:
            held = f"{size(zeros)} of the {size(resident)} of {owner} in memory"
            message = f"{held} are zeros: touched and not used, or cleared"
            yield Finding("zero-pages", "info", message, (f"zero_filled {size(zeros)}",))


def zeros_in_huge_pages(snapshot: Snapshot) -> Found:
    """Find zeros that are in memory because huge pages are.

    Precondition: the kernel says of these pages that they lie in a huge page, and they were read.
    """
    zeros = snapshot.total("huge_zero")
    if zeros is not None and zeros >= _WORTH:
        message = (
            f"{size(zeros)} of zeros lie in transparent huge pages: small pages"
            " (madvise(MADV_NOHUGEPAGE), or transparent_hugepage/enabled) would not take that memory"
        )
        yield Finding("huge-page-waste", "info", message, (f"huge_zero {size(zeros)}",))


def repeated_pages(snapshot: Snapshot) -> Found:
    """Find pages whose contents another page of the process has, too.

    Precondition: the pages were read, and memory did not grow meanwhile beyond what was counted before. Zeros
    are not among them.
    """
    repeated, own = snapshot.total("duplicate"), snapshot.total("anonymous")
    if repeated is not None and own and repeated >= _WORTH and repeated <= own <= repeated * 10:
        message = (
            f"{size(repeated)} of {size(own)} repeats the contents of another page of the process:"
            " madvise(MADV_MERGEABLE) lets the kernel (KSM) keep one of each"
        )
        yield Finding("repeated-pages", "info", message, (f"duplicate {size(repeated)}",))


def _by_owner(snapshot: Snapshot, counter: str) -> dict[str, tuple[int, int]]:
    """Return a counter and the resident memory of each owner, of what both are known of."""
    if counter not in snapshot.origin.counters:
        return {}
    sums: dict[str, tuple[int, int]] = {}
    for mapping in snapshot.mappings:
        for piece in pieces_of(snapshot, mapping):
            counted, resident = piece.counts.get(counter), piece.counts.get("rss")
            if counted is not None and resident:
                before = sums.get(piece.group, (0, 0))
                sums[piece.group] = before[0] + counted, before[1] + resident
    return sums
