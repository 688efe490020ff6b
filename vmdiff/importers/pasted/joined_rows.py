"""Cut rows apart that were joined on one line (paste, awk), and join rows that a terminal wrapped."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from vmdiff.importers.pasted.lines import Line, is_filler
from vmdiff.importers.pasted.prefixes import IsRow
from vmdiff.importers.pasted.row_shapes import KEY, KEY_BEHIND, ROW, WHOLE_ROW

_NARROWEST, _WIDEST = 60, 400  # columns of a terminal
_DIGIT = re.compile(r"[0-9]")
_BEGINS = re.compile(
    r"\S+:\s|0x[0-9a-f]|0[0-9a-f]{5,16}\b|(?=[0-9a-f]*[a-f])[0-9a-f]{6,16}\b"
)  # a key, a row
_MOST_PIECES = 12  # lines of one wrapped row


def cut_apart(lines: Sequence[Line], is_row: IsRow) -> list[Line]:
    """Return each row, and each key of smaps behind a row, a line of its own.

    Keys count as such where most rows have one: a file name may look like a key.
    """
    whole = [piece for line in lines for piece in _rows(line)]
    candidates = [
        line for line in whole if KEY_BEHIND.search(line.text) and _may_hold_keys(line.text, is_row)
    ]
    rows = sum(1 for line in whole if ROW.match(line.text))
    if not candidates or len(candidates) * 2 < rows:
        return whole
    return [piece for line in whole for piece in _keys(line, is_row)]


def _rows(line: Line) -> Iterator[Line]:
    text = line.text
    starts = [found.start() for found in WHOLE_ROW.finditer(text)] if "-" in text or "K" in text else []
    if not starts:
        yield line
        return
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        if row := text[start:end].rstrip():
            yield Line(line.number, row)


def _keys(line: Line, is_row: IsRow) -> Iterator[Line]:
    if not _may_hold_keys(line.text, is_row):
        yield line
        return
    yield from (Line(line.number, piece) for piece in KEY_BEHIND.split(line.text) if piece)


def _may_hold_keys(text: str, is_row: IsRow) -> bool:
    if KEY_BEHIND.search(text) is None:
        return False
    return KEY.match(text) is not None or (ROW.match(text) is not None and is_row(text))


def rejoin(lines: list[Line], is_known: IsRow, stands_alone: IsRow) -> list[Line]:
    """Join the lines that a terminal wrapped: those as long as the longest, with what is no row after them.

    All of them go on, or nearly: where only one does, a row that is as long as others is followed by prose.
    *is_known* tells a row, a header or a total of a listing, *stands_alone* a line that continues no other.
    """
    lengths = Counter(len(line.text) for line in lines if line.text)
    width = max(lengths, default=0)
    if not (_NARROWEST <= width <= _WIDEST and lengths[width] > 1):
        return lines
    joined: list[Line] = []
    pieces = 0  # of the row at the end of *joined*, 0 where the line before is no open one
    for line in lines:
        if (
            pieces
            and pieces < _MOST_PIECES
            and _continues(joined[-1], line, stands_alone)
            and (is_known((joined[-1].text + line.text).strip()))
        ):
            joined[-1] = Line(joined[-1].number, joined[-1].text + line.text)
        else:
            joined.append(line)
            pieces = 0
        pieces = pieces + 1 if len(line.text) == width else 0
    whole = sum(1 for line in joined if len(line.text) == width)
    return joined if whole * 4 < lengths[width] else lines


def _continues(above: Line, line: Line, stands_alone: IsRow) -> bool:
    text = line.text.strip()
    if not text or is_filler(text) or KEY.match(text) or _BEGINS.match(text):
        return False
    header = not _DIGIT.search(text) and not _DIGIT.search(above.text)  # its second half may look like one
    return header or not stands_alone(text)
