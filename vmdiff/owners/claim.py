"""What an owner rule returns: a claim on a range of addresses, with its evidence."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

from vmdiff.model import Basis, owner
from vmdiff.model.owner import Owner, certainty


class Claim(NamedTuple):
    """A statement of a rule that ``[start, end)`` belongs to the owner *name*; it may span many mappings.

    A mapping without addresses is claimed by its *place* in the snapshot, with both bounds 0.
    """

    start: int
    end: int
    name: str
    basis: Basis
    evidence: str
    label: str | None = None
    tid: int | None = None
    place: int | None = None

    @property
    def is_certain(self) -> bool:
        """Whether the basis is a proof and not a resemblance."""
        return certainty(self.basis) == "certain"

    @property
    def owner(self) -> Owner:
        """The owner of a mapping that this claim covers as a whole."""
        return owner(self.name, self.basis, self.evidence, label=self.label, tid=self.tid)


class Doubt(NamedTuple):
    """A sentence on what a rule could not look at, for the snapshot's doubts."""

    text: str


class Learned:
    """A value that a rule returns beside its claims: what later rules and readers need not find again.

    There is one value of each type in a process.
    """

    __slots__ = ()


_Learned = TypeVar("_Learned", bound=Learned)


class SettledMemory:
    """What earlier rules have settled, so that later rules need not look there again."""

    def __init__(self, claims: Sequence[Claim] = (), learned: Sequence[Learned] = ()) -> None:
        """Take the certain claims of earlier rules, and what else they returned."""
        self._claims = tuple(claims)
        self._learned = {type(value): value for value in learned}

    def with_claims(self, claims: Iterable[Claim]) -> "SettledMemory":
        """Return these and further claims."""
        return SettledMemory((*self._claims, *claims), tuple(self._learned.values()))

    def learned(self, type_: type[_Learned]) -> _Learned | None:
        """Return the value of this type that a rule returned; None where none did."""
        value = self._learned.get(type_)
        return value if isinstance(value, type_) else None

    @cached_property
    def threads(self) -> frozenset[int]:
        """The ids of the threads that have a stack."""
        return frozenset(claim.tid for claim in self._claims if claim.tid is not None)

    @cached_property
    def ranges(self) -> list[tuple[int, int]]:
        """The settled ranges in address order, neighbours joined."""
        found: list[tuple[int, int]] = []
        start = reach = 0
        for low, high in sorted(claim[:2] for claim in self._claims if claim.place is None):
            if low > reach:
                if reach:
                    found.append((start, reach))
                start = low
            reach = max(reach, high)
        return [*found, (start, reach)] if reach else found

    def end_at(self, address: int) -> int | None:
        """Return the end of the settled range that holds *address*, None if it is not settled."""
        at = bisect_right(self.ranges, (address, 1 << 64)) - 1
        return self.ranges[at][1] if at >= 0 and self.ranges[at][1] > address else None
