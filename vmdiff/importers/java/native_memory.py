"""Read ``jcmd PID VM.native_memory``: the ranges of ``detail``, else the totals by category.

Facts: HotSpot's ``services/memReporter.cpp`` (``nmt/`` since JDK 22). A range is reserved for one category;
committed ranges inside it follow, indented, all with the stack that asked for them. What is reserved and not
committed is mapped without access (``os::reserve_memory`` maps PROT_NONE). Sizes are whole units of KB, MB or
GB as chosen with ``scale``. A diff shows each number with its change, and no ranges (see
`vmdiff.importers.pasted.diff_sides`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line, is_elision
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Kind, Mapping, Owner, Process, Scalar, Snapshot, owner

EXPECTED = "[START - END] reserved SIZE for CATEGORY from"

_CATEGORIES = {
    "Java Heap": "jvm heap",
    "Class": "jvm class space",
    "Metaspace": "jvm metaspace",
    "Thread": "thread stack",
    "Thread Stack": "thread stack",
    "Code": "jvm code cache",
    "GC": "jvm gc",
    "GCCardSet": "jvm gc",
    "Shared class space": "jvm cds",
}
_UNITS = {"B": 0, "KB": 10, "MB": 20, "GB": 30, "": 0}

_TITLE = re.compile(r"Native Memory Tracking:")
_PID = re.compile(r"([0-9]{1,10}):")
_MAP = re.compile(r"Virtual memory map:")
_RANGE = re.compile(
    r"\[(0x[0-9a-f]{1,16}) - (0x[0-9a-f]{1,17})\] "
    r"(reserved and committed|reserved|committed) ([0-9]{1,16})([KMG]?B)"
    r"(?: for (.{1,60}?))?(?: from)?\s*"
)
_LIKE_RANGE = re.compile(r"\[0x[0-9a-f]{1,16} - ")
_FRAME = re.compile(r"\[0x[0-9a-f]{1,16}\] ?")
_TOTAL = re.compile(r"Total:\s+reserved=([0-9]{1,16})([KMG]?B),\s+committed=([0-9]{1,16})([KMG]?B).{0,400}")
_CATEGORY = re.compile(
    r"-? *(\S.{0,60}?) \(reserved=([0-9]{1,16})([KMG]?B), +committed=([0-9]{1,16})([KMG]?B)"
    r"(?:, readonly=.{0,400})?\).{0,400}"
)
_OTHER = re.compile(
    r"[(:<-]|malloc: |mmap: |Details:|Preinit state:|tracking overhead"
)  # at the start of a line
_PARTS = re.compile(r"\((?:malloc|arena|mmap|tracking)\b|(?:used|waste|free)=")  # anywhere in one


_LONGEST = 400  # characters of a line that are looked at


class _TrackedRange(NamedTuple):
    line: Line
    start: int
    end: int
    state: str
    category: str


def _mark(text: str) -> Mark | None:
    if _TITLE.fullmatch(text):
        return Mark(LineRole.BEGIN, once="title")
    if found := _RANGE.fullmatch(text):
        start = hexadecimal(found[1]) if "reserved" in found[3] else None
        return Mark(LineRole.ROW, start)
    if _TOTAL.fullmatch(text):
        return Mark(LineRole.ROW)
    return (
        Mark(LineRole.MORE)
        if _LIKE_RANGE.match(text) or _MAP.fullmatch(text) or _CATEGORY.fullmatch(text)
        else None
    )


def _find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the reports, each with the pid above and its call sites below."""
    found = find_sections(lines, _mark)
    ends = [*(first for first, _ in found[1:]), len(lines)][: len(found)]
    return [
        (_with_pid(lines, first), max(stop, _last_frame(lines, stop, end)))
        for (first, stop), end in zip(found, ends, strict=True)
    ]


def _with_pid(lines: Sequence[Line], first: int) -> int:
    above = next((i for i in range(first - 1, max(first - 4, -1), -1) if lines[i].text.strip()), first)
    return above if _PID.fullmatch(lines[above].text.strip()) else first


def _last_frame(lines: Sequence[Line], stop: int, end: int) -> int:
    while stop < end and (not lines[stop].text.strip() or _is_known(lines[stop].text)):
        stop += 1
    return stop


def _is_known(text: str) -> bool:
    text = text.strip()
    return bool(_FRAME.match(text) or _OTHER.match(text) or _PARTS.search(text[:_LONGEST]))


def parse(section: Section) -> Snapshot:
    """Read the ranges, or the categories of a report without any.

    Raises:
        ListingError: ranges overlap, or no line is one.
    """
    draft = Draft(section, "native-memory")
    ranges, categories = [], []
    for line in section.lines:
        text = line.text.strip()
        if found := _RANGE.fullmatch(text):
            ranges.append(_TrackedRange(line, int(found[1], 16), int(found[2], 16), found[3], found[6] or ""))
        elif found := _CATEGORY.fullmatch(text):
            categories.append((line, found))
            draft.know(line)
        else:
            _fact(draft, line, text)
    if ranges:
        _by_range(draft, ranges)
    else:
        _by_category(draft, categories)
    draft.doubt("only what HotSpot tracks is listed: no libraries, no memory of native code")
    return draft.snapshot(EXPECTED, kinds=False)


def _fact(draft: Draft, line: Line, text: str) -> None:
    if found := _PID.fullmatch(text):
        draft.process = Process(pid=int(found[1]))
    elif found := _TOTAL.fullmatch(text):
        draft.rollup["nmt_reserved"] = _bytes(found[1], found[2])
        draft.rollup["nmt_committed"] = _bytes(found[3], found[4])
    elif _LIKE_RANGE.match(text):
        draft.could_not_read(line)
        return
    elif is_elision(text) or not (_TITLE.fullmatch(text) or _MAP.fullmatch(text) or _is_known(text)):
        return
    draft.know(line)


def _by_range(draft: Draft, ranges: Sequence[_TrackedRange]) -> None:
    reserved: _TrackedRange | None = None
    committed: list[_TrackedRange] = []
    for each in ranges:
        if each.start >= each.end:
            draft.could_not_read(each.line)
        elif "reserved" in each.state:
            _split(draft, reserved, committed)
            reserved, committed = each, []
        elif reserved is None or not reserved.start <= each.start < each.end <= reserved.end:
            draft.could_not_read(each.line)
        else:
            committed.append(each)
    _split(draft, reserved, committed)


def _split(draft: Draft, reserved: _TrackedRange | None, committed: Sequence[_TrackedRange]) -> None:
    """Add a reserved range as what of it is committed and what is not; touching committed parts are one."""
    if reserved is None:
        return
    whose = _owner(reserved.category)
    for each in committed:
        draft.know(each.line)
    if reserved.state == "reserved and committed":
        committed = [reserved]
    at = reserved.start
    for start, end, line in _joined(committed):
        if at < start:
            draft.add(reserved.line, _mapping(at, start, "---?", Kind.RESERVED, whose))
        draft.add(line, _mapping(start, end, "????", Kind.ANONYMOUS, whose))
        at = end
    if at < reserved.end:
        draft.add(reserved.line, _mapping(at, reserved.end, "---?", Kind.RESERVED, whose))
    draft.know(reserved.line)


def _joined(committed: Sequence[_TrackedRange]) -> Iterator[tuple[int, int, Line]]:
    held: tuple[int, int, Line] | None = None
    for each in sorted(committed, key=lambda each: each.start):
        if held is not None and each.start <= held[1]:
            held = held[0], max(held[1], each.end), held[2]
            continue
        if held is not None:
            yield held
        held = each.start, each.end, each.line
    if held is not None:
        yield held


def _mapping(start: int, end: int, perms: str, kind: Kind, whose: Owner | None) -> Mapping:
    return Mapping(start, end, perms, kind, None, None, None, owner=whose)


def _by_category(draft: Draft, categories: Sequence[tuple[Line, re.Match[str]]]) -> None:
    draft.counters["committed"] = None
    for line, found in categories:
        values: dict[str, Scalar] = {
            "size": _bytes(found[2], found[3]),
            "committed": _bytes(found[4], found[5]),
        }
        mapping = Mapping(
            None, None, "????", Kind.ANONYMOUS, None, None, None, owner=_owner(found[1]), values=values
        )
        draft.add(line, mapping)
    draft.doubt("totals by category, malloc included, without addresses")


def _owner(category: str) -> Owner | None:
    if not category:
        return None
    name = _CATEGORIES.get(category, "jvm internal")
    evidence = f"native memory tracking names it {category}"
    return owner(name, "name", evidence, label=category)


def _bytes(number: str, unit: str) -> int:
    return int(number) << _UNITS[unit]


FORMAT = TextFormat(
    "native-memory",
    hint=re.compile(
        r"Native Memory Tracking:|Total:\s+reserved="
        r"|\] (?:reserved|committed|reserved and committed) [0-9]{1,16}[KMG]?B"
    ),
    mark=_mark,
    parse=parse,
    find=_find,
)
