"""Which mappings of two snapshots belong together."""

from vmdiff.align.region import Region

__all__ = ["Region"]
