"""Every error a user can act on, and the exit status it ends a command with.

::

    VmdiffError                2   wrong usage, unreadable input, unwritable output
    ├── InputError             2   a file that is not what it should be
    │   ├── DocumentError      2   a snapshot document with problems, each with its path
    │   └── ListingError       2   another tool's text, with source and line
    ├── OutputError            2   a result that could not be written
    ├── MatchError             2   two snapshots that cannot be compared as asked
    ├── ConditionError         2   a condition or selector that cannot be decided
    ├── MissingExtraError      2   packages of an extra that are not installed
    └── ProcessError           3   a live process that cannot be observed

Exit 0 is success, 1 a difference that was asked for, 70 a bug of vmdiff, 130 an interruption.
"""

from collections.abc import Sequence
from typing import ClassVar


class VmdiffError(Exception):
    """Base of every error a user can act on."""

    exit_code: ClassVar[int] = 2


class InputError(VmdiffError):
    """A file could not be read, or is not what it should be."""


class DocumentError(InputError):
    """A snapshot document has problems; each is a path such as ``$.mappings[3].start`` and a sentence.

    *cut*: there may be more than were looked for.
    """

    SHOWN: ClassVar[int] = 100

    def __init__(self, source: str, problems: Sequence[tuple[str, str]], *, cut: bool = False) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = [f"{source}: not a vmdiff snapshot"]
        lines += [f"  {_cut(path)}: {_cut(message)}" for path, message in self.problems[: self.SHOWN]]
        if len(self.problems) > self.SHOWN:
            more = len(self.problems) - self.SHOWN
            lines.append(f"  … and {'at least ' if cut else ''}{more:,} more problems")
        super().__init__("\n".join(lines))


class ListingError(InputError):
    """A line of a listing is not what its format demands."""

    def __init__(self, source: str, line: int, expected: str, found: str) -> None:
        self.source = source
        self.line = line
        super().__init__(f"{source}:{line}: expected {expected}, found {_excerpt(found)}")


class OutputError(VmdiffError):
    """A result could not be written; nothing was left half-written."""


class MatchError(VmdiffError):
    """Two snapshots cannot be compared in the way that was asked for."""


class ConditionError(VmdiffError):
    """A condition or selector cannot be read, or cannot be decided from what is known."""


class ProcessError(VmdiffError):
    """A live process cannot be observed."""

    exit_code: ClassVar[int] = 3


def _excerpt(text: str) -> str:
    """Quote what was found, cut to what fits on a line, control characters escaped."""
    return repr(_cut(text, 60))


def _cut(text: str, longest: int = 300) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


class MissingExtraError(VmdiffError):
    """A part of vmdiff needs packages that are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed: pip install 'vmdiff[{extra}]'")
