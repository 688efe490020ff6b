"""Text -> the lines that were there before it was pasted, with the numbers of the text as given."""

from typing import NamedTuple

from vmdiff.importers.pasted import joined_rows, markup, prefixes
from vmdiff.importers.pasted.diff_sides import sides
from vmdiff.importers.pasted.lines import Line, cut_into_lines
from vmdiff.importers.pasted.prefixes import IsRow


class Text(NamedTuple):
    """The lines of a text; *parts* are those of a diff's two sides, else one, all of it."""

    parts: tuple[list[Line], ...]
    is_diff: bool = False


def unwrap(text: str, source: str, *, is_row: IsRow, is_known: IsRow, stands_alone: IsRow) -> Text:
    """Undo what mail, issue trackers, logs and tools did to a text.

    *is_row* tells a row of any format, *is_known* a row, a header or a total, *stands_alone* any line of a
    listing that is none of the lines below a row.

    Raises:
        InputError: there are more lines than any listing has.
    """
    lines = markup.undo(text, cut_into_lines(text, source))
    both = sides(lines)
    parts = tuple(
        _plain(text, joined_rows.rejoin(part, is_known, stands_alone), is_row) for part in both or (lines,)
    )
    return Text(parts, both is not None)


def _plain(text: str, lines: list[Line], is_row: IsRow) -> list[Line]:
    lines = prefixes.unquote(text, lines)
    lines = prefixes.strip(lines, is_row)
    lines = joined_rows.cut_apart(lines, is_row)
    return prefixes.unfence(lines, is_row)
