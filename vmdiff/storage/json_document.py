"""The snapshot document: a `Snapshot` as JSON, one mapping a line, and back.

``docs/format.md`` describes it for its readers. Version 1 is the only one so far; a reader accepts
every version that was ever released and refuses anything else with every problem and its path.
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice, repeat
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from vmdiff.errors import DocumentError
from vmdiff.model import (
    MOST_MAPPINGS,
    Content,
    InvariantError,
    Mapping,
    Snapshot,
    Usage,
    bounds,
    content,
    looks,
    place,
)
from vmdiff.model.page_map import PageContents
from vmdiff.model.problem_words import problem_words
from vmdiff.model.snapshot import FORMAT, VERSION, in_order
from vmdiff.model.snapshot_columns import SnapshotColumns, is_cut, mapping_of

_FIRST, _LAST = b'"mappings": [\n', b"\n  ]\n}\n"
_MAPPING = re.compile(rb'^\{"start":"([0-9a-f]{1,17})","end":"([0-9a-f]{1,17})",([^\n]+)\},\n', re.MULTILINE)
_LINE_BREAK = re.compile(rb"\S[^\S\n]*\n\s*\S")
_BOUNDS = b'{"start":"0","end":"1"'
_AT_ONCE = 512  # mappings
_MOST_LINES = 200_000  # that a reader remembers
_MOST_VALUES = 400_000  # whose problems are gathered at once: pydantic needs 2 KB for each
_MOST_PROBLEMS = 1000

_Read = TypeVar("_Read")


def dump(snapshot: Snapshot, lines_of: "Lines | RepeatedLines | None" = None) -> Iterator[bytes]:
    """Write a snapshot as UTF-8 JSON, in pieces: a key a line, a mapping a line.

    *lines_of* writes the mappings: a `RepeatedLines` for the points of a recording.
    """
    absent = {"mappings", "usage", "pages"} | (set() if snapshot.tags else {"tags"})
    head = snapshot.model_dump(mode="json", exclude=absent)
    lines = [f"  {json.dumps(key)}: {json.dumps(head[key], ensure_ascii=False)}" for key in head]
    if snapshot.usage is not None:
        lines.append(f'  "usage": {_usage(snapshot.usage)}')
    if snapshot.pages is not None:
        lines.append(f'  "pages": {_pages(snapshot.pages)}')
    yield ("{\n" + ",\n".join(lines) + ',\n  "mappings": [').encode(errors="replace")
    lines_of = lines_of or Lines(_json)
    for first in range(0, len(snapshot.mappings), _AT_ONCE):
        opening = b",\n" if first else b"\n"
        yield opening + b",\n".join(lines_of(snapshot.mappings[first : first + _AT_ONCE]))
    yield b"\n  ]\n}\n" if snapshot.mappings else b"]\n}\n"


def _usage(usage: Sequence[Usage]) -> str:
    """Write one usage a line."""
    written = [json.dumps(one.model_dump(mode="json"), ensure_ascii=False) for one in usage]
    return "[\n    " + ",\n    ".join(written) + "\n  ]" if written else "[]"


def _pages(pages: PageContents) -> str:
    """Write the pages of one mapping a line."""
    head = json.dumps(pages.model_dump(mode="json", exclude={"mappings"}))[:-1]
    lines = [json.dumps(one.model_dump(mode="json")) for one in pages.mappings]
    return f'{head}, "mappings": [\n    ' + ",\n    ".join(lines) + "\n  ]}"


class Lines:
    """Writes mappings as lines; what follows the bounds is written once for all that are alike.

    Mappings of one snapshot share their blocks of counters as objects, and most have the same
    fields: this takes a fifth of the time of writing each. *write* turns a record into JSON.
    """

    def __init__(self, write: Callable[[dict[str, Any]], bytes]) -> None:
        self._write = write
        self._alike: dict[Hashable, tuple[bytes, ...]] = {}

    def __call__(self, mappings: Sequence[Mapping]) -> list[bytes]:
        """Return the line of each mapping."""
        lines: list[bytes] = []
        before, rest = None, b""
        for mapping, look in zip(mappings, looks(mappings), strict=True):
            start, end = mapping.start, mapping.end
            if start is None or end is None:
                lines.append(self._write(mapping.record()))
                continue
            if look is not before:
                before, offset = look, mapping.offset
                parts = self._alike.get(look) or self._alike.setdefault(look, self._parts(mapping))
                rest = parts[0] if offset is None or len(parts) == 1 else (b"%d" % offset).join(parts)
            lines.append(b'{"start":"%x","end":"%x"%b' % (start, end, rest))
        return lines

    def _parts(self, mapping: Mapping) -> tuple[bytes, ...]:
        """Write what follows the bounds; of what has a path in two parts, around its offset."""
        written = self._write(mapping._replace(start=0, end=1).record()).removeprefix(_BOUNDS)
        if mapping.path is None or mapping.offset is None:
            return (written,)
        return _around(written, mapping.offset)


class RepeatedLines:
    """Writes mappings as lines; what is the very mapping of an earlier snapshot has the line that it had.

    *before* wrote the snapshot before this one.
    """

    def __init__(self, before: "RepeatedLines | None" = None) -> None:
        self._before = {} if before is None else before._written
        self._written: dict[int, tuple[Mapping, bytes]] = {}  # by identity, which holds while it is kept
        self._lines_of = Lines(_json)

    def __call__(self, mappings: Sequence[Mapping]) -> list[bytes]:
        """Return the line of each mapping."""
        known = [self._before.get(id(mapping)) for mapping in mappings]
        fresh = [mapping for mapping, held in zip(mappings, known, strict=True) if held is None]
        lines = iter(self._lines_of(fresh))
        every = [held or (mapping, next(lines)) for mapping, held in zip(mappings, known, strict=True)]
        self._written.update((id(held[0]), held) for held in every)
        return [line for _, line in every]


def _around(written: bytes, offset: int) -> tuple[bytes, bytes]:
    """Return what stands before and after an offset, which is the first number of a mapping with a path."""
    before, _, after = written.partition(b'"offset":%d' % offset)
    return before + b'"offset":', after


def _json(record: dict[str, Any]) -> bytes:
    try:
        return to_json(record)
    except ValueError:  # half a character: `path` is to be printable, `path_hex` is what is exact
        return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Compress a document with gzip; the same document gives the same bytes."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for chunk in chunks:
        yield packer.compress(chunk)
    yield packer.flush()


def is_document(data: bytes) -> bool:
    """Return whether this looks like a snapshot document, however broken: JSON that is no log."""
    # Debuggers' listings begin with "[ Legend", trackers mark code as {noformat}.
    if re.match(rb"\s*(?:\{(?!(?:noformat|code|quote)\b|\{|%)|\[\s*\{)", data) is None:
        return False
    return _LINE_BREAK.search(data) is None or re.search(rb'"(?:format|mappings)"\s*:', data) is not None


def load(data: bytes, *, source: str) -> Snapshot:
    """Read a snapshot document; *source* only names the place in errors.

    Raises:
        DocumentError: it is no snapshot of a version that this vmdiff knows, with every problem.
    """
    return DocumentReader(remembers=False).load(data, source=source)


class DocumentReader:
    """Reads documents that resemble each other, such as those of one process.

    What follows the bounds of their mappings is validated once for all that are alike. With *remembers*
    the mappings that they have in common become the same objects, which a comparison need not look into.
    """

    def __init__(self, *, remembers: bool = True, most: int = _MOST_LINES) -> None:
        """Forget what is alike as soon as there are more than *most* of a kind."""
        self._remembers = remembers
        self._most = most
        self._lines: dict[bytes, Mapping] = {}
        self._contents: dict[bytes, Content] = {}
        self._fitting: dict[Hashable, dict[bytes, Content]] = {}  # those that were in snapshots of an origin

    def load(self, data: bytes, *, source: str) -> Snapshot:
        """Read a snapshot document; *source* only names the place in errors.

        Raises:
            DocumentError: it is no snapshot of a version that this vmdiff knows, with every problem.
        """
        found = _by_lines(data, source, self._whole)
        return _read_strictly(data, source) if found is None else found

    def columns(self, data: bytes, *, source: str) -> SnapshotColumns:
        """Read a snapshot document as columns; contents are the same objects as in others from this reader.

        Raises:
            DocumentError: it is no snapshot of a version that this vmdiff knows, with every problem.
        """
        found = _by_lines(data, source, self._fitting_columns)
        return SnapshotColumns.of(_read_strictly(data, source)) if found is None else found

    def _whole(self, shell: Snapshot, lines: bytes) -> Snapshot | None:
        """Read the lines of a snapshot; None where one looks otherwise.

        Raises:
            InvariantError: its mappings contradict each other or the origin.
        """
        mappings = self._read_lines(lines)
        return None if mappings is None else shell.with_mappings(mappings)

    def _fitting_columns(self, shell: Snapshot, lines: bytes) -> SnapshotColumns | None:
        """Read the lines of a snapshot; a content that others of its origin had was checked there.

        Raises:
            InvariantError: its mappings contradict each other or the origin.
        """
        if sum(len(one) + 1 for one in self._fitting.values()) > self._most:
            self._fitting.clear()
        known = self._fitting.setdefault((shell.origin.counters, shell.origin.attributes), {})
        if (written := _split(lines)) is None:
            return None
        starts, ends, rests = written
        if not in_order(starts, ends):
            raise InvariantError([("$.mappings", "out of order")])
        contents: list[Any] = list(map(known.get, rests))
        if places := [at for at, one in enumerate(contents) if one is None]:
            if (fresh := _validated({rests[at] for at in places})) is None:
                return None
            for at in places:
                contents[at] = fresh[rests[at]]
            shell.with_mappings(mapping_of(starts[at], ends[at], contents[at]) for at in places)
            known.update((rest, one) for rest, one in fresh.items() if not is_cut(one))
        return SnapshotColumns(shell, starts, ends, contents)

    def _read_lines(self, lines: bytes) -> list[Mapping] | None:
        """Read lines as `Lines` writes them, those that are not known yet; None where one looks otherwise."""
        if len(self._lines) > self._most:
            self._lines.clear()
        if not self._remembers:
            return self._read_fresh(lines)
        every = lines.split(b",\n")[:-1]
        fresh = [line for line in every if line not in self._lines] if self._lines else every
        read = self._read_fresh(lines if fresh is every else b",\n".join([*fresh, b""]))
        if read is None:
            return None
        self._lines.update(zip(fresh, read, strict=True))
        return read if fresh is every else list(map(self._lines.__getitem__, every))

    def _read_fresh(self, lines: bytes) -> list[Mapping] | None:
        if len(self._contents) > self._most:
            self._contents.clear()
        if (written := _split(lines)) is None:
            return None
        starts, ends, rests = written
        fresh = _validated(set(rests).difference(self._contents))  # not `- keys()`, which walks all of these
        if fresh is None:
            return None
        self._contents.update(fresh)
        return place(starts, ends, map(self._contents.__getitem__, rests))


def _split(lines: bytes) -> tuple[list[int], list[int], list[bytes]] | None:
    """Return the bounds of lines, and what follows them; None where one looks otherwise.

    Most mappings of a big process are alike but for their bounds, so what follows the bounds is
    validated once for each distinct text. Any problem, and any other look, is left to the usual way.
    """
    parts = _MAPPING.split(lines)
    between, starts, ends, rests = (parts[at::4] for at in range(4))
    if any(between):
        return None
    return list(map(int, starts, repeat(16))), list(map(int, ends, repeat(16))), rests


def _by_lines(data: bytes, source: str, read: Callable[[Snapshot, bytes], _Read | None]) -> _Read | None:
    """Read a document that looks like `dump`'s: *read* has its snapshot without mappings, and their lines.

    None where it looks otherwise, or anything is wrong: what that is, the strict way says.

    Raises:
        DocumentError: it has too many mappings.
    """
    _require_few(data, source)
    with suppress(ValidationError, InvariantError):
        if written := _taken_apart(data):
            shell, lines = written
            return read(Snapshot.model_validate_json(shell), lines)
    return None


def _require_few(data: bytes, source: str) -> None:
    if len(data) > MOST_MAPPINGS and data.count(b'"perms"') > MOST_MAPPINGS:
        raise DocumentError(source, [("$.mappings", f"more than {MOST_MAPPINGS:,} mappings")])


def _taken_apart(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the document without its mappings, and their lines; None if it looks otherwise than `dump`'s."""
    first, last = data.find(_FIRST), data.rfind(_LAST)
    if first < 0 or last < first or data.count(b",", 0, first) > _MOST_VALUES:
        return None
    shell = data[:first] + b'"mappings": []' + data[last + len(_LAST) - 2 :]
    return shell, b"".join((memoryview(data)[first + len(_FIRST) : last], b",\n"))  # copied once


def _validated(rests: set[bytes]) -> dict[bytes, Content] | None:
    """Validate what follows the bounds of mappings; return their other fields by that text.

    None if one of them has bounds, too: of a key that is there twice the last one counts, so they would be
    lost here. The bounds in front of them are such as nobody can guess.
    """
    start = int.from_bytes(os.urandom(7))
    head = b'{"start":"%x","end":"%x",' % (start, start + 1)
    ordered = list(rests)
    mappings: list[Mapping] = []
    for first in range(0, len(ordered), _AT_ONCE):
        # No string of JSON goes on after the end of its line: so none reaches into its neighbour's text.
        some = [b"%b%b}" % (head, rest) for rest in ordered[first : first + _AT_ONCE]]
        mappings += _adapter().validate_json(b"[%b]" % b",\n".join(some))
    if len(mappings) != len(ordered) or set(bounds(mappings)) - {(start, start + 1)}:
        return None  # one line is several mappings, or names its bounds twice
    return dict(zip(ordered, map(content, mappings), strict=True))


@cache
def _adapter() -> "TypeAdapter[list[Mapping]]":
    return TypeAdapter(list[Mapping])


def _read_strictly(data: bytes, source: str) -> Snapshot:
    """Read a document however it is written.

    Raises:
        DocumentError: it is none; names every problem.
    """
    if data.count(b",") > _MOST_VALUES and (found := list(islice(_piecemeal(data), _MOST_PROBLEMS))):
        raise DocumentError(source, found, cut=len(found) == _MOST_PROBLEMS)
    try:
        return Snapshot.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(source, problems(error, data)) from error


def _piecemeal(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the problems of a large document, found in pieces: together they could take 1,000 times its size.

    What is wrong with the JSON, or between pieces that are right by themselves, is not found here.
    """
    try:
        document = from_json(data)
    except ValueError:
        return
    if not isinstance(document, dict):
        return
    mappings = document.get("mappings")
    if not isinstance(mappings, list):
        mappings = []
    shell = to_json({**document, "mappings": []})
    if shell.count(b",") > _MOST_VALUES:
        yield "$", f"more than {_MOST_VALUES:,} values besides the mappings"
        return
    broken = set()
    try:
        Snapshot.model_validate_json(shell)
    except ValidationError as error:
        yield from problems(error, shell)
        if _version_problem(shell, FORMAT, VERSION):
            return
        broken = {tuple(one["loc"]) for one in error.errors()}
    for first in range(0, len(mappings), _AT_ONCE):
        some = to_json(mappings[first : first + _AT_ONCE])
        if some.count(b",") > _MOST_VALUES:
            yield f"$.mappings[{first}]", f"more than {_MOST_VALUES:,} values in {_AT_ONCE} mappings"
            return
        try:
            _adapter().validate_json(some)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False):
                index, *place = one["loc"]
                broken.add(("mappings", first + int(index), *place))
                yield path_of(("mappings", first + int(index), *place)), problem_words(one)
    if broken:  # else they are found with the rest
        yield from _contradictions(document, broken)


def problems(
    error: ValidationError, data: bytes, *, expected: str = FORMAT, newest: int = VERSION
) -> list[tuple[str, str]]:
    """Return what is wrong with a document: a JSON path and a sentence for each problem."""
    found = error.errors(include_url=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return [("$", f"not JSON: {found[0]['ctx']['error']}")]
    if newer := _version_problem(data, expected, newest):
        return [newer]
    problems = [problem for one in found for problem in _problem(one)]
    if any(isinstance(one.get("ctx", {}).get("error"), InvariantError) for one in found):
        return problems
    return problems + _contradictions(from_json(data), {tuple(one["loc"]) for one in found})


# Stands where a mapping is not one, so that the others keep their numbers.
_NO_MAPPING = {"start": None, "end": None, "perms": "---p", "kind": "anonymous"}


def _contradictions(document: dict[str, Any], broken: set[tuple[int | str, ...]]) -> list[tuple[str, str]]:
    """Find what contradicts what in a document, leaving out the places that are *broken* by themselves."""
    mappings = document.get("mappings")
    if not isinstance(mappings, list):
        return []
    no_mappings = {place[1] for place in broken if place[0] == "mappings" and len(place) > 1}
    kept = [_NO_MAPPING if index in no_mappings else one for index, one in enumerate(mappings)]
    announced = all(place[0] != "origin" for place in broken)
    origin = document["origin"] if announced else {"source": "unknown"}
    try:
        Snapshot.model_validate_json(json.dumps({"origin": origin, "mappings": kept}))
    except ValidationError as error:
        problems = [problem for one in error.errors() for problem in _problem(one)]
        return [(path, what) for path, what in problems if announced or path.endswith(".start")]
    return []


def _problem(one: Any) -> Iterator[tuple[str, str]]:
    cause = one.get("ctx", {}).get("error")
    if isinstance(cause, InvariantError):
        yield from cause.problems
    else:
        yield path_of(one["loc"]), problem_words(one)


def _version_problem(data: bytes, expected: str, newest: int) -> tuple[str, str] | None:
    """Return the problem of a document of another tool or a later version; None if it is merely broken."""
    document = from_json(data)
    if not isinstance(document, dict) or document.get("format") != expected:
        return ("$.format", f"not {expected!r}: this is another tool's JSON")
    version = document.get("version")
    if type(version) is int and version > newest:
        return ("$.version", f"{version} comes from a newer vmdiff; this one reads up to version {newest}")
    return None


def path_of(location: tuple[int | str, ...]) -> str:
    """Write a place in a document as ``$.mappings[3].start``."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
