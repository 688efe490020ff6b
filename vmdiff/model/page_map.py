"""What each page of a process's own memory held: nothing, zeros, or something that is known again.

The document holds no contents: a fingerprint is 8 bytes of BLAKE2b under a key that stays with the user. Only
who has the key could test a guess, and only fingerprints of one key can be compared.
"""

import re
from base64 import b85decode, b85encode
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from vmdiff.model.core_checks import WrittenBy
from vmdiff.model.frozen import Frozen, Name
from vmdiff.model.held_memory import CachedFile, DeviceMemory
from vmdiff.model.mapping import Bytes
from vmdiff.model.owner import HexAddress

FINGERPRINT = 8  # bytes
# Counters of a mapping, in bytes: private pages in memory that are zeros, that have the contents of a page
# before them in this process, and that are zeros in a huge page.
PAGE_COUNTERS = ("zero_filled", "duplicate", "huge_zero")
_RUN = re.compile(r"([1-9][0-9]{0,15})([asfuzdZD])")
_RUNS = r"^(?:[1-9][0-9]{0,15}[asfuzdZD])*$"


class PageState(StrEnum):
    """What a page is; zeros and data in capitals lie in a huge page."""

    ABSENT = "a"
    SWAPPED = "s"
    FILE = "f"  # of a file or of shared memory: not looked into
    UNREAD = "u"
    ZERO = "z"
    DATA = "d"
    HUGE_ZERO = "Z"
    HUGE_DATA = "D"


class MappingPages(Frozen, defer_build=True):
    """The pages of one mapping, from *start* on.

    *runs* are counts of pages, each followed by a `PageState`: ``12a3z500d``. *fingerprints* has one for each
    page with data, in order, as base 85; None where no key was at hand.
    """

    start: Annotated[HexAddress, WrittenBy("{:x}".format)]
    runs: Annotated[str, Field(pattern=_RUNS)]
    fingerprints: str | None = None

    @model_validator(mode="after")
    def _fingerprints_are_of_the_data(self) -> Self:
        """Refuse fingerprints that are not one for each page with data."""
        if self.fingerprints is not None:
            data = sum(count for count, state in self.states() if state in "dD")
            try:
                found = len(b85decode(self.fingerprints))
            except ValueError as error:
                raise ValueError("fingerprints: not base 85") from error
            if found != data * FINGERPRINT:
                raise ValueError(f"{found} bytes of fingerprints for {data} pages with data")
        return self

    def states(self) -> list[tuple[int, str]]:
        """Return the runs as (pages, state)."""
        return [(int(count), state) for count, state in _RUN.findall(self.runs)]

    def fingerprint_bytes(self) -> bytes:
        """Return all fingerprints, `FINGERPRINT` bytes each."""
        return b85decode(self.fingerprints or "")


class StateRun(NamedTuple):
    """Neighbouring pages of one `PageState` in ``[start, end)``, and the fingerprints of those with data."""

    start: int
    end: int
    state: str
    prints: bytes


class PageContents(Frozen, defer_build=True):
    """The pages of a snapshot's private mappings; *key* tells which key the fingerprints are made with.

    *files* are those that the process has open or mapped and the page cache holds most of; None where the
    kernel does not tell (cachestat, Linux 6.5). *devices* is the graphics memory that it holds.
    """

    page_size: Annotated[Bytes, Field(gt=0)]
    key: Name | None = None
    files: tuple[CachedFile, ...] | None = None
    devices: tuple[DeviceMemory, ...] = ()
    mappings: tuple[MappingPages, ...] = ()

    def runs(self) -> Iterator[StateRun]:
        """Yield what is not absent, lowest address first; *prints* are empty where no key was at hand."""
        for one in sorted(self.mappings, key=lambda one: one.start):
            at, passed, prints = one.start, 0, one.fingerprint_bytes()
            for count, state in one.states():
                end = at + count * self.page_size
                own = count * FINGERPRINT if state in "dD" else 0
                if state != PageState.ABSENT:
                    yield StateRun(at, end, state, prints[passed : passed + own])
                at, passed = end, passed + own

    def without_fingerprints(self) -> Self:
        """Return what each page was, and nothing that it could be known again by."""
        plain = tuple(one.model_copy(update={"fingerprints": None}) for one in self.mappings)
        return self.model_copy(update={"key": None, "mappings": plain})


def encoded(fingerprints: bytes) -> str:
    """Write fingerprints as text."""
    return b85encode(fingerprints).decode()
