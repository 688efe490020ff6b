"""A condition on what is lost: ``lost > 1MiB``, ``new lost > 0``, ``lost blocks >= 10``."""

import operator
import re
from typing import NamedTuple

from vmdiff import units
from vmdiff.errors import ConditionError
from vmdiff.leaks.leak_report import LeakReport

_OPERATORS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_FORM = re.compile(r"\s*(new\s+)?lost(\s+blocks)?\s*(>=|<=|>|<)\s*(\S+)\s*\Z", re.ASCII)


class LeakCondition(NamedTuple):
    """One condition, as it was written and taken apart."""

    text: str
    new: bool
    blocks: bool
    operator: str
    value: int

    def holds(self, report: LeakReport) -> bool:
        """Return whether it holds.

        Raises:
            ConditionError: no blocks were searched; or it asks for what is new without an earlier report.
        """
        if not report.searched.blocks:
            raise ConditionError(f"{self.text!r}: unknown, no blocks could be searched")
        amount = report.new if self.new else report.lost
        if amount is None:
            raise ConditionError(f"{self.text!r}: what is new is known with --since FILE only")
        return bool(_OPERATORS[self.operator](amount.blocks if self.blocks else amount.bytes, self.value))


def parse(text: str) -> LeakCondition:
    """Take a condition apart.

    Raises:
        ConditionError: it is none.
    """
    found = _FORM.match(text)
    if found is None:
        raise ConditionError(f"{text!r}: expected 'lost > 1MiB', 'new lost > 0' or 'lost blocks > 10'")
    try:
        value = int(found[4][:18]) if found[2] else units.parse_size(found[4])
    except ValueError as error:
        raise ConditionError(f"{text!r}: {error}") from error
    return LeakCondition(text, bool(found[1]), bool(found[2]), found[3], value)
