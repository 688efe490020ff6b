"""Accounts that a program keeps of memory within its allocator's, such as postgres' contexts."""

from collections.abc import Iterator

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.usage_change import UsageChange, by_owner
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found
from vmdiff.findings.freed_and_kept import largest_rows
from vmdiff.units import signed, size

_MOST_ROWS = 3
_KEPT = {  # what the largest part of a growth means, where it is always the same
    "CacheMemoryContext": "a backend keeps what it has read of each table and index until it ends",
    "index info": "a backend keeps what it has read of each table and index until it ends",
}


def grown_accounts(comparison: Comparison) -> Iterator[tuple[UsageChange, int]]:
    """Yield the accounts of which more is in use, and by how many bytes.

    Precondition: both sides know the figure, and no mapping has this owner: the memory is an allocator's.
    """
    owners = {group.name for group in comparison.grouped("owner")}
    for change in by_owner(comparison.usage or ()):
        grew = change.delta["in_use"]
        if change.owner not in owners and grew is not None and grew >= NOTEWORTHY:
            yield change, grew


def clause(comparison: Comparison) -> str:
    """Return what accounts add to a sentence: ``; postgres contexts +12 MiB (index info +9,000, +9 MiB)``."""
    return "".join(
        f"; {change.owner} {signed(grew)}" + (f" ({row})" if (row := next(largest_rows(change), "")) else "")
        for change, grew in grown_accounts(comparison)
    )


def account_growth(comparison: Comparison) -> Found:
    """Find accounts of which more is in use, and the names that grew."""
    for change, grew in grown_accounts(comparison):
        rows = list(largest_rows(change))[:_MOST_ROWS]
        message = f"{change.owner}: {size(grew)} more is in use{': ' if rows else ''}{', '.join(rows)}"
        if change.types and (why := _KEPT.get(change.types[0][0])):
            message += f". {why[0].upper()}{why[1:]}"
        yield Finding("account-growth", "notice", message, (f"in_use {signed(grew)}",))
