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
    from vmdiff.model import Mapping, Snapshot
    from vmdiff.sources import load, save, snap

# What is public, and the module it is imported from when first asked for:
# `import vmdiff` alone costs nothing.
_HOMES = {
    "Comparison": "vmdiff.comparison.compare",
    "ConditionError": "vmdiff.errors",
    "DocumentError": "vmdiff.errors",
    "InputError": "vmdiff.errors",
    "ListingError": "vmdiff.errors",
    "Mapping": "vmdiff.model",
    "MatchError": "vmdiff.errors",
    "OutputError": "vmdiff.errors",
    "ProcessError": "vmdiff.errors",
    "Snapshot": "vmdiff.model",
    "VmdiffError": "vmdiff.errors",
    "compare": "vmdiff.comparison.compare",
    "load": "vmdiff.sources",
    "save": "vmdiff.sources",
    "snap": "vmdiff.sources",
}

__all__ = [
    "Comparison",
    "ConditionError",
    "DocumentError",
    "InputError",
    "ListingError",
    "Mapping",
    "MatchError",
    "OutputError",
    "ProcessError",
    "Snapshot",
    "VmdiffError",
    "compare",
    "load",
    "save",
    "snap",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vmdiff' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
