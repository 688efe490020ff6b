"""The values that everything else passes around: frozen and validated."""

from vmdiff.model.kind import Kind, images, kind_of
from vmdiff.model.mapping import (
    DERIVED,
    FILE_FACTS,
    FILE_SIZE,
    KNOWN_COUNTERS,
    LONGEST_STRING,
    NOTHING,
    PAGE_CACHE,
    Mapping,
    Scalar,
    owner_record,
)
from vmdiff.model.owner import MIXED, Basis, Owner, Part, owner
from vmdiff.model.snapshot import (
    MOST_MAPPINGS,
    PAGE_SIZES,
    Host,
    InvariantError,
    Origin,
    Process,
    Redaction,
    Snapshot,
    Thread,
    add,
)
from vmdiff.model.usage import Usage

__all__ = [
    "DERIVED",
    "FILE_FACTS",
    "FILE_SIZE",
    "KNOWN_COUNTERS",
    "LONGEST_STRING",
    "MIXED",
    "MOST_MAPPINGS",
    "NOTHING",
    "PAGE_CACHE",
    "PAGE_SIZES",
    "Basis",
    "Host",
    "InvariantError",
    "Kind",
    "Mapping",
    "Origin",
    "Owner",
    "Part",
    "Process",
    "Redaction",
    "Scalar",
    "Snapshot",
    "Thread",
    "Usage",
    "add",
    "images",
    "kind_of",
    "owner",
    "owner_record",
]
