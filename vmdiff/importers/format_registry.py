"""Formats of text, recognised by what their lines look like (`vmdiff.importers.file_kinds` has whole files).

A format is a module that says what its lines look like and how to read them,
and a line here. A line belongs to the first format that finds a listing around it, so a format stands before
those whose rows it `embeds` (a crash log that holds a copy of ``maps``); else their order means nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import ValidationError

from vmdiff.errors import InputError, ListingError
from vmdiff.importers import (
    bsd_procmap,
    freebsd_procstat,
    gdb,
    glibc_abort,
    macos_vmmap,
    sanitizer,
    windows_vmmap,
)
from vmdiff.importers.android import showmap, tombstone
from vmdiff.importers.bundle import bundle_reader
from vmdiff.importers.draft import NOT_READ, places
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.java import hs_err, native_memory, system_map
from vmdiff.importers.other_output import name_of_output
from vmdiff.importers.pasted.lines import Line, cut_into_lines, decode, is_filler, printable
from vmdiff.importers.pasted.unwrapping import unwrap
from vmdiff.importers.pmap import pmap_rows
from vmdiff.importers.procfs import tolerant_reader
from vmdiff.importers.sections import LineRole, Mark, Section, with_elisions
from vmdiff.importers.surroundings import Surroundings, surroundings_of
from vmdiff.model import Snapshot
from vmdiff.model.problem_words import problem_words
from vmdiff.model.snapshot_set import SnapshotSet

TEXTS: tuple[TextFormat, ...] = (
    bundle_reader.FORMAT,
    hs_err.FORMAT,
    glibc_abort.FORMAT,
    tombstone.FORMAT,
    sanitizer.FORMAT,
    system_map.FORMAT,
    native_memory.FORMAT,
    macos_vmmap.FORMAT,
    windows_vmmap.FORMAT,
    freebsd_procstat.FORMAT,
    bsd_procmap.FORMAT,
    gdb.FORMAT,
    pmap_rows.FORMAT,
    showmap.FORMAT,
    tolerant_reader.FORMAT,
)
_OF_A_DIFF = "one side of a diff: unchanged rows may be missing"


class _Found(NamedTuple):
    """A listing in a text: its format, its part of the text, and its half-open range of indices there."""

    format: TextFormat
    part: Sequence[Line]
    first: int
    stop: int

    @property
    def lines(self) -> Sequence[Line]:
        return self.part[self.first : self.stop]

    @property
    def has_rows(self) -> bool:
        roles = {mark.role for line in self.lines if (mark := self.format.mark(line.text))}
        return LineRole.ROW in roles or LineRole.END not in roles


def read(data: bytes, *, source: str, choice: int | None = None) -> Snapshot:
    """Read a listing of any known format of text.

    *source* names it in errors; *choice*, from 1, says which listing of a text that holds several.

    Raises:
        InputError: nothing in it is a listing, or there are several and none was chosen.
        ListingError: a line is not what its format demands.
    """
    try:
        return _read(data, source, choice)
    except ValidationError as error:
        problem = error.errors()[0]
        place = "".join(f"{key}: " for key in problem["loc"])
        raise InputError(f"{source}: {place}{problem_words(problem)}") from error


def count(data: bytes, *, source: str) -> int:
    """Count the listings in a text."""
    if _quickly(data, source):
        return 1
    return len(_search(decode(data, source), source)[0])


def read_set(data: bytes, *, source: str) -> SnapshotSet | None:
    """Read a bundle of several processes; None where the text is no such.

    Raises:
        InputError: none of them can be read.
    """
    text = decode(data, source)
    if not bundle_reader.FORMAT.hint.search(text):
        return None
    framed = bundle_reader.processes(cut_into_lines(text, source))
    if not framed or not all(process.done for process in framed):
        found, _, _ = _search(text, source)
        framed = [
            one
            for each in found
            if each.format is bundle_reader.FORMAT
            for one in bundle_reader.processes(each.lines)
        ]
    if max((process.many for process in framed), default=0) < 2:
        return None
    return bundle_reader.set_of(framed, source)


def _read(data: bytes, source: str, choice: int | None) -> Snapshot:
    if choice in {None, 1} and (quickly := _quickly(data, source)):
        return quickly
    found, parts, is_diff = _search(decode(data, source), source)
    if not found:
        raise _nothing_found(parts[0], source)
    chosen = _choose(found, source, choice)
    section = chosen.lines
    if not chosen.format.exact:
        section = [Line(number, printable(text)) for number, text in section]
    snapshot = chosen.format.parse(Section(source, section))
    around = surroundings_of(
        list(_outside(chosen.part, [each for each in found if each.part is chosen.part]))
    )
    return _with_surroundings(snapshot, around, alone=len(found) == 1, is_diff=is_diff)


def _quickly(data: bytes, source: str) -> Snapshot | None:
    for known in TEXTS:
        if known.quick and (snapshot := known.quick(data, source)):
            return snapshot
    return None


def _search(text: str, source: str) -> tuple[list[_Found], tuple[list[Line], ...], bool]:
    """Find the listings of a text, in its order; also return its lines, and whether it is a diff."""
    unwrapped = unwrap(text, source, is_row=_is_row, is_known=_is_known, stands_alone=_stands_alone)
    found = [each for part in unwrapped.parts for each in _find(part)]
    if any(each.has_rows for each in found):  # a total alone beside a listing is no listing
        found = [each for each in found if each.has_rows]
    return found, unwrapped.parts, unwrapped.is_diff


def _is_row(text: str) -> bool:
    return any(known.is_row(text) for known in TEXTS)


def _is_known(text: str) -> bool:
    marks: Iterator[Mark | None] = (known.mark(text) for known in TEXTS)
    return any(mark is not None and mark.role is not LineRole.MORE for mark in marks)


def _stands_alone(text: str) -> bool:
    """Return whether a line is one of a listing that continues no other line."""
    marks: Iterator[Mark | None] = (known.mark(text) for known in TEXTS)
    return any(mark is not None and not mark.attached for mark in marks)


def _find(lines: Sequence[Line]) -> Iterator[_Found]:
    """Yield the listings of one part of a text, in its order; each line belongs to at most one."""
    text = "\n".join([line.text for line in lines])
    taken: list[_Found] = []
    for known in TEXTS:
        if known.hint.search(text):
            taken += [
                _Found(known, lines, first + start, first + stop)
                for first, end in _free(taken, len(lines))
                for start, stop in known.sections(lines[first:end])
            ]
    taken.sort(key=lambda found: found.first)
    extended = with_elisions(lines, [(found.first, found.stop) for found in taken])
    for found, (first, stop) in zip(taken, extended, strict=True):
        yield found._replace(first=first, stop=stop)


def _free(taken: Sequence[_Found], end: int) -> list[tuple[int, int]]:
    """Return the ranges of lines that no format has taken."""
    free = []
    first = 0
    for found in sorted(taken, key=lambda found: found.first):
        if first < found.first:
            free.append((first, found.first))
        first = found.stop
    return [*free, (first, end)] if first < end else free


def _outside(lines: Sequence[Line], found: Sequence[_Found]) -> Iterator[Line]:
    """Yield the lines that belong to no listing and say something."""
    stop = 0
    for each in found:
        yield from (line for line in lines[stop : each.first] if not is_filler(line.text))
        stop = each.stop
    yield from (line for line in lines[stop:] if not is_filler(line.text))


def _with_surroundings(snapshot: Snapshot, around: Surroundings, *, alone: bool, is_diff: bool) -> Snapshot:
    """Add what the text around a listing says of its process, and name the lines that are not read."""
    doubts = [_OF_A_DIFF] if is_diff else []
    unread = list(around.unread)
    if alone:
        snapshot = around.add_to(snapshot)
        doubts += around.sentences
    else:
        unread = sorted({*unread, *around.facts_on})
    if unread:
        doubts.append(f"{places(unread)}: {NOT_READ}")
    return snapshot.noting(*doubts) if doubts else snapshot


def _choose(found: Sequence[_Found], source: str, choice: int | None) -> _Found:
    if choice is None and len(found) == 1:
        return found[0]
    if choice is not None and 1 <= choice <= len(found):
        return found[choice - 1]
    held = "one listing" if len(found) == 1 else f"{len(found)} listings"
    named = "-- -#NUMBER" if source == "<stdin>" else f"{source}#NUMBER"
    raise InputError(f"{source}: holds {held}: {_contents(found)}; choose one with {named}")


def _contents(found: Sequence[_Found], shown: int = 9) -> str:
    """Return where each listing is: ``#1 lines 1-22 (pmap-x), #2 lines 24-40 (maps)``."""
    listed = [
        f"#{number} {_lines(each.lines[0].number, each.lines[-1].number)} ({each.format.name})"
        for number, each in enumerate(found[:shown], 1)
    ]
    return ", ".join(listed) + (f" and {len(found) - shown} more" if len(found) > shown else "")


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first}-{last}"


def _nothing_found(lines: Sequence[Line], source: str) -> InputError:
    first = next((line for line in lines if not is_filler(line.text)), None)
    if first is None:
        return InputError(f"{source}: empty, so no listing")
    if known_output := name_of_output(lines):
        return InputError(f"{source}:{known_output.line.number}: {known_output.sentence}")
    for known in TEXTS:
        if known.nearly:
            near = next((line for line in lines if known.nearly.match(line.text)), None)
            if near is not None:
                return ListingError(source, near.number, known.expected, near.text)
    return ListingError(
        source, first.number, "a snapshot or a listing of a process's memory (docs/listings.md)", first.text
    )
