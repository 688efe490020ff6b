"""Private memory that became shared, or the reverse, without becoming more or less: forks and their end."""

from typing import NamedTuple

from vmdiff.comparison.change import Change, Counts
from vmdiff.comparison.compare import Comparison
from vmdiff.findings.finding import NOTEWORTHY, Finding, Found, delta
from vmdiff.model import Kind
from vmdiff.model.memory_figures import figure_of_two
from vmdiff.units import signed, size

_FORKED = (Kind.ANONYMOUS, Kind.HEAP, Kind.STACK)  # shared by a fork only; of a file any process has pages
_PAGE = 4096  # where the host's is unknown: the smallest, so that faults are never counted for too much


class Sharing(NamedTuple):
    """Bytes of anonymous memory that became shared with another process, and that no longer are.

    *copied*: page faults were enough for each of the pages to have been copied; None where unknown.
    """

    shared: int
    unshared: int
    copied: bool | None


def sharing(comparison: Comparison) -> Sharing | None:
    """Measure it within mappings that both sides have; None where it cannot be known.

    Looking at each region by itself keeps memory apart that was unmapped while other memory came.
    Pages that KSM merged are shared as well, and are taken off.
    """
    if comparison.match != "address":
        return None
    deltas = {id(change.delta): change.delta for change in comparison.changes}  # many changes share theirs
    known = {key: _moved(delta) for key, delta in deltas.items()}
    amounts = [(change, known[id(change.delta)]) for change in comparison.changes]
    moved = [amount for change, amount in amounts if amount and _stayed(change)]
    shared = sum(one for one in moved if one > 0) - max(0, _total(comparison, "ksm"))
    unshared = -sum(one for one in moved if one < 0) + min(0, _total(comparison, "ksm"))
    return Sharing(max(0, shared), max(0, unshared), _copied(comparison, unshared))


def copied_on_write(comparison: Comparison) -> bool:
    """Return whether this process wrote to memory that it shared, which moves neither sizes nor RSS."""
    found = sharing(comparison)
    return found is not None and found.unshared >= NOTEWORTHY and found.copied is True


def became_shared(comparison: Comparison) -> Found:
    """Find private memory that a fork shares now.

    Precondition: anonymous memory became shared in regions that both sides have; only a fork of this
    process does that to it (pages that KSM merged are taken off).
    """
    found = sharing(comparison)
    if found is not None and found.shared >= NOTEWORTHY:
        message = (
            f"{size(found.shared)} became shared with a child (fork): nothing was freed, and what either of"
            " the two writes to is copied"
        )
        yield Finding("became-shared", "info", message, _seen(comparison))


def sharing_broken(comparison: Comparison) -> Found:
    """Find pages that were shared after a fork and are private now: copied on write, or the other ended.

    Precondition: as for `became_shared`. That they were copied here is said only where there were page
    faults enough for it, and then as likely: the faults may have been for other pages.
    """
    found = sharing(comparison)
    if found is None or found.unshared < NOTEWORTHY:
        return
    why = {
        None: "copied on write, or the other process ended",
        True: "copied on write, as the page faults suggest",
        False: "the other process copied it on write or ended; this one copied little or nothing",
    }[found.copied]
    message = (
        f"{size(found.unshared)} that was shared with other processes, as after a fork, has become private:"
        f" {why}"
    )
    yield Finding("sharing-broken", "info", message, _seen(comparison))


def _seen(comparison: Comparison) -> tuple[str, ...]:
    figures = ((name, delta(comparison, name)) for name in ("shared", "private"))
    return tuple(f"{name} {signed(change)}" for name, change in figures if change is not None)


def _stayed(change: Change) -> bool:
    return bool(change.before) and bool(change.after) and change.kind in _FORKED


def _moved(delta: Counts) -> int:
    """Return what went from private to shared in one region; negative for the other way."""
    private, shared = figure_of_two(delta, "private"), figure_of_two(delta, "shared")
    if private is None or shared is None or (private > 0) == (shared > 0):
        return 0
    return min(-private, shared) if shared > 0 else max(-private, shared)


def _total(comparison: Comparison, counter: str) -> int:
    total = comparison.totals.get(counter)
    return (total.delta if total else None) or 0


def _copied(comparison: Comparison, unshared: int) -> bool | None:
    """Return whether there were page faults enough: a copy on write takes one a page, also of a huge page."""
    before, after = comparison.before.process, comparison.after.process
    if before.minor_faults is None or after.minor_faults is None or before.pid != after.pid:
        return None
    page = comparison.after.host.page_size or _PAGE
    return (after.minor_faults - before.minor_faults) * page >= unshared
