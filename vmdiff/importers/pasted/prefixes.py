"""Take off what stands before the rows: quotes, line numbers, log prefixes, bullets, marks of a diff.

Logs prefix lines in more ways than can be listed. What all prefixes share is that they are alike from line to
line but for digits and words, so they are learned from the lines where a row is found behind one.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.pasted.row_shapes import KEY, ROW

# Quoting and indentation; a pasted "> " may have become "&gt; ", and two texts in one hold a second BOM.
_AROUND = r"(?:[ \t\r\xa0\ufeff\u200b>]|&gt;)*+"
_WRAPPING = re.compile(_AROUND)
_WRAPPED = re.compile(r"^[ \t\r\xa0\ufeff\u200b>&]", re.MULTILINE)
_FENCED_ROW = re.compile(r"(?:`{1,3}|~{3}|\{(?:noformat|code)(?:[:|][^}\n]{0,80})?\}|\[code\]|\{\{\{)\s*")
_FENCE_BEHIND = re.compile(r"\s*(?:`{3}|\{(?:noformat|code)\}|\[/code\]|\}\}\})\s*$")
_BINARY = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\udc80-\udcff]")
_TOKENS = re.compile(r"[0-9]+|[A-Za-z_][A-Za-z_]*|\s+|.", re.DOTALL)
_LONGEST_PREFIX = 300
_MOST_SHAPES = 64
_MOST_ROUNDS = 4


IsRow = Callable[[str], bool]


def at_line_start(pattern: str) -> re.Pattern[str]:
    """Compile the hint of a format: a *pattern* at the start of any line, whatever is put around it."""
    return re.compile(rf"^{_AROUND}(?:{pattern})", re.MULTILINE)


def unquote(text: str, lines: list[Line]) -> list[Line]:
    """Take off quoting and indentation."""
    if not _WRAPPED.search(text):
        return lines
    return [Line(number, line[_wrapping(line) :].removesuffix("\r")) for number, line in lines]


def _wrapping(line: str) -> int:
    found = _WRAPPING.match(line)
    return found.end() if found else 0


def strip(lines: list[Line], is_row: IsRow) -> list[Line]:
    """Take the prefixes off that rows stand behind, from all lines that have one like it.

    *is_row* tells whether a line is a row of any format as it stands.
    """
    for _ in range(_MOST_ROUNDS):
        learned = _learn(lines, is_row)
        if not learned:
            return lines
        lines = [Line(number, _stripped(text, learned, is_row)) for number, text in lines]
    return lines


class _Prefixes(NamedTuple):
    """What was learned: *alike* matches a prefix, *once* are the lengths of single ones by their line."""

    alike: re.Pattern[str] | None
    once: frozenset[str]

    def __bool__(self) -> bool:
        return self.alike is not None or bool(self.once)


def _learn(lines: Sequence[Line], is_row: IsRow) -> _Prefixes:
    shapes: Counter[str] = Counter()
    single: set[str] = set()
    plain = 0
    for _, text in lines:
        prefix = _before_row(text, is_row)
        if prefix is None:
            continue
        if not prefix:
            plain += 1
        elif _BINARY.search(prefix) or _FENCED_ROW.fullmatch(prefix):
            single.add(prefix)
        elif len(shapes) < _MOST_SHAPES or _shape(prefix) in shapes:
            shapes[_shape(prefix)] += 1
    alike = [
        shape
        for shape, count in shapes.items()
        if count > 1 or (shapes.total() > 1 and not plain) or _is_all(shapes, plain)
    ]
    pattern = re.compile("|".join(sorted(alike, key=len, reverse=True)), re.DOTALL) if alike else None
    return _Prefixes(pattern, frozenset(single))


def _is_all(shapes: Counter[str], plain: int) -> bool:
    return shapes.total() == 1 and not plain


def _before_row(text: str, is_row: IsRow) -> str | None:
    """Return what stands before the row in a line, "" if nothing, None if there is no row."""
    found = ROW.search(text[: _LONGEST_PREFIX + 200]) or KEY.search(text[: _LONGEST_PREFIX + 200])
    if found is None or found.start() > _LONGEST_PREFIX:
        return None
    if found.start() == 0 or is_row(text):
        return ""
    rest = text[found.start() :]
    return text[: found.start()] if is_row(rest) or found.re is KEY else None


def _shape(prefix: str) -> str:
    """Return an expression for all prefixes that are alike: numbers, words and blanks may differ."""
    return "".join(_class(token) for token in _TOKENS.findall(prefix))


def _class(token: str) -> str:
    if token.isspace():
        return r"\s+"
    if token[0].isdigit() and token.isascii():
        return r"[0-9]+"
    return (
        r"[A-Za-z_]+" if token[0].isascii() and (token[0].isalpha() or token[0] == "_") else re.escape(token)
    )


def _stripped(text: str, learned: _Prefixes, is_row: IsRow) -> str:
    for prefix in learned.once:
        if text.startswith(prefix):
            return text[len(prefix) :]
    if learned.alike is None or is_row(text):
        return text
    found = learned.alike.match(text)
    return text[found.end() :] if found else text


def unfence(lines: list[Line], is_row: IsRow) -> list[Line]:
    """Take a fence off that stands on the line of a row."""
    return [
        Line(number, _FENCE_BEHIND.sub("", text))
        if _FENCE_BEHIND.search(text[-20:]) and is_row(text)
        else Line(number, text)
        for number, text in lines
    ]
