"""What happened between two snapshots, in one sentence.

The rules are tried in the order of `_RULES`; the first that applies makes the sentence. Each says only
what the figures bound: parts are named with their own change, until they account for most of it.
"""

from collections.abc import Callable

from vmdiff.answer import notes, parts
from vmdiff.answer.movement import Movement, movement
from vmdiff.answer.sentence import Answer, Mover
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.totals import Total
from vmdiff.findings.fork_sharing import sharing
from vmdiff.model import Snapshot
from vmdiff.model.memory_figures import figure, figure_of_two
from vmdiff.units import signed

NOTEWORTHY = 1 << 20  # bytes from which on a movement is one, however large the process
# Below that none is, however small the process: one touch of a file maps 64 KiB (fault_around_bytes).
_SLIGHT = 128 << 10  # bytes
_COUNTERS = {"resident": "rss", "virtual": "size"}


def answer(comparison: Comparison) -> Answer:
    """Return what happened to the memory, and to whose."""
    found = next(found for rule in _RULES if (found := rule(comparison)) is not None)
    if lead := _other_run(comparison):
        return Answer(f"{lead}: {found.sentence}", found.counter, found.delta, found.movers, found.explained)
    return found


def _without_mappings(comparison: Comparison) -> Answer | None:
    """Compare the totals where a side lists no mappings: whose the memory is, nobody knows."""
    sides = {"before": comparison.before, "after": comparison.after}
    blind = [name for name, side in sides.items() if not side.mappings and side.rollup]
    if not blind:
        return None
    delta = _delta(comparison, "resident")
    told = f"resident {signed(delta)}" if delta is not None else "resident memory was not measured"
    which = "neither side lists" if len(blind) == 2 else f"“{blind[0]}” lists"
    return Answer(f"{told}; {which} no mappings, so whose it is cannot be known", "rss", delta)


def _resident_unknown(comparison: Comparison) -> Answer | None:
    """Use sizes where residency was not measured on both sides, and say so."""
    if _delta(comparison, "resident") is not None:
        return None
    virtual = _delta(comparison, "virtual")
    if virtual is None:
        return Answer(f"{_change_count(comparison)}; neither sizes nor resident memory were measured")
    reason = "resident memory was not measured" + _where_not(comparison)
    if not virtual and not comparison.changes:
        return Answer(f"no mapping changed; {reason}", "size", 0)
    moved = movement(virtual, parts.parts(parts.ChangeOf("virtual", comparison)))
    return _moving(comparison, "virtual", moved, f"; {reason}")


def _where_not(comparison: Comparison) -> str:
    unknown = [
        name
        for name, side in (("before", comparison.before), ("after", comparison.after))
        if figure(side.totals, "resident") is None
    ]
    return f" {unknown[0]}" if len(unknown) == 1 else ""


def _change_count(comparison: Comparison) -> str:
    count = len(comparison.changes)
    return f"{count:,} change{'' if count == 1 else 's'}"


def _unchanged(comparison: Comparison) -> Answer | None:
    """Return the answer that nothing changed, if nothing did."""
    if comparison.changes or notes.of_inside(comparison) or notes.of_still(comparison):
        return None
    return Answer("nothing changed", "rss", 0)


def _swapped(comparison: Comparison) -> Answer | None:
    """Distinguish memory that went to swap, or came back, from memory that was freed or allocated."""
    resident, swap = _delta(comparison, "resident"), _delta(comparison, "swap")
    if resident is None or swap is None or abs(swap) < NOTEWORTHY or resident * swap > 0:
        return None
    if abs(resident) < NOTEWORTHY or abs(swap) * 5 < abs(resident):
        return None
    moved = movement(resident, parts.parts(parts.ChangeOf("resident", comparison)))
    return _moving(comparison, "resident", moved, f"; swap {signed(swap)}{notes.of_swap(comparison)}")


def _shared_or_not(comparison: Comparison) -> Answer | None:
    """Distinguish a fork, and copies on write, from growth: private memory moved far more than resident."""
    private, resident = _delta(comparison, "private"), _delta(comparison, "resident")
    found = sharing(comparison)
    if private is None or resident is None or found is None:
        return None
    moved_to = found.shared if private < 0 else found.unshared
    if moved_to < NOTEWORTHY or moved_to * 2 < abs(private) or abs(private) < 2 * abs(resident):
        return None
    if private < 0:
        why = "became shared with a child (fork)" + ("" if resident < 0 else ", nothing was freed")
        return _because(comparison, "private", private, why)
    why = (
        "copied on write, or no longer shared because another process ended"
        if found.copied is None
        else "copied on write since a fork (likely)"
        if found.copied
        else "no longer shared: another process copied it on write, or ended"
    )
    return _because(comparison, "private", private, why)


def _because(comparison: Comparison, counter: str, delta: int, why: str) -> Answer:
    """Write a movement with its reason, and then whose memory it was."""
    moved = movement(delta, parts.parts(parts.ChangeOf(counter, comparison)))
    whose = _named(comparison, moved)
    sentence = f"{counter} {signed(delta)}: {why}" + (f"; {whose}" if whose else "")
    return Answer(sentence, counter, delta, moved.movers, moved.explained)


def _moved(comparison: Comparison) -> Answer | None:
    """Name the movers of resident memory, also where they cancel each other."""
    resident = _delta(comparison, "resident")
    if resident is None:
        return None
    moved = movement(resident, parts.parts(parts.ChangeOf("resident", comparison)))
    if _significant(resident, comparison.totals.get("rss")):
        more = notes.of_inside(comparison, moved.movers) + notes.of_virtual(comparison)
        return _moving(comparison, "resident", moved, more)
    if moved.gross >= 4 * NOTEWORTHY:
        inside = notes.of_inside(comparison, moved.movers)
        told = f"resident {_nearly(resident)}: {_named(comparison, moved)}{inside}"
        return Answer(told, "rss", resident, moved.movers, moved.explained)
    return None


def _still(comparison: Comparison) -> Answer:
    """Return the answer that resident memory stayed, and what else is worth mentioning."""
    resident = _delta(comparison, "resident") or 0
    more = notes.of_inside(comparison) + notes.of_still(comparison)
    return Answer(f"resident {_nearly(resident)}{more}", "rss", resident)


_RULES: tuple[Callable[[Comparison], Answer | None], ...] = (
    _without_mappings,
    _resident_unknown,
    _unchanged,
    _shared_or_not,
    _swapped,
    _moved,
    _still,
)


def _significant(delta: int, total: Total | None) -> bool:
    held = max(total.before or 0, total.after or 0) if total else 0
    return abs(delta) >= NOTEWORTHY or (abs(delta) >= _SLIGHT and abs(delta) * 100 >= held)


def _nearly(delta: int) -> str:
    return f"unchanged ({signed(delta)})" if delta else "unchanged"


def _delta(comparison: Comparison, name: str) -> int | None:
    return figure_of_two({counter: total.delta for counter, total in comparison.totals.items()}, name)


def _moving(comparison: Comparison, counter: str, moved: Movement, more: str) -> Answer:
    whose = _named(comparison, moved)
    sentence = f"{counter} {signed(moved.delta)}{': ' if moved.enough and whose else ', ' if whose else ''}"
    return Answer(f"{sentence}{whose}{more}", _COUNTERS[counter], moved.delta, moved.movers, moved.explained)


def _named(comparison: Comparison, moved: Movement) -> str:
    """List the movers, or say that the movement is spread and list the largest."""
    told = ", ".join(_mover(comparison, mover) for mover in moved.movers)
    if moved.enough or not told:
        return told
    whose = "owners" if any(part.by == "owner" for part in moved.parts) else "kinds"
    return f"spread over {len(moved.parts)} {whose}; the largest: {told}"


def _mover(comparison: Comparison, mover: Mover) -> str:
    sides: tuple[Snapshot, ...] = (comparison.before, comparison.after)
    note = notes.of_mover(comparison, mover)
    return f"{parts.words(mover, sides)} {signed(mover.delta)}" + (f" ({note})" if note else "")


def _other_run(comparison: Comparison) -> str:
    """Return what the two sides are to each other where they are not one address space."""
    if comparison.match == "address":
        return ""
    before, after = comparison.before.process, comparison.after.process
    if None in (before.start_ticks, after.start_ticks):
        return "matched by structure"
    if (before.executable or before.name) == (after.executable or after.name):
        return "another run"
    names = [before.name, after.name]
    if before.name == after.name:
        names = [parts.short(before.executable or "?"), parts.short(after.executable or "?")]
    return f"different programs ({names[0]}, {names[1]})"
