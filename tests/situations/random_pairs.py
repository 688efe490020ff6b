"""Random pairs of real processes and moments: no first sentence says what the totals contradict.

``python -m tests.situations.random_pairs [PAIRS]`` looks at the processes of this machine as they are.
"""

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import vmdiff
from vmdiff.answer import Answer, answer, summary
from vmdiff.comparison.compare import Comparison
from vmdiff.errors import ProcessError
from vmdiff.findings import find
from vmdiff.model import Snapshot
from vmdiff.model.memory_figures import figure
from vmdiff.model.piece import NOT_SPLIT


def contradictions(found: Comparison) -> Iterator[str]:
    """Yield what the figures of a comparison contradict in its first sentence and findings."""
    told = answer(found)
    if told.counter in ("rss", "size", "private"):
        name = {"rss": "resident", "size": "virtual"}.get(told.counter, told.counter)
        expected = figure({counter: total.delta for counter, total in found.totals.items()}, name)
        if told.delta != expected:
            yield f"delta {told.delta}, the totals say {expected}"
        yield from _movers(found, told, name)
    if told.explained is not None and told.explained < 0.8 and "spread" not in told.sentence:
        yield f"explains {told.explained} and does not say that it is spread"
    for finding in find(found):
        if not finding.message or "None" in finding.message:
            yield f"{finding.id}: {finding.message}"


def _movers(found: Comparison, told: Answer, name: str) -> Iterator[str]:
    for mover in told.movers:
        by = "owner" if mover.by == "kind" else mover.by
        group = f"({mover.name})" if mover.by == "kind" else mover.name
        groups = {one.name: one.totals for one in (*found.grouped(by), *found.grouped("kind"))}
        totals = groups.get(group) or groups.get(mover.name)
        if totals is None:
            yield f"no group {group}"
            continue
        change = figure({counter: total.delta for counter, total in totals.items()}, name)
        rest = mover.by == "kind" and change is not None and abs(mover.delta) <= abs(change)
        bounded = change is None if mover.at_least else mover.name == NOT_SPLIT
        if change != mover.delta and not rest and not bounded:
            yield f"{mover.name} {mover.delta}, its group says {change}"


def taken() -> list[Snapshot]:
    """Take a snapshot of every process that lets itself be looked at."""
    found = []
    for pid in sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            snapshot = vmdiff.snap(pid)
        except ProcessError:
            continue
        if snapshot.mappings:
            found.append(snapshot)
    return found


def pairs(count: int, seed: int = 7) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Yield pairs: the same process at two moments, and any two processes."""
    first, second = taken(), taken()
    later = {(one.process.pid, one.process.start_ticks): one for one in second}
    same = [
        (one, later[key]) for one in first if (key := (one.process.pid, one.process.start_ticks)) in later
    ]
    chosen = list(itertools.product(first, second))
    random.Random(seed).shuffle(chosen)
    yield from itertools.islice(itertools.chain(same, chosen), count)


def main() -> None:
    wrong = looked_at = 0
    for before, after in pairs(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        found = vmdiff.compare(before, after)
        problems = list(contradictions(found))
        looked_at += 1
        wrong += bool(problems)
        print(f"{'WRONG' if problems else 'ok   '} {answer(found).sentence}", *problems, sep="\n      ")
        if not summary(after).sentence:
            wrong += 1
    print(f"{looked_at} pairs, {wrong} with a contradiction")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
