"""Who asked for a piece of memory, how that is known, and what was seen."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema

from vmdiff.model.address_range import AddressRange

Certainty = Literal["certain", "likely"]
Basis = Literal["name", "record", "register", "elf", "shape"]

# A proof makes certain, a resemblance only likely: certainty follows from the basis.
_CERTAIN: frozenset[str] = frozenset({"name", "record", "register", "elf"})


def _from_hex(value: Any) -> Any:
    """Read an address as the document writes it; an int is one already."""
    return int(value, 16) if isinstance(value, str) else value


HexAddress = Annotated[
    int,
    BeforeValidator(_from_hex),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{1,17}$"}),
]

# A mapping takes keys that it does not know; what it holds would take them too, and have no place for them.
_AS_DESCRIBED = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one mapping with an owner of its own.

    *rss*, *swap* and *private* (what of *rss* no other process maps) are bytes, and only there where
    page-level reading gave them exactly. So are those of what its pages hold (`PAGE_COUNTERS`), where a
    snapshot looked and the mapping has any.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _AS_DESCRIBED

    start: HexAddress
    end: HexAddress
    name: str
    certainty: Certainty
    basis: Basis
    evidence: str
    label: str | None = None
    tid: int | None = None
    rss: int | None = None
    swap: int | None = None
    private: int | None = None
    zero_filled: int | None = None
    duplicate: int | None = None
    huge_zero: int | None = None

    @property
    def range(self) -> AddressRange:
        """Where it lies."""
        return AddressRange(self.start, self.end)

    @property
    def owner(self) -> "Owner":
        """The owner of a mapping that would be this part alone."""
        return Owner(self.name, self.certainty, self.basis, self.evidence, self.label, self.tid)


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A stretch of a mixed mapping that no part claims, with what page-level reading counted there."""

    __pydantic_config__: ClassVar[ConfigDict] = _AS_DESCRIBED

    start: HexAddress
    end: HexAddress
    rss: int | None = None
    swap: int | None = None
    private: int | None = None
    zero_filled: int | None = None
    duplicate: int | None = None
    huge_zero: int | None = None

    @property
    def range(self) -> AddressRange:
        """Where it lies."""
        return AddressRange(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who asked for a mapping.

    *name* is a word of the vocabulary in ``docs/format.md`` (or ``mixed``, with *parts*, where the
    kernel merged the memory of several owners into one mapping), *label* says which one of its kind
    (``arena 3``), *evidence* what was seen, in one sentence. *tid* is set for thread stacks. *rest* is what
    lies between the parts, all of it or, where that was not counted, nothing.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _AS_DESCRIBED

    name: str
    certainty: Certainty | None = None
    basis: Basis | None = None
    evidence: str = ""
    label: str | None = None
    tid: int | None = None
    parts: tuple[Part, ...] = ()
    rest: tuple[Unclaimed, ...] = ()

    def at(self, address: int) -> "Owner | Part | None":
        """Return whose the memory at an *address* of the mapping is: this owner's, a part's, or nobody's."""
        if not self.parts:
            return self
        return next((part for part in self.parts if part.start <= address < part.end), None)


MIXED = "mixed"


def owner(
    name: str, basis: Basis, evidence: str, *, label: str | None = None, tid: int | None = None
) -> Owner:
    """Build an owner whose certainty follows from its *basis*."""
    return Owner(name, certainty(basis), basis, evidence, label, tid)


def certainty(basis: Basis) -> Certainty:
    """Return how sure a finding on this *basis* is."""
    return "certain" if basis in _CERTAIN else "likely"
