"""Conditions for scripts: ``rss > +10MiB``, ``kind:heap rss > 5%``, ``new kind:file > 0``.

A condition is on the change of a counter over the selected mappings, or on a number of changes.
One that rests on what is unknown is an error and never a pass.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from vmdiff import selector, units
from vmdiff.comparison.change import ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.usage_change import FIGURES, exact
from vmdiff.errors import ConditionError
from vmdiff.model import Mapping, Snapshot, add
from vmdiff.selector import Selector

_OPERATORS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_TEST = re.compile(r"\s*(?:([a-z][a-z0-9_]*)\s*)?(>=|<=|==|!=|>|<)\s*([+-]?)\s*(\S.*?)\s*")
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%")
_CHANGE = re.compile(rf"\s*({'|'.join(ChangeName)})(?=\s|[<>=!])")

PRIVATE = ("private_clean", "private_dirty")


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition; *change* counts changes of that name, otherwise *counter* is looked at.

    *value* is in bytes, in changes, or in percent of the amount before where *percent* is set.
    """

    text: str
    selector: Selector
    change: ChangeName | None
    counter: str | None
    compare: str
    value: Fraction
    percent: bool

    def holds(self, comparison: Comparison) -> bool:
        """Say whether the condition holds.

        Raises:
            ConditionError: it rests on what one of the snapshots does not know.
        """
        if self.change is not None:
            return self._test(Fraction(self._count(comparison)), self.value)
        before = self._amount(comparison.before, "before")
        delta = Fraction(self._amount(comparison.after, "after") - before)
        if not self.percent:
            return self._test(delta, self.value)
        if before == 0 and self.compare in {">", ">="}:
            return delta > 0  # any growth is more than a share of nothing
        return self._test(delta, self.value * before / 100)

    def _test(self, found: Fraction, bound: Fraction) -> bool:
        return _OPERATORS[self.compare](found, bound)

    def _count(self, comparison: Comparison) -> int:
        return sum(
            change.change is self.change and self.selector.matches_any(change.mappings)
            for change in comparison.changes
        )

    def _amount(self, snapshot: Snapshot, side: str) -> int:
        if self.counter in FIGURES:
            return self._inside(snapshot, side)
        names = PRIVATE if self.counter == "private" else (self.counter or "",)
        amount = add(_sum(snapshot, self._selected(snapshot), name) for name in names)
        if amount is None:
            raise ConditionError(f"{self.text!r}: {self.counter} is not known throughout the snapshot {side}")
        return amount

    def _inside(self, snapshot: Snapshot, side: str) -> int:
        """Add up a figure of the allocators' own records over the owners that are selected."""
        if any(term.field != "owner" for term in self.selector.terms):
            raise ConditionError(
                f"{self.text!r}: {self.counter} goes by owner only, such as owner:'malloc heap'"
            )
        wanted = [one for one in snapshot.usage or () if self.selector.matches_owner(one.owner, one.label)]
        if not wanted and (snapshot.usage is None or any(self._selected(snapshot))):
            raise ConditionError(f"{self.text!r}: {self.counter} was not read for the snapshot {side}")
        amount = exact(wanted, self.counter or "")
        if amount is None:
            why = next((one.partial for one in wanted if one.partial), "its records do not tell")
            raise ConditionError(f"{self.text!r}: {self.counter} is not known for the snapshot {side}: {why}")
        return amount

    def _selected(self, snapshot: Snapshot) -> Iterable[Mapping]:
        return (mapping for mapping in snapshot.mappings if self.selector.matches(mapping))


def parse(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConditionError: the text is none; the message says what one looks like.
    """
    change = _CHANGE.match(text)
    chosen, rest = selector.split(text[change.end() :] if change else text)
    found = _TEST.fullmatch(rest)
    if found is None or bool(found[1]) == bool(change):
        raise ConditionError(
            f"{text!r} is no condition; write 'rss > +10MiB', 'kind:heap rss > 5%' or 'new kind:file > 0'"
        )
    value, percent = _value(text, found[4], counts=change is not None)
    sign = -1 if found[3] == "-" else 1
    name = ChangeName(change[1]) if change else None
    return Condition(text, chosen, name, found[1], found[2], sign * value, percent)


def _value(text: str, written: str, *, counts: bool) -> tuple[Fraction, bool]:
    """Read the bound: a number of changes, a size, or a percentage."""
    if counts:
        if written.isascii() and written.isdigit() and len(written) < 20:
            return Fraction(written), False
        raise ConditionError(f"{text!r}: a number of changes is a whole number, not {written!r}")
    if percent := _PERCENT.fullmatch(written):
        return Fraction(percent[1]), True
    try:
        return Fraction(units.parse_size(written)), False
    except ValueError as error:
        raise ConditionError(f"{text!r}: {error}") from error


def _sum(snapshot: Snapshot, mappings: Iterable[Mapping], counter: str) -> int | None:
    """Add up a counter, None where it is unknown; a snapshot without mappings has only its totals."""
    if not snapshot.mappings:
        return snapshot.total(counter)
    if counter not in snapshot.counters:
        return None
    return add(snapshot.value(mapping, counter) for mapping in mappings)
