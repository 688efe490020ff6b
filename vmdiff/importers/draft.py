"""A snapshot in the making: the rows of a listing are collected, then put in order, checked and named."""

from collections import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Literal, NamedTuple

from vmdiff.errors import ListingError
from vmdiff.importers.pasted.lines import Line, is_elision, is_fence, printable
from vmdiff.importers.sections import Section
from vmdiff.model import (
    LONGEST_STRING,
    MOST_MAPPINGS,
    PAGE_SIZES,
    Host,
    Kind,
    Mapping,
    Origin,
    Process,
    Scalar,
    Snapshot,
    add,
    images,
    kind_of,
)

_LINES_NAMED, _PLACES_NAMED = 5, 12  # numbers each by itself, and spans
TRUNCATED = "rows are missing: the listing is truncated here"
NOT_READ = "not part of a listing, ignored"


class DraftRow(NamedTuple):
    """A mapping and the number of the line that it was read from."""

    line: int
    mapping: Mapping


@dataclass(slots=True)
class Draft:
    """What was read of a listing so far.

    *counters* and *attributes* are the names of what the listing reports of its mappings, in its order.
    Each line of the section that is not blank ends up as a row (`add`), as known to the reader (`know`) or
    in a doubt: what a reader claims in none of these ways is named in one when the snapshot is built.
    """

    section: Section
    format: str
    detail: Literal["maps", "smaps"] | None = None
    rows: list[DraftRow] = field(default_factory=list)
    doubts: dict[str, list[int]] = field(default_factory=dict)  # sentences, and the lines that they are about
    counters: dict[str, None] = field(default_factory=dict)
    attributes: dict[str, None] = field(default_factory=dict)
    rollup: dict[str, int | None] = field(default_factory=dict)
    process: Process = field(default_factory=Process)
    host: Host = field(default_factory=Host)
    unread: list[Line] = field(default_factory=list)
    known: set[Line] = field(default_factory=set)

    def know(self, line: Line) -> None:
        """Account for a line that is no row: a title, a header, a total, a fact."""
        self.known.add(line)

    def add(self, line: Line, mapping: Mapping) -> None:
        """Take a mapping that *line* tells of.

        Raises:
            ListingError: there are more than any process has, or its name is longer than any path.
        """
        if len(self.rows) >= MOST_MAPPINGS:
            raise self.section.refusal(line, f"at most {MOST_MAPPINGS:,} mappings")
        if mapping.path and mapping.path_hex is None and (path := printable(mapping.path)) != mapping.path:
            exact = mapping.path.encode("utf-8", "surrogateescape").hex()
            mapping = mapping._replace(path=path, path_hex=exact)
        if len(mapping.path or "") > LONGEST_STRING:
            raise self.section.refusal(line, f"a name of at most {LONGEST_STRING:,} characters")
        self.known.add(line)
        self.rows.append(DraftRow(line.number, mapping))

    def doubt(self, sentence: str, lines: Sequence[int] = ()) -> None:
        """Record why the listing cannot be trusted as it stands, and on which lines that was seen."""
        self.doubts.setdefault(sentence, []).extend(lines)

    def could_not_read(self, line: Line) -> None:
        """Remember a line that should be a row and is none."""
        self.unread.append(line)

    def compare_totals(
        self,
        totals: abc.Mapping[str, int],
        amount: Callable[[Mapping, str], int | None] | None = None,
    ) -> None:
        """Keep the *totals* that the listing states, in bytes, and say by how much its rows miss them.

        *amount* gives what a mapping adds to a total, by default its counter of that name.
        """
        self.rollup.update(totals)
        mappings = [row.mapping for row in self.rows]
        for name, stated in totals.items() if mappings else ():
            sizes = [(amount or amount_of)(mapping, name) for mapping in mappings]
            summed = add(sizes)
            if summed not in {None, stated}:
                shared = add(size for size, each in zip(sizes, mappings, strict=True) if each.perms[3] == "s")
                self.doubt(_difference(name, summed or 0, stated, shared or 0))

    def snapshot(self, expected: str, *, kinds: bool = True) -> Snapshot:
        """Put the rows in order and build the snapshot; *kinds* derives each mapping's kind from its name.

        Every mapping that does not report one of the counters has it unknown. Lines that could not be
        read are a doubt, but where nothing else was read the first is refused as not being what was
        *expected*.

        Raises:
            ListingError: mappings overlap, or no line could be read.
        """
        self._say_what_was_not_read(expected)
        self._account()
        self._drop_repeated()
        rows = self._in_order()
        mappings = [row.mapping for row in rows]
        if kinds:
            mappings = with_kinds(mappings)
        return self._build(tuple(self._completed(mappings)))

    def _say_what_was_not_read(self, expected: str) -> None:
        if not self.unread:
            return
        if not self.rows:
            raise self.section.refusal(self.unread[0], expected)
        self.doubt(f"not read, expected {expected}", [line.number for line in self.unread])

    def _account(self) -> None:
        """Name the lines that are not accounted for: marks of omission, and those foreign to the format."""
        named = {number for numbers in self.doubts.values() for number in numbers}
        left = [line for line in self.section.lines if line not in self.known and line.number not in named]
        for line in left:
            if line.text.strip() and is_elision(line.text):
                self.doubt(TRUNCATED, [line.number])
            elif not is_fence(line.text):
                self.doubt(NOT_READ, [line.number])

    def _drop_repeated(self) -> None:
        """Take a mapping that is listed twice with the same contents once."""
        seen: dict[tuple[int, int | None], DraftRow] = {}
        kept = []
        for row in self.rows:
            start, end = row.mapping.start, row.mapping.end
            first = None if start is None else seen.setdefault((start, end), row)
            if first is None or first is row or first.mapping != row.mapping:
                kept.append(row)
            else:
                self.doubt("repeats another row, taken once", [row.line])
        self.rows = kept

    def _in_order(self) -> list[DraftRow]:
        """Sort the rows that tell where they start; the others keep their place among these."""
        in_order = by_address(self.rows)
        if in_order != self.rows:
            self.doubt("the listing was not in the order of addresses and has been sorted")
        self._refuse_overlaps(in_order)
        return in_order

    def _refuse_overlaps(self, rows: Iterable[DraftRow]) -> None:
        line = below = reach = 0
        for row in rows:
            start, end = row.mapping.start, row.mapping.end
            if start is None or end is None:
                continue
            if start < reach:
                raise ListingError(
                    self.section.source,
                    row.line,
                    f"addresses that line {line} has not taken ({below:x}-{reach:x})",
                    f"{start:x}-{end:x}",
                )
            line, below, reach = row.line, start, end

    def _completed(self, mappings: Iterable[Mapping]) -> Iterator[Mapping]:
        """Write null where a mapping does not report what others do, and leave out what absence says."""
        absent: dict[str, Scalar] = dict.fromkeys((*self.counters, *self.attributes), 0)
        absent |= dict.fromkeys(PAGE_SIZES & absent.keys(), self.host.page_size)
        for mapping in mappings:
            values = {name: self._value(mapping, name) for name in absent}
            told = {name: value for name, value in values.items() if value is None or value != absent[name]}
            if "size" in mapping.values:
                told["size"] = mapping.values["size"]
            yield mapping._replace(values=told)

    def _value(self, mapping: Mapping, name: str) -> Scalar:
        """Return a value; what stands where a number of bytes should is none."""
        value = mapping.values.get(name)
        return value if isinstance(value, int) or name not in self.counters else None

    def _build(self, mappings: tuple[Mapping, ...]) -> Snapshot:
        return Snapshot(
            origin=Origin(
                source=self.format,
                detail=self.detail,
                doubts=tuple(
                    f"{places(lines)}: {sentence}" if lines else sentence
                    for sentence, lines in self.doubts.items()
                ),
                counters=tuple(self.counters),
                attributes=tuple(self.attributes),
            ),
            host=self.host,
            process=self.process,
            rollup=self.rollup or None,
            mappings=mappings,
        )


def by_address(rows: Sequence[DraftRow]) -> list[DraftRow]:
    """Return the rows that have a start in its order; the others keep their place among these."""
    placed = [(start, row) for row in rows if (start := row.mapping.start) is not None]
    in_order = (row for _, row in sorted(placed, key=itemgetter(0)))
    return [row if row.mapping.start is None else next(in_order) for row in rows]


def amount_of(mapping: Mapping, name: str) -> int | None:
    """Return a mapping's counter, or its size, in bytes; None where it is unknown."""
    if name == "size":
        return mapping.size
    value = mapping.values.get(name)
    return value if isinstance(value, int) else None


def with_kinds(mappings: Iterable[Mapping]) -> list[Mapping]:
    """Derive each mapping's kind from its name and permissions, files that are run being images."""
    mappings = list(mappings)
    known = images((mapping.path, mapping.perms) for mapping in mappings)
    return [mapping._replace(kind=_kind(mapping, image=mapping.path in known)) for mapping in mappings]


def _kind(mapping: Mapping, *, image: bool) -> Kind:
    backed = mapping.inode not in {None, "0"} and mapping.device not in {None, "00:00"}
    return Kind.FILE if backed and mapping.path is None else kind_of(mapping.path, mapping.perms, image=image)


def places(lines: Sequence[int]) -> str:
    """Name lines by their numbers: ``line 3``, ``lines 3-8 and 120``, ``lines 3-8, ... and 120 more``."""
    numbers = sorted(set(lines))
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    spans = list(_spans(numbers)) if len(numbers) > _LINES_NAMED else [(number, number) for number in numbers]
    shown = [_span(*span) for span in spans[:_PLACES_NAMED]]
    rest = sum(last - first + 1 for first, last in spans[_PLACES_NAMED:])
    last = f"{rest:,} more" if rest else shown.pop() if len(shown) > 1 else ""
    return f"lines {', '.join(shown)}" + (f" and {last}" if last else "")


def _spans(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield from _long(first, last)
            first = number
        last = number
    yield from _long(first, last)


def _long(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield a span, but two neighbours as two."""
    yield from ((first, first), (last, last)) if last == first + 1 else ((first, last),)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _difference(name: str, summed: int, stated: int, shared: int) -> str:
    difference = stated - summed
    hint = ", as if the shared ones counted twice" if difference == shared else ""
    return (
        f"{name}: the rows add up to {_kib(summed)}, the listing states {_kib(stated)}"
        f" ({_kib(abs(difference))} {'more' if difference > 0 else 'less'}{hint})"
    )


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB"
