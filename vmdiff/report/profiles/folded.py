"""Folded stacks (``kind;owner;object bytes``), which every flame graph viewer opens.

One snapshot has one figure a line, as flamegraph.pl, inferno and speedscope read it. A comparison has
two, before and after, which flamegraph.pl and inferno paint as a differential flame graph.
"""

from collections.abc import Iterable, Iterator, Sequence

from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import Key
from vmdiff.findings import Finding
from vmdiff.model import Snapshot
from vmdiff.report import wording
from vmdiff.report.options import ViewOptions
from vmdiff.report.profiles.stacks import stacks


def snapshot(taken: Snapshot, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write a snapshot's resident bytes (virtual where resident is unknown), a stack a line, sorted."""
    counter = "size" if taken.total("rss") is None else "rss"
    figures = ((key, (sums.get(counter) or 0,)) for key, sums in stacks(taken).items())
    return "".join(_lines(figures))


def comparison(found: Comparison, findings: Sequence[Finding], options: ViewOptions) -> str:  # noqa: ARG001
    """Write the same bytes of both sides, before and after, of every stack that either side has."""
    total = found.totals.get("rss")
    counter = "size" if total is None or total.delta is None else "rss"
    sides = stacks(found.before), stacks(found.after)
    keys = dict.fromkeys((*sides[0], *sides[1]))
    figures = ((key, tuple(side.get(key, {}).get(counter) or 0 for side in sides)) for key in keys)
    return "".join(_lines(figures))


def _lines(figures: Iterable[tuple[Key, tuple[int, ...]]]) -> Iterator[str]:
    for key, counts in sorted(figures):
        if any(counts):
            yield f"{';'.join(map(_frame, key))} {' '.join(map(str, counts))}\n"


def _frame(name: str) -> str:
    """Keep a name one frame: the semicolon parts frames, and what looks like a figure ends the stack."""
    return wording.name(name).replace(";", ":").replace(" ", "_")
