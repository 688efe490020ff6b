"""The process and host facts that differ, in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from vmdiff.comparison.differing_facts import FactChange
from vmdiff.report import wording


class Fact(NamedTuple):
    """A fact that differs, as text; a blank *before* or *after* says that it was not there."""

    name: str
    before: str
    after: str


# Told in the headline or in a finding, or of no use to a reader.
_TOLD = frozenset({"minor_faults", "major_faults", "name", "pid", "peak_size", "peak_rss"})
_FILES = "unmapped_files"  # told in a finding where they hold much
_IDENTITY = frozenset({"start_ticks", "started_at", "parent"})
_OTHER_PROCESS = frozenset({"pid", "start_ticks"})
_STARTED, _ENDED = "threads started", "threads ended"
_SIZES = frozenset(
    {"page_tables", "peak_size", "peak_rss", "host.page_size", "host.memory_total", "host.swap_total"}
    | {f"limits.{limit}" for limit in ("stack", "data", "file", "core_file", "resident_set")}
    | {f"limits.{limit}" for limit in ("locked_memory", "address_space", "msgqueue")}
)


def facts(changes: Iterable[FactChange], *, all_threads: bool = True) -> tuple[Fact, ...]:
    """Write the facts that differ; threads that came or went are one fact.

    Without *all_threads* a side lists only some of its threads, so that none is known to have come or gone.
    """
    found = list(changes)
    told = _TOLD | _IDENTITY
    kept = [change for change in found if change.path not in told and not change.path.startswith(_FILES)]
    threads = [change for change in kept if all_threads and change.path.startswith("threads.")]
    others = [change for change in kept if not change.path.startswith("threads.")]
    if _OTHER_PROCESS & {change.path for change in found}:
        threads = _not_in_both(threads)
    written = [Fact(_readable(c.path), text(c.path, c.before), text(c.path, c.after)) for c in others]
    return tuple(written + _threads(threads))


def _readable(path: str) -> str:
    return wording.name(path).replace("_", " ")


def _not_in_both(threads: Sequence[FactChange]) -> list[FactChange]:
    """Leave out threads that both processes have by name: in another process every number is another."""
    gone = Counter(change.before for change in threads if change.after is None)
    come = Counter(change.after for change in threads if change.before is None)
    in_both = {"before": gone & come, "after": gone & come}
    left = []
    for change in threads:
        side = "before" if change.after is None else "after"
        if in_both[side][getattr(change, side)] > 0:
            in_both[side][getattr(change, side)] -= 1
        else:
            left.append(change)
    return left


def _threads(changes: Sequence[FactChange]) -> list[Fact]:
    gone = [change.before for change in changes if change.after is None]
    come = [change.after for change in changes if change.before is None]
    found = []
    if come:
        found.append(Fact(_STARTED, "", _names(come)))
    if gone:
        found.append(Fact(_ENDED, _names(gone), ""))
    renamed = [change for change in changes if None not in (change.before, change.after)]
    found += [
        Fact("thread renamed", wording.name(str(c.before)), wording.name(str(c.after))) for c in renamed
    ]
    return found


def _names(threads: Sequence[Any], most: int = 3) -> str:
    names = list(dict.fromkeys(wording.name(thread or wording.UNKNOWN) for thread in threads))
    return f"{len(threads)} ({', '.join(names[:most])}{', …' if len(names) > most else ''})"


def text(path: str, value: Any) -> str:
    """Write one fact; *path* says what it is (``limits.stack``). What is unknown is blank."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return wording.size(value) if path in _SIZES else f"{value:,}"
    return wording.name(str(value))
