"""Count the zeros and the repeated pages of a mapping, and of each owner's part of it."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple, TypeVar

from vmdiff.model import Owner, Part, Unclaimed
from vmdiff.model.page_map import PAGE_COUNTERS, PageState

_Stretch = TypeVar("_Stretch", Part, Unclaimed)


class LookedRun(NamedTuple):
    """Neighbouring pages of one state; *repeated* have the contents of a page before them in the process."""

    pages: int
    state: str
    repeated: bool = False

    def counts_as(self, counter: str) -> bool:
        """Return whether its pages count in one of `PAGE_COUNTERS`."""
        if counter == "duplicate":
            return self.repeated
        return self.state in ("zZ" if counter == "zero_filled" else "Z")


class PageTally:
    """The pages of one mapping from *start* on, to be counted between any two addresses."""

    def __init__(self, start: int, runs: list[LookedRun], page: int) -> None:
        self._start, self._runs, self._page = start, runs, page
        self._ends = list(accumulate(run.pages for run in runs))
        self._known = all(run.state != PageState.UNREAD for run in runs)
        self._sums: dict[str, list[int]] = {}

    def held(self, counter: str, start: int, end: int) -> int | None:
        """Return what of a counter lies in ``[start, end)``, in bytes.

        None where a page could not be read, or where one that counts lies only partly in there.
        """
        if not self._known:
            return None
        low, high = (at - self._start for at in (start, end))
        edges = {at // self._page for at in (low, high) if at % self._page}
        if any(self._before(counter, edge + 1) > self._before(counter, edge) for edge in edges):
            return None
        first, last = -(-low // self._page), high // self._page
        return max(0, self._before(counter, last) - self._before(counter, first)) * self._page

    def with_parts(self, owner: Owner, counters: Iterable[str]) -> Owner:
        """Return an owner with what its parts and what no part claims have of the counters."""
        names = tuple(counters)
        parts = tuple(self._filled(part, names) for part in owner.parts)
        return replace(owner, parts=parts, rest=tuple(self._filled(gap, names) for gap in owner.rest))

    def _filled(self, stretch: _Stretch, names: tuple[str, ...]) -> _Stretch:
        zeros, repeated, huge = (
            self.held(name, stretch.start, stretch.end) if name in names else None for name in PAGE_COUNTERS
        )
        return replace(stretch, zero_filled=zeros, duplicate=repeated, huge_zero=huge)

    def _before(self, counter: str, page: int) -> int:
        """Return how many of the pages before one, counted from the mapping's first, count."""
        if counter not in self._sums:
            counted = (run.pages if run.counts_as(counter) else 0 for run in self._runs)
            self._sums[counter] = [0, *accumulate(counted)]
        at = bisect_right(self._ends, page)
        passed = self._sums[counter][at]
        if at < len(self._runs) and self._runs[at].counts_as(counter):
            passed += page - (self._ends[at - 1] if at else 0)
        return passed
