"""Conditions on a trend: ``owner:jemalloc rss > 1MiB/h``.

A condition that cannot be decided is an error and never a pass.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from vmdiff import selector, units
from vmdiff.errors import ConditionError
from vmdiff.model import add
from vmdiff.selector import Selector
from vmdiff.series.figure_columns import COUNTERS, TOTAL
from vmdiff.series.trends import Trend

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TEST = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*([+-]?)\s*(\S.*?)\s*")
_SPELT = {
    "virtual": ("size",),
    "resident": ("rss",),
    "private": ("private_clean", "private_dirty"),
    **{name: (name,) for name in COUNTERS},
}
_GROUPINGS = {"kind": "kind", "owner": "owner", "path": "object"}


@dataclass(frozen=True, slots=True)
class RateCondition:
    """A parsed condition on how fast the selected memory grows; *bound* is in bytes a second."""

    text: str
    selector: Selector
    counters: tuple[str, ...]
    compare: str
    bound: float

    def holds(self, trend: Trend) -> bool:
        """Return whether the condition holds; growth that is not steady has the rate 0.

        Raises:
            ConditionError: nothing is selected, or the series does not decide it.
        """
        judged = trend.judged(self._values(trend))
        if judged.name == "undecided":
            raise ConditionError(f"{self.text!r} cannot be decided: {judged.evidence}")
        if judged.rate is None and judged.name not in {"steps", "plateau"}:
            raise ConditionError(f"{self.text!r} cannot be decided: the times of the points are not known")
        return _OPERATORS[self.compare](judged.rate or 0.0, self.bound)

    def _values(self, trend: Trend) -> list[int | None]:
        """Add up what is selected, point by point."""
        by, names = self._selected(trend)
        columns = [trend.series.values(by, name, counter) for name in names for counter in self.counters]
        return [add(values) for values in zip(*columns, strict=True)]

    def _selected(self, trend: Trend) -> tuple[str, list[str]]:
        if not self.selector.terms:
            return TOTAL, [TOTAL]
        (term,) = self.selector.terms
        by = _GROUPINGS[term.field]
        known = list(trend.series.names(by))
        names = [name for name in known if name == term.pattern or fnmatchcase(name, term.pattern)]
        if not names:
            near = get_close_matches(term.pattern, known, n=1)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise ConditionError(f"{self.text!r}: no {term.field} {term.pattern!r} in this series{hint}")
        return by, names


def parse(text: str) -> RateCondition:
    """Read a condition.

    Raises:
        ConditionError: the text is none; the message says what one looks like.
    """
    chosen, rest = selector.split(text)
    found = _TEST.fullmatch(rest)
    if found is None:
        raise ConditionError(f'{text!r} is no condition on a trend; write "owner:jemalloc rss > 1MiB/h"')
    if len(chosen.terms) > 1:
        raise ConditionError(f"{text!r}: a condition on a trend selects by one of kind, owner and path")
    if found[1] not in _SPELT:
        raise ConditionError(f"{text!r}: a series has no {found[1]!r}; it has {', '.join(_SPELT)}")
    try:
        bound = units.parse_rate(found[4])
    except ValueError as error:
        raise ConditionError(f"{text!r}: {error}") from error
    return RateCondition(text, chosen, _SPELT[found[1]], found[2], -bound if found[3] == "-" else bound)
