"""The comparison document, described: what ``vmdiff compare --format json`` writes and its schema.

Described apart from the writer, and held to it by a test: a writer that goes by its own description
would agree with itself whatever it wrote.
"""

from typing import Annotated, Any, Literal, Required

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from vmdiff.comparison.change import ChangeName
from vmdiff.model import Kind, Owner
from vmdiff.model.mapping import MappingRecord

Known = Annotated[int | None, Field(description="Bytes; null where a side does not know them.")]
Counts = dict[str, Known]


class Side(TypedDict):
    """Which snapshot stands on a side."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Side")  # type: ignore[misc]

    label: str | None
    taken_at: AwareDatetime | None
    pid: int | None
    name: str | None
    source: str
    consistent: Annotated[bool | None, Field(description="Whether its layout was not seen to change.")]
    doubts: list[str]


class TotalRecord(TypedDict):
    """A counter over the whole address space."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Total")  # type: ignore[misc]

    before: Known
    after: Known
    delta: Known


class ChangeRecord(TypedDict):
    """One region that differs; `kind`, `owner` and `path` are what all its mappings share, else null."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Change")  # type: ignore[misc]

    change: ChangeName
    kind: Kind | None
    owner: Owner | None
    path: str | None
    because: Annotated[str | None, Field(description="What the pairing rests on, if not the addresses.")]
    crowd: Annotated[int | None, Field(description="Changes with the same number are alike.")]
    moved_end: Literal["start", "end", "both"] | None
    before: list[MappingRecord]
    after: list[MappingRecord]
    delta: Counts


class GroupRecord(TypedDict):
    """The counters of all mappings of one kind, owner or object; each column adds up to the totals."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Group")  # type: ignore[misc]

    name: str
    before: Counts
    after: Counts
    delta: Counts


class Groups(TypedDict):
    """The totals cut up in three ways."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Groups")  # type: ignore[misc]

    kind: list[GroupRecord]
    owner: list[GroupRecord]
    object: list[GroupRecord]


class MoverRecord(TypedDict, total=False):
    """A part that accounts for the movement: one of owner, kind and object says what `delta` belongs to."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Mover")  # type: ignore[misc]

    owner: str
    kind: str
    object: str
    delta: Required[int]
    at_least: Annotated[
        bool, Field(description="Whether it may account for more, which could not be told apart.")
    ]


class AnswerRecord(TypedDict):
    """What happened, in one sentence, and the figures that it rests on."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Answer")  # type: ignore[misc]

    sentence: str
    counter: str | None
    delta: Known
    movers: list[MoverRecord]
    explained: Annotated[float | None, Field(description="The share of all movement that the movers are.")]


class UsageFigures(TypedDict):
    """What an allocator has on one side, in bytes (`blocks` is a number)."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="UsageFigures")  # type: ignore[misc]

    in_use: Known
    free: Known
    cached: Known
    overhead: Known
    releasable: Known
    reserved: Known
    blocks: int | None
    partial: Annotated[str | None, Field(description="Why a figure is null or may be off.")]


class UsageDelta(TypedDict):
    """How an allocator's figures changed; null where a side does not know one for certain."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="UsageDelta")  # type: ignore[misc]

    in_use: Known
    free: Known
    cached: Known
    overhead: Known
    releasable: Known
    reserved: Known
    blocks: int | None
    sizes: Annotated[list[tuple[int, int, int]], Field(description="Size, blocks in use, free blocks.")]
    types: Annotated[list[tuple[str, int, int]], Field(description="Name, objects, bytes.")]


class UsageChangeRecord(TypedDict):
    """The memory of one allocator or runtime, by its own records; null on a side that has none of it."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="UsageChange")  # type: ignore[misc]

    owner: str
    label: str | None
    before: UsageFigures | None
    after: UsageFigures | None
    delta: UsageDelta


class FactRecord(TypedDict):
    """A process or host fact that differs; null where it was not there."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Fact")  # type: ignore[misc]

    path: str
    before: Any
    after: Any


class FindingRecord(TypedDict):
    """One sentence about what the changes mean, and what it rests on."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Finding")  # type: ignore[misc]

    id: str
    severity: Literal["info", "notice", "warning"]
    message: str
    evidence: list[str]


class PageMovesRecord(TypedDict):
    """What became of the pages of one owner, in bytes."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Page moves")  # type: ignore[misc]

    owner: str
    written: int
    filled: int
    cleared: int
    freed: int
    swapped: int
    came: int
    kept: int


class ComparisonRecord(TypedDict):
    """Two snapshots and what changed between them. The changes' deltas add up to those of the totals."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="vmdiff comparison, version 1")  # type: ignore[misc]

    format: Literal["vmdiff-comparison"]
    version: Literal[1]
    match: Literal["address", "structure"]
    reason: Annotated[str, Field(description="Why the two were matched in this way.")]
    before: Side
    after: Side
    totals: dict[str, TotalRecord]
    changes: list[ChangeRecord]
    unchanged: Annotated[int, Field(ge=0, description="The number of regions in which nothing changed.")]
    answer: AnswerRecord
    usage: Annotated[list[UsageChangeRecord] | None, Field(description="Null if a side has none.")]
    pages: Annotated[
        list[PageMovesRecord] | None, Field(description="Null unless both have fingerprints of one key.")
    ]
    groups: Groups
    process: list[FactRecord]
    findings: list[FindingRecord]


def adapter() -> TypeAdapter[ComparisonRecord]:
    """Return what validates a comparison document and knows its JSON Schema."""
    return TypeAdapter(ComparisonRecord)
