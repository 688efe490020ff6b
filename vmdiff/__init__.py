"""Snapshots of a process's memory mappings, and what changed between two of them.

    >>> import vmdiff
    >>> before = vmdiff.snap(pid)
    >>> after = vmdiff.snap(pid)
    >>> vmdiff.compare(before, after).totals["rss"]

`snap` and `compare` take and give values and know nothing of files; `save` and `load` do.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vmdiff.comparison.change import Change, ChangeName
    from vmdiff.comparison.compare import Comparison, compare
    from vmdiff.errors import (
        ConditionError,
        DocumentError,
        InputError,
        ListingError,
        MatchError,
        OutputError,
        ProcessError,
        VmdiffError,
    )
    from vmdiff.findings import find
    from vmdiff.findings.finding import Finding
    from vmdiff.model import Kind, Mapping, Owner, Snapshot
    from vmdiff.recording.recorder import Recorded, record
    from vmdiff.series.series import Series
    from vmdiff.series.trends import Trend, trend
    from vmdiff.sources import load, save, snap

# What is public, and the module it is imported from when first asked for:
# `import vmdiff` alone costs nothing.
_HOMES = {
    "Change": "vmdiff.comparison.change",
    "ChangeName": "vmdiff.comparison.change",
    "Comparison": "vmdiff.comparison.compare",
    "ConditionError": "vmdiff.errors",
    "DocumentError": "vmdiff.errors",
    "Finding": "vmdiff.findings.finding",
    "InputError": "vmdiff.errors",
    "Kind": "vmdiff.model",
    "ListingError": "vmdiff.errors",
    "Mapping": "vmdiff.model",
    "MatchError": "vmdiff.errors",
    "OutputError": "vmdiff.errors",
    "Owner": "vmdiff.model",
    "ProcessError": "vmdiff.errors",
    "Recorded": "vmdiff.recording.recorder",
    "Series": "vmdiff.series.series",
    "Snapshot": "vmdiff.model",
    "Trend": "vmdiff.series.trends",
    "VmdiffError": "vmdiff.errors",
    "compare": "vmdiff.comparison.compare",
    "find": "vmdiff.findings",
    "load": "vmdiff.sources",
    "record": "vmdiff.recording.recorder",
    "save": "vmdiff.sources",
    "snap": "vmdiff.sources",
    "trend": "vmdiff.series.trends",
}

__all__ = [
    "Change",
    "ChangeName",
    "Comparison",
    "ConditionError",
    "DocumentError",
    "Finding",
    "InputError",
    "Kind",
    "ListingError",
    "Mapping",
    "MatchError",
    "OutputError",
    "Owner",
    "ProcessError",
    "Recorded",
    "Series",
    "Snapshot",
    "Trend",
    "VmdiffError",
    "compare",
    "find",
    "load",
    "record",
    "save",
    "snap",
    "trend",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vmdiff' has no attribute {name!r}")
    from importlib import import_module  # the models are loaded when one is asked for

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
