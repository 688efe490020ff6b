"""Which mappings of two snapshots belong together."""

from vmdiff.comparison.matching.region import Region

__all__ = ["Region"]
