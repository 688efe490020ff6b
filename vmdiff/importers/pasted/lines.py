"""Lines of a text, what they say without being part of a listing, and the encodings that they come in."""

import re
from typing import NamedTuple

from vmdiff.errors import InputError

# What a kernel wrote is read otherwise (`TextFormat.quick`); here 60,000 mappings, quoted, are 46 MB.
LONGEST_TEXT = 1 << 27  # bytes
MOST_LINES = 6_000_000

_WORD = re.compile(r"[^\W_]+")
# A line is an elision if it has one of the first words and none beyond the second.
_CUT = frozenset(
    {"abbreviated", "clipped", "cut", "deleted", "elided", "etc", "more", "omitted", "removed", "shortened"}
    | {"skipped", "skipping", "snip", "snipped", "snipping", "stripped", "suppressed", "trimmed", "truncated"}
)
_AROUND_CUT = frozenset(
    {"a", "about", "and", "bytes", "chars", "characters", "content", "due", "entries", "for", "from", "here"}
    | {"kb", "lib", "libraries", "library", "libs", "limit", "line", "lines", "listing", "log", "lot", "lots"}
    | {"many", "map", "mapped", "mapping", "mappings", "maps", "message", "of", "other", "others", "out"}
    | {"output", "pages", "previous", "rest", "region", "regions", "row", "rows", "same", "similar", "size"}
    | {"so", "some", "text", "the", "to", "too", "and", "on", "brevity", "clarity", "long", "middle", "vmas"}
    | {"been", "has", "have", "was", "were", "is", "are", "shared", "objects", "segments", "end", "by", "me"}
)
_DOTS = re.compile(r"[\s.:~>|*#\[\](){}<>…⋮⋯︙-]+")  # with two dots, or one that means several
_SEVERAL = re.compile(r"\.\.|[…⋮⋯︙]")
_ONE_DOT = re.compile(r"[.:]")
_SCISSORS = re.compile(r"[-=~_ ]{0,60}(?:8<|>8|✂|✄)[-=~_ 8<>✂]{0,60}(?:\w{0,20}[-=~_ 8<>✂]{0,60})?")
_LONGEST_FILLER = 200

_FENCE = re.compile(
    r"[`~]{3,}\s?[\w+.-]{0,20}|\{(?:noformat|code|quote|panel|color)(?:[:|][^}\n]{0,120})?\}|\[/?(?:code|pre|quote)\]"
    r"|\{\{\{(?:#!\w{1,20})?|\}\}\}|\{%-? ?(?:end)?(?:highlight|raw)[^%\n]{0,40}%\}"
    r"|\.\. (?:code|code-block|sourcecode)::.{0,40}|::|BEGIN|(?:Begin|End)\s?(?:quote|code)",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"[\W_]*")


class Line(NamedTuple):
    """A line without quoting, indentation and line end; *number* counts from 1 in the text as given.

    Several lines have one number where rows were joined on one line of the text.
    """

    number: int
    text: str


def decode(data: bytes, source: str) -> str:
    """Decode UTF-8 or, by its mark or its zeros, UTF-16 or UTF-32; bytes that are neither become surrogates.

    Raises:
        InputError: there is more of it than any listing has.
    """
    if len(data) > LONGEST_TEXT:
        raise InputError(
            f"{source}: {len(data):,} bytes are more than vmdiff reads of a text ({LONGEST_TEXT:,})"
        )
    encoding = _encoding(data[:4096])
    errors = "surrogateescape" if encoding == "utf-8" else "replace"
    return data.decode(encoding, errors).removeprefix("\ufeff")


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 4 and even < odd // 8:
        return "utf-16-le"
    if even > len(head) // 4 and odd < even // 8:
        return "utf-16-be"
    return "utf-8"


def printable(text: str) -> str:
    r"""Write bytes that are no UTF-8 as ``\xff``: no document can hold them as they are."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def cut_into_lines(text: str, source: str) -> list[Line]:
    r"""Cut a text into lines at newlines, and at carriage returns where these end its lines.

    Nothing else ends a line: file names may hold form feeds and U+2028.

    Raises:
        InputError: there are more lines than any listing has.
    """
    if "\r" in text:
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n")
        if text.count("\r") > text.count("\n"):  # else part of a name, or left over at the end of a line
            text = text.replace("\r", "\n")
    if text.count("\n") > MOST_LINES:
        raise InputError(f"{source}: more lines than vmdiff reads of a text ({MOST_LINES:,})")
    return [Line(number, line) for number, line in enumerate(text.removesuffix("\n").split("\n"), 1)]


def is_elision(text: str) -> bool:
    """Return whether a line says that lines were left out: ``...``, ``[snip]``, ``<12 more lines>``."""
    if len(text) > _LONGEST_FILLER:
        return False
    text = text.strip()
    if (
        (_SEVERAL.search(text) and _DOTS.fullmatch(text))
        or _ONE_DOT.fullmatch(text)
        or _SCISSORS.fullmatch(text)
    ):
        return True
    words = {word for word in _WORD.findall(text.lower()) if not word.isdigit()}
    return not words.isdisjoint(_CUT) and words <= _CUT | _AROUND_CUT


def is_fence(text: str) -> bool:
    """Return whether a line only marks text as code (``{noformat}``), or holds no word: a ruler."""
    if len(text) > _LONGEST_FILLER:
        return _NOTHING.fullmatch(text) is not None
    return _FENCE.fullmatch(text.strip()) is not None or _NOTHING.fullmatch(text) is not None


def is_filler(text: str) -> bool:
    """Return whether a line stands for nothing, or for lines left out: blanks, rulers, fences, dots."""
    return len(text) <= _LONGEST_FILLER and (is_fence(text) or is_elision(text))
