"""What a format has to provide to be in the registry."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Snapshot


class TextFormat(NamedTuple):
    r"""A format of text.

    *hint* matches somewhere in every text that holds such a listing (searched once, so that a long text of
    another kind costs nothing; lines may still be quoted and indented there). *mark* returns the role of a
    line, *find* the half-open ranges of indices of *lines* that are one listing each (by default what
    `find_sections` makes of the marks), *parse* reads one.

    *embeds* names the formats whose rows occur inside this one's listings: it is searched before them.
    *quick* may read bytes that are one listing and nothing else, None if they are not. *nearly* matches
    lines that look like rows and are none; where no format finds a listing the first of them is
    refused as not being what was *expected*. *exact* asks for bytes that are no UTF-8 as surrogates, for
    the sake of ``path_hex``; other formats get them as ``\xff``.
    """

    name: str
    hint: re.Pattern[str]
    mark: Callable[[str], Mark | None]
    parse: Callable[[Section], Snapshot]
    find: Callable[[Sequence[Line]], list[tuple[int, int]]] | None = None
    embeds: tuple[str, ...] = ()
    quick: Callable[[bytes, str], Snapshot | None] | None = None
    nearly: re.Pattern[str] | None = None
    expected: str = ""
    exact: bool = False

    def sections(self, lines: Sequence[Line]) -> list[tuple[int, int]]:
        """Return where the listings of this format are in *lines*."""
        return self.find(lines) if self.find else find_sections(lines, self.mark)

    def is_row(self, text: str) -> bool:
        """Return whether a line is a row of this format."""
        found = self.mark(text)
        return found is not None and found.role is LineRole.ROW
