r"""Undo what carries a text: JSON, quoted-printable mail, HTML, colours of a terminal, ``\n`` spelled out.

Each step keeps the number of the line that a piece comes from, and does nothing where its marks are missing.

Facts: RFC 2045 section 6.7 (quoted-printable); ECMA-48 section 5.4 (control sequences); Docker's json-file
log driver writes one object ``{"log": "text\n", ...}`` a line, ``journalctl -o json`` one with ``MESSAGE``.
"""

import html
import json
import quopri
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from vmdiff.importers.pasted.lines import Line

_ESCAPE = re.compile(
    r"(?:\x1b|\^\[|\\x1b|\\e|\\033|\\u001b)"
    r"(?:\[[0-9;?]{0,20}[ -/]{0,2}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[()][0-9A-B])"
)
_LOST_ESCAPE = re.compile(r"\[(?:[0-9]{1,3}(?:;[0-9]{1,3}){0,4})?m(?:\[K)?|\[K")
_TAG = re.compile(
    r"</?(?:pre|code|div|span|p|td|th|tr|table|tbody|li|ul|ol|tt|samp|blockquote|body|html|font|b|i|em|strong|"
    r"details|summary|section|article|head|meta|style|title|a)(?:\s[^<>]{0,400})?\s?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s?/?>|</(?:tr|li|p|div)>(?=.)", re.IGNORECASE)
_CELL = re.compile(r"</t[dh]>\s*(?=<t[dh]\b)", re.IGNORECASE)
_MARKS_HTML = re.compile(
    r"</(?:pre|code|div|span|p|td|tr|li|tt|samp|blockquote|font)>|<(?:pre|code|br)\b", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|nbsp|apos|#[0-9]{1,6}|#x[0-9a-fA-F]{1,6});")
_SOFT_BREAK = re.compile(r"=[ \t]*$", re.MULTILINE)
_QUOTED_BYTE = re.compile(r"=(?:3D|20$|09|C2=A0|E2=80)", re.MULTILINE)
_SPELLED_BREAK = re.compile(r"\\r\\n|\\n")
_SPELLED = {"\\t": "\t", '\\"': '"', "\\/": "/", "\\\\": "\\"}
_SPELLED_ANY = re.compile(r"\\[t\"/\\]")
_BEFORE_STRING = re.compile(r"(?:[\w.\"-]{1,60}\s?[:=]\s?)?[bru]?[\"']")  # at the start of a line
_AFTER_STRING = re.compile(r"(?:\\n)?[\"'],?\}?$")
_TEXT_KEYS = (
    "log",
    "message",
    "MESSAGE",
    "msg",
    "line",
    "text",
    "body",
    "output",
    "stdout",
    "data",
    "content",
)
_DEEPEST, _MOST_VALUES = 8, 10_000

Step = Callable[[str, list[Line]], list[Line]]


def undo(text: str, lines: list[Line]) -> list[Line]:
    """Undo all of them; *text* is what *lines* were cut from."""
    for step in (_json, _quoted_printable, _html, _spelled_breaks, _colours):
        lines = step(text, lines)
    return lines


def _json(text: str, lines: list[Line]) -> list[Line]:
    """Take the text out of JSON: one object a line, as logs have it, or strings within one document."""
    if text.lstrip()[:1] not in {"{", "[", '"'} or '"' not in text:
        return lines
    records = [_message(line.text) for line in lines]
    if all(record is not None for record, line in zip(records, lines, strict=True) if line.text.strip()):
        return [
            Line(line.number, piece)
            for record, line in zip(records, lines, strict=True)
            for piece in (record or "").removesuffix("\n").split("\n")
        ]
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return lines
    texts = [found for found in _strings(document) if "\n" in found]
    return [Line(1, piece) for found in texts for piece in found.removesuffix("\n").split("\n")] or lines


def _message(text: str) -> str | None:
    """Return the text that one line of a JSON log carries, None if it is none."""
    if not text.startswith("{") or not text.rstrip().endswith("}"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return next((record[key] for key in _TEXT_KEYS if isinstance(record.get(key), str)), None)


def _strings(document: object) -> Iterator[str]:
    waiting: list[tuple[object, int]] = [(document, 0)]
    for _ in range(_MOST_VALUES):
        if not waiting:
            return
        value, depth = waiting.pop()
        if isinstance(value, str):
            yield value
        elif depth < _DEEPEST and isinstance(value, (dict, list)):
            inner = value.values() if isinstance(value, dict) else value
            waiting += [(each, depth + 1) for each in reversed(list(inner))]


def _quoted_printable(text: str, lines: list[Line]) -> list[Line]:
    if "=" not in text or not _QUOTED_BYTE.search(text):
        return lines
    if not _SOFT_BREAK.search(text) and "quoted-printable" not in text:
        return lines
    joined: list[Line] = []
    open_end = False
    for number, part in lines:
        stripped = part.rstrip(" \t")
        if open_end:
            joined[-1] = Line(joined[-1].number, joined[-1].text + stripped.removesuffix("="))
        else:
            joined.append(Line(number, stripped.removesuffix("=")))
        open_end = stripped.endswith("=")
    return [Line(number, _unquoted(part)) for number, part in joined]


def _unquoted(text: str) -> str:
    if "=" not in text:
        return text
    return quopri.decodestring(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _html(text: str, lines: list[Line]) -> list[Line]:
    """Take tags off and read entities, where the text has tags or entities at all."""
    tagged = "<" in text and _MARKS_HTML.search(text) is not None
    entities = "&" in text and _ENTITY.search(text) is not None
    if not tagged and not entities:
        return lines
    return list(_without_tags(lines) if tagged else _with_characters(lines))


def _without_tags(lines: Iterable[Line]) -> Iterator[Line]:
    for number, text in lines:
        pieces = _BREAK.split(_CELL.sub(" ", text)) if "<" in text else [text]
        for piece in pieces:
            yield Line(number, html.unescape(_TAG.sub("", piece)).replace("\xa0", " "))


def _with_characters(lines: Iterable[Line]) -> Iterator[Line]:
    for number, text in lines:
        yield Line(number, _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text)


def _spelled_breaks(text: str, lines: list[Line]) -> list[Line]:
    r"""Cut lines where ``\n`` is spelled out (a string as a program prints it)."""
    if "\\n" not in text:
        return lines
    return [piece for line in lines for piece in _cut_spelled(line)]


def _cut_spelled(line: Line) -> Sequence[Line]:
    if "\\n" not in line.text or not _is_spelled(line.text):
        return [line]
    text = _AFTER_STRING.sub("", _without_start(line.text.strip()))
    pieces = _SPELLED_BREAK.split(text)
    return [Line(line.number, _SPELLED_ANY.sub(lambda found: _SPELLED[found[0]], piece)) for piece in pieces]


def _without_start(text: str) -> str:
    found = _BEFORE_STRING.match(text)
    return text[found.end() :] if found else text


def _is_spelled(text: str) -> bool:
    r"""Return whether a row or a key stands right behind a ``\n``: a path may hold a backslash and an n."""
    return re.search(r"\\n\s*(?:0x)?[0-9a-fA-F]{4,17}[- ]|\\n\s*[A-Z]\w{1,30}:\s", text) is not None or (
        text.count("\\n") == 1 and re.search(r"\\n[\"']?\s*$", text) is not None
    )


def _colours(text: str, lines: list[Line]) -> list[Line]:
    escaped = "\x1b" in text or "^[[" in text or "\\x1b[" in text or "\\u001b[" in text or "\\033[" in text
    lost = not escaped and "m" in text and len(_LOST_ESCAPE.findall(text[:100_000])) > 3
    if not escaped and not lost:
        return lines
    pattern = _ESCAPE if escaped else _LOST_ESCAPE
    return [Line(number, pattern.sub("", line)) for number, line in lines]
