"""Conditions for scripts: ``rss > +10MiB``, ``kind:heap rss > 5%``, ``rss > 400MiB``, ``new kind:file > 0``.

A condition is on the change of a counter over the selected pieces (its value has a sign or is a share), on
the level after, or on a number of changes. One that rests on what is unknown, or names what there is not, is
an error and never a pass.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from vmdiff import selector, units
from vmdiff.comparison.change import Change, ChangeName
from vmdiff.comparison.compare import Comparison
from vmdiff.comparison.tally import tallied
from vmdiff.comparison.usage_change import FIGURES, exact
from vmdiff.errors import ConditionError
from vmdiff.model import KNOWN_COUNTERS, Snapshot, add
from vmdiff.model.memory_figures import FIGURE_NAMES, figure, needed_for
from vmdiff.selector import Selector, Term

# Late imports: the vocabulary of owners is looked at only where a condition names one.

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
_RATE = re.compile(r".*/\s*(?:s|min|h|d|day|hour)\s*")
# `resident` is a column, too: it is the name of a change only where a selector follows.
_NAMES = "|".join(name for name in ChangeName if name is not ChangeName.RESIDENT)
_CHANGE = re.compile(rf"\s*(resident(?=\s+[a-z]+:)|(?:{_NAMES})(?=\s|[<>=!]))")


class Against(Enum):
    """What the value of a condition is held against."""

    CHANGE = "change"  # bytes, with a sign
    SHARE = "share"  # percent of the amount before
    LEVEL = "level"  # bytes after
    COUNT = "count"  # mappings that changed


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition; *change* counts mappings with a change of that name, otherwise *counter* counts.

    *value* is in bytes, in mappings, or in percent of the amount before, as *against* says.
    """

    text: str
    selector: Selector
    change: ChangeName | None
    counter: str | None
    compare: str
    value: Fraction
    against: Against

    def holds(self, comparison: Comparison) -> bool:
        """Return whether the condition holds.

        Raises:
            ConditionError: it rests on what one of the snapshots does not know, or names what neither has.
        """
        self._check((comparison.before, comparison.after))
        if self.against is Against.COUNT:
            return self._test(Fraction(self._count(comparison)), self.value)
        if self.against is Against.LEVEL:
            return self._test(Fraction(self._amount(comparison.after, "after")), self.value)
        before = self._amount(comparison.before, "before")
        delta = Fraction(self._amount(comparison.after, "after") - before)
        if self.against is Against.CHANGE:
            return self._test(delta, self.value)
        if before == 0 and self.compare in {">", ">="}:
            return delta > 0  # any growth is more than a share of nothing
        return self._test(delta, self.value * before / 100)

    def holds_in(self, snapshot: Snapshot) -> bool:
        """Return whether a level holds in one snapshot.

        Raises:
            ConditionError: it is about a change, or rests on what the snapshot does not know.
        """
        if self.against is not Against.LEVEL:
            raise ConditionError(
                f"{self.text!r} is about a change; of one snapshot ask a level, as in 'rss > 400MiB'"
            )
        self._check((snapshot,))
        return self._test(Fraction(self._amount(snapshot, "shown")), self.value)

    def _test(self, found: Fraction, bound: Fraction) -> bool:
        return _OPERATORS[self.compare](found, bound)

    def _check(self, snapshots: tuple[Snapshot, ...]) -> None:
        """Refuse what no vocabulary has, or what matches nothing on any side."""
        for term in self.selector.terms:
            mappings = [mapping for one in snapshots for mapping in one.mappings]
            if any(term.matches(mapping) for mapping in mappings):
                continue
            if term.field == "path":
                raise ConditionError(f"{self.text!r}: no mapping of the path {term.pattern!r} on any side")
            if term.field == "owner":
                self._check_owner(term, snapshots)

    def _check_owner(self, term: Term, snapshots: tuple[Snapshot, ...]) -> None:
        from vmdiff.redaction.vocabulary import OWNERS

        if any(map(term.matches_text, OWNERS)):
            return
        used = {usage.owner for one in snapshots for usage in one.usage or ()}
        if any(map(term.matches_text, used)):
            return
        near = difflib.get_close_matches(term.pattern, OWNERS, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "; docs/owners.md lists them"
        raise ConditionError(f"{self.text!r}: no owner is called {term.pattern!r}{hint}")

    def _count(self, comparison: Comparison) -> int:
        return sum(map(self._counted, comparison.changes))

    def _counted(self, change: Change) -> int:
        """Return how many of a change's mappings count: new and gone ones in a crowd, too."""
        before, after = (sum(map(self.selector.matches, side)) for side in (change.before, change.after))
        if _is_crowd(change) and self.change in {ChangeName.NEW, ChangeName.REMOVED}:
            return max(0, after - before if self.change is ChangeName.NEW else before - after)
        if change.change is not self.change:
            return 0
        return after if change.after else before

    def _amount(self, snapshot: Snapshot, side: str) -> int:
        if self.counter in FIGURES:
            return self._inside(snapshot, side)
        if any(term.field == "owner" for term in self.selector.terms) and not _looked(snapshot):
            raise ConditionError(f"{self.text!r}: owners were not looked for in the snapshot {side}")
        amount = self._sum(snapshot)
        if amount is None:
            raise ConditionError(f"{self.text!r}: {self._why_unknown(snapshot)} {side}")
        return amount

    def _why_unknown(self, snapshot: Snapshot) -> str:
        if snapshot.mappings and figure(snapshot.totals, self.counter or "") is not None:
            return f"{self.counter} cannot be split among the owners of one mapping in the snapshot"
        return f"{self.counter} is not known throughout the snapshot"

    def _sum(self, snapshot: Snapshot) -> int | None:
        """Add a counter up over the selected pieces; None where one does not know it."""
        counter = "resident" if self.counter == "rss" else self.counter or ""  # with pages of hugetlbfs
        if not self.selector.terms or not snapshot.mappings:
            return figure(snapshot.totals, counter)
        if not all(name in snapshot.counters for name in needed_for(counter)):
            return None
        made = tallied(snapshot, only=self.selector.matches)
        return add(figure(sums, counter) for sums in made.withheld(made.unsplit).values())

    def _inside(self, snapshot: Snapshot, side: str) -> int:
        """Add up a figure of the allocators' own records over the owners that are selected."""
        if any(term.field != "owner" for term in self.selector.terms):
            raise ConditionError(
                f"{self.text!r}: {self.counter} goes by owner only, such as owner:'malloc heap'"
            )
        wanted = [one for one in snapshot.usage or () if self.selector.matches_owner(one.owner, one.label)]
        if not wanted and (snapshot.usage is None or any(map(self.selector.matches, snapshot.mappings))):
            raise ConditionError(f"{self.text!r}: {self.counter} was not read for the snapshot {side}")
        amount = exact(wanted, self.counter or "")
        if amount is None:
            why = next((one.partial for one in wanted if one.partial), "its records do not tell")
            raise ConditionError(f"{self.text!r}: {self.counter} is not known for the snapshot {side}: {why}")
        return amount


def _looked(snapshot: Snapshot) -> bool:
    """Return whether owners were looked for, or a listing named some."""
    return snapshot.origin.owners or any(mapping.owner for mapping in snapshot.mappings)


def _is_crowd(change: Change) -> bool:
    """Return whether a change is of equal blocks in numbers, which have no identity one by one."""
    sizes = {mapping.size for mapping in change.mappings}
    return (
        bool(change.before and change.after) and len(sizes) == 1 and len(change.before) != len(change.after)
    )


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
            f"{text!r} is no condition; write 'rss > +10MiB', 'kind:heap rss > 5%', 'rss > 400MiB' or"
            " 'new kind:file > 0'"
        )
    if not change:
        _check_counter(text, found[1])
    value, against = _value(text, found[4], counts=change is not None, signed=bool(found[3]))
    sign = -1 if found[3] == "-" else 1
    name = ChangeName(change[1]) if change else None
    return Condition(text, chosen, name, found[1], found[2], sign * value, against)


def _check_counter(text: str, name: str) -> None:
    """Refuse a counter that no kernel and no column is called by: it would be unknown in every snapshot."""
    known = [*_counter_names()]
    if name not in known and (near := difflib.get_close_matches(name, known, n=1, cutoff=0.7)):
        raise ConditionError(f"{text!r}: no counter is called {name!r}; did you mean {near[0]!r}?")


def _counter_names() -> Iterator[str]:
    yield from KNOWN_COUNTERS
    yield from ("accessible", *FIGURE_NAMES, *FIGURES)


def _value(text: str, written: str, *, counts: bool, signed: bool) -> tuple[Fraction, Against]:
    """Read the bound: a number of mappings, a percentage, a change, or a level."""
    if counts:
        if written.isascii() and written.isdigit() and len(written) < 20 and not signed:
            return Fraction(written), Against.COUNT
        raise ConditionError(f"{text!r}: a number of changes is a whole number, not {written!r}")
    if percent := _PERCENT.fullmatch(written):
        return Fraction(percent[1]), Against.SHARE
    if _RATE.fullmatch(written):
        raise ConditionError(f"{text!r}: a rate is asked of a series, with vmdiff trend")
    try:
        return Fraction(units.parse_size(written)), Against.CHANGE if signed else Against.LEVEL
    except ValueError as error:
        raise ConditionError(f"{text!r}: {error}") from error
