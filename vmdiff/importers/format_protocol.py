"""What a format has to give to be in the registry."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vmdiff.importers.sections import Line, Section
from vmdiff.model import Snapshot


class TextFormat(NamedTuple):
    r"""A format of text.

    *hint* matches somewhere in every text that holds such a listing (searched once, so that a long text of
    another kind costs nothing; lines may still be quoted and indented there). *find* gives the half-open
    ranges of indices of *lines* that are one listing each, *parse* reads one.

    *quick* may read bytes that are one listing and nothing else, None if they are not. *nearly* matches
    lines that look like rows and are none; where no format finds a listing the first of them is
    refused as not being what was *expected*. *exact* asks for bytes that are no UTF-8 as surrogates, for
    the sake of ``path_hex``; other formats get them as ``\xff``.
    """

    name: str
    hint: re.Pattern[str]
    find: Callable[[Sequence[Line]], list[tuple[int, int]]]
    parse: Callable[[Section], Snapshot]
    quick: Callable[[bytes, str], Snapshot | None] | None = None
    nearly: re.Pattern[str] | None = None
    expected: str = ""
    exact: bool = False


class BinaryFormat(NamedTuple):
    """A format of bytes, known by its first ones; *parse* takes the bytes and their name for errors."""

    name: str
    magic: bytes
    parse: Callable[[bytes, str], Snapshot]
