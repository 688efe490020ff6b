"""Take a diff of two listings apart: what was there before, and what is there after."""

import re
from collections.abc import Sequence

from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.pasted.row_shapes import KEY, ROW

_HEADER = re.compile(
    r"@@ -[0-9,]{1,20} \+[0-9,]{1,20} @@.*|--- \S.*|\+\+\+ \S.*|diff .*|index [0-9a-f.]{3,90}.*"
    r"|\*{3} .*|\*{15}|[0-9,]{1,15}[acd][0-9,]{1,15}|---|\\ No newline at end of file"
)
# HotSpot's native memory tracking writes a diff as each number with its change.
_TRACKED = re.compile(r"reserved=[0-9]{1,16}[KMG]?B [+-][0-9]{1,16}[KMG]?B")
_CHANGED = re.compile(r"([=#])([0-9]{1,16})([KMG]?B)?( type=\w{1,20})? ([+-][0-9]{1,16})(?:[KMG]?B)?\b")
_MARKS = {"-": "-", "+": "+", "<": "-", ">": "+"}


def sides(lines: Sequence[Line]) -> tuple[list[Line], list[Line]] | None:
    """Return the lines of before and after, None if *lines* are no diff.

    A diff has rows or keys with either mark; with one mark only these are bullets or quotes.
    """
    if any(_TRACKED.search(line.text) for line in lines):
        return [_one_side(line, after=False) for line in lines], [
            _one_side(line, after=True) for line in lines
        ]
    marks = {_mark(line.text) for line in lines}
    if not {"-", "+"} <= marks:
        return None
    before = [
        _unmarked(line) for line in lines if not line.text.startswith(("+", ">")) and not _is_header(line)
    ]
    after = [
        _unmarked(line) for line in lines if not line.text.startswith(("-", "<")) and not _is_header(line)
    ]
    return before, after


def _one_side(line: Line, *, after: bool) -> Line:
    """Return a line of a diff of native memory tracking as it was before, or is after."""

    def number(found: re.Match[str]) -> str:
        value = int(found[2]) - (0 if after else int(found[5]))
        return f"{found[1]}{max(value, 0)}{found[3] or ''}{found[4] or ''}"

    return Line(line.number, _CHANGED.sub(number, line.text))


def _mark(text: str) -> str:
    behind = text[1:].strip()
    return _MARKS.get(text[:1], "") if ROW.match(behind) or KEY.match(behind) else ""


def _is_header(line: Line) -> bool:
    return _HEADER.fullmatch(line.text) is not None


def _unmarked(line: Line) -> Line:
    return Line(line.number, line.text[1:]) if line.text[:1] in {"-", "+", "<", ">", " "} else line
