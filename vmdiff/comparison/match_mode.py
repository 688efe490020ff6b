"""How the mappings of two snapshots are paired."""

from enum import StrEnum


class Match(StrEnum):
    """How mappings are paired: by what their addresses mean, or by structure."""

    AUTO = "auto"
    ADDRESS = "address"
    STRUCTURE = "structure"
