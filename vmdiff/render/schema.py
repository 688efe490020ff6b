"""What ``vmdiff compare --format json`` writes, as types: `vmdiff schema comparison` prints their schema."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from vmdiff.comparison import ChangeName
from vmdiff.model import Kind, Owner
from vmdiff.model.mapping import MappingRecord

Amounts = dict[str, int | None]


class Side(TypedDict):
    """One of the two snapshots."""

    label: str | None
    taken_at: str | None
    pid: int | None
    name: str | None
    source: str
    consistent: bool | None
    doubts: list[str]


class Total(TypedDict):
    """A counter in bytes; null where a side does not know it throughout."""

    before: int | None
    after: int | None
    delta: int | None


class Change(TypedDict):
    """One region that differs."""

    change: ChangeName
    kind: Kind | None
    owner: Owner | None
    path: str | None
    because: str | None
    crowd: int | None
    moved_end: Literal["start", "end", "both"] | None
    before: list[MappingRecord]
    after: list[MappingRecord]
    delta: Amounts


class Group(TypedDict):
    """The counters of what is alike."""

    name: str
    before: Amounts
    after: Amounts
    delta: Amounts


class Groups(TypedDict):
    """Every column of each adds up to the totals."""

    kind: list[Group]
    owner: list[Group]
    object: list[Group]


class Fact(TypedDict):
    """Something that differs besides the mappings."""

    path: str
    before: Any
    after: Any


class Finding(TypedDict):
    """What the changes mean."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    id: str
    severity: Literal["info", "notice", "warning"]
    message: str
    evidence: list[Any]


class Comparison(TypedDict):
    """The document."""

    format: Literal["vmdiff-comparison"]
    version: Literal[1]
    match: Literal["address", "structure"]
    reason: str
    before: Side
    after: Side
    totals: dict[str, Total]
    changes: list[Change]
    unchanged: Annotated[int, Field(ge=0)]
    groups: Groups
    process: list[Fact]
    findings: list[Finding]


def adapter() -> "TypeAdapter[Comparison]":
    """Give what validates a comparison document and tells its schema."""
    return TypeAdapter(Comparison)
