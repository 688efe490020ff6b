"""The trend document, described: what ``vmdiff trend --format json`` writes and its schema."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from vmdiff.report.json.schema import FindingRecord
from vmdiff.series.verdict import JudgementName

Figure = Annotated[int | None, Field(description="Bytes; null where unknown.")]
Place = Annotated[int, Field(ge=0, description="The number of a point, from 0; ends are exclusive.")]


class PointRecord(TypedDict):
    """One snapshot of the series."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Point")  # type: ignore[misc]

    taken_at: AwareDatetime | None
    label: str | None
    file: str | None
    totals: dict[str, Figure]


class StepsRecord(TypedDict):
    """How many steps from one known point to the next grew, fell, and did neither."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Steps")  # type: ignore[misc]

    grew: int
    fell: int
    same: int


class GroupTrendRecord(TypedDict):
    """What one group does. `values` has every point; the rest is of `counter` over the judged points."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="GroupTrend")  # type: ignore[misc]

    name: str
    values: dict[str, list[Figure]]
    first: Figure
    last: Figure
    change: Figure
    rate: Annotated[float | None, Field(description="Growth of the floor in bytes a second.")]
    steps: StepsRecord
    verdict: JudgementName
    evidence: str


class RunRecord(TypedDict):
    """Points of one and the same process."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Run")  # type: ignore[misc]

    start: Place
    end: Place
    pid: int | None


class PlacesRecord(TypedDict):
    """Points from `start` to before `end`."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="Places")  # type: ignore[misc]

    start: Place
    end: Place


class TrendRecord(TypedDict):
    """A series of snapshots and what each group of memory does over it."""

    __pydantic_config__ = ConfigDict(extra="forbid", title="vmdiff trend, version 1")  # type: ignore[misc]

    format: Literal["vmdiff-trend"]
    version: Literal[1]
    counter: Annotated[str, Field(description="The counter that was judged.")]
    process: str | None
    judged: PlacesRecord
    runs: list[RunRecord]
    limits: dict[str, Figure]
    points: list[PointRecord]
    total: GroupTrendRecord
    groups: dict[str, list[GroupTrendRecord]]
    findings: list[FindingRecord]


def adapter() -> TypeAdapter[TrendRecord]:
    """Return what validates a trend document and knows its JSON Schema."""
    return TypeAdapter(TrendRecord)
