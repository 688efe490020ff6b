"""Other tools' listings -> Snapshot, recognised by what they contain.

A format is a module that says where its listings are in a text and how to read one, and a line in
`FORMATS`. The first format that recognises a line has it, so formats that embed another (a crash log that
holds a copy of ``maps``) come before it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from vmdiff.errors import InputError, ListingError
from vmdiff.importers import freebsd_procstat, gdb, glibc_abort, macos_vmmap, sanitizer
from vmdiff.importers.android import showmap, tombstone
from vmdiff.importers.format_protocol import BinaryFormat, TextFormat
from vmdiff.importers.java import hs_err, system_map
from vmdiff.importers.pmap import pmap_rows
from vmdiff.importers.procfs import tolerant_reader
from vmdiff.importers.sections import Line, Section, decode, printable, unwrap
from vmdiff.model import Snapshot

FORMATS: tuple[TextFormat | BinaryFormat, ...] = (
    hs_err.FORMAT,
    glibc_abort.FORMAT,
    tombstone.FORMAT,
    sanitizer.FORMAT,
    system_map.FORMAT,
    macos_vmmap.FORMAT,
    freebsd_procstat.FORMAT,
    gdb.FORMAT,
    pmap_rows.FORMAT,
    showmap.FORMAT,
    tolerant_reader.FORMAT,
)


class _Found(NamedTuple):
    """A listing in a text: its format and its half-open range of line indices."""

    format: TextFormat
    first: int
    stop: int


def read(data: bytes, *, source: str, choice: int | None = None) -> Snapshot:
    """Read a listing of any known format.

    *source* names it in errors; *choice*, from 1, says which listing of a text that holds several.

    Raises:
        InputError: nothing in it is a listing, or there are several and none was chosen.
        ListingError: a line is not what its format demands.
    """
    try:
        return _parse(data, source, choice)
    except ValidationError as error:
        problem = error.errors()[0]
        place = "".join(f"{key}: " for key in problem["loc"])
        raise InputError(f"{source}: {place}{problem['msg']}") from error


def _parse(data: bytes, source: str, choice: int | None) -> Snapshot:
    for known in FORMATS:
        if isinstance(known, BinaryFormat) and data.startswith(known.magic):
            return known.parse(data, source)
    if choice in {None, 1} and (quickly := _quickly(data, source)):
        return quickly
    text = decode(data, source)
    lines = unwrap(text, source)
    found = list(_find(text, lines))
    chosen = _choose(found, lines, source, choice)
    section = lines[chosen.first : chosen.stop]
    if not chosen.format.exact:
        section = [Line(number, printable(text)) for number, text in section]
    return chosen.format.parse(Section(source, section))


def _quickly(data: bytes, source: str) -> Snapshot | None:
    for known in FORMATS:
        if isinstance(known, TextFormat) and known.quick and (snapshot := known.quick(data, source)):
            return snapshot
    return None


def _find(text: str, lines: Sequence[Line]) -> Iterator[_Found]:
    """Yield the listings in the order of the text; each line belongs to at most one."""
    taken: list[_Found] = []
    for known in FORMATS:
        if isinstance(known, TextFormat) and known.hint.search(text):
            taken += [
                _Found(known, first + start, first + stop)
                for first, end in _free(taken, len(lines))
                for start, stop in known.find(lines[first:end])
            ]
    yield from sorted(taken, key=lambda found: found.first)


def _free(taken: Sequence[_Found], end: int) -> list[tuple[int, int]]:
    """Give the ranges of lines that no format has taken."""
    free = []
    first = 0
    for found in sorted(taken, key=lambda found: found.first):
        if first < found.first:
            free.append((first, found.first))
        first = found.stop
    return [*free, (first, end)] if first < end else free


def _choose(found: Sequence[_Found], lines: Sequence[Line], source: str, choice: int | None) -> _Found:
    if not found:
        raise _nothing_found(lines, source)
    if choice is None and len(found) == 1:
        return found[0]
    if choice is not None and 1 <= choice <= len(found):
        return found[choice - 1]
    count = "one listing" if len(found) == 1 else f"{len(found)} listings"
    named = "-- -#NUMBER" if source == "<stdin>" else f"{source}#NUMBER"
    raise InputError(f"{source}: holds {count}: {_contents(found, lines)}; choose one with {named}")


def _contents(found: Sequence[_Found], lines: Sequence[Line], shown: int = 9) -> str:
    """Say where each listing is: ``#1 lines 1-22 (pmap-x), #2 lines 24-40 (maps)``."""
    places = [
        f"#{number} {_lines(lines[each.first].number, lines[each.stop - 1].number)} ({each.format.name})"
        for number, each in enumerate(found[:shown], 1)
    ]
    return ", ".join(places) + (f" and {len(found) - shown} more" if len(found) > shown else "")


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}-{last}"


def _nothing_found(lines: Sequence[Line], source: str) -> InputError:
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        return InputError(f"{source}: empty, so no listing")
    for known in FORMATS:
        if isinstance(known, TextFormat) and known.nearly:
            near = next((line for line in lines if known.nearly.match(line.text)), None)
            if near is not None:
                return ListingError(source, near.number, known.expected, near.text)
    names = ", ".join(known.name for known in FORMATS)
    return ListingError(source, first.number, f"a listing that vmdiff knows ({names})", first.text)
