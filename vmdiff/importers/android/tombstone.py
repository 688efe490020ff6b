"""Read the memory map of an Android tombstone (``debuggerd``, logcat's crash dump).

Facts: ``debuggerd/libdebuggerd/tombstone.cpp`` and, since Android 12, ``tombstone_proto_to_text.cpp``. Ends
are inclusive (``...fff``); older releases (4.x) print the kernel's, which are not. 64-bit addresses are split
by an apostrophe, the row of the fault address begins with ``--->``, and three letters say the permissions.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line, is_elision
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Host, Mapping, Process, Scalar, Snapshot, Thread

EXPECTED = "START-END PERMS OFFSET SIZE [PATH], ends inclusive"

_TITLE = re.compile(
    r"memory map(?: around fault addr [0-9a-f]{1,16})?(?: \(([0-9]{1,9}) entr(?:y|ies)[^)]{0,80}\))?:"
)
_ROW = re.compile(
    r"(?:--->)?\s{0,20}([0-9a-f']{8,17})-([0-9a-f']{8,17})"
    r"(?: ([r-][w-][x-])(?: {1,20}([0-9a-f]{1,16}) {1,20}([0-9a-f]{1,16}))?)?"
    r"(?: {1,20}(\S.*))?",
    re.DOTALL,
)
_FAULT = re.compile(r"--->\s{0,4}Fault address falls|\(no map (?:for|above|below)")
_BUILD_ID = re.compile(r"\(BuildId: ([0-9a-f]{2,128})\)")
_LOAD_BIAS = re.compile(r"\(load (?:bias|base) (0x[0-9a-f]{1,16})\)")  # Android 6 to 8 say base
_PERSON = re.compile(
    r"pid: ([0-9]{1,10}), tid: ([0-9]{1,10})(?:, name: (.{1,64}?))?\s{1,4}>>> (.{1,300}?) <<<"
)
_FACT = re.compile(r"(ABI|Timestamp|Build fingerprint|Cmdline): '?(.{1,300}?)'?")
# What logcat puts before each line, in its brief and its threadtime form.
_LOGCAT = re.compile(
    r"(?:[0-9-]{5,10} [0-9:.]{8,18}\s{1,8}[0-9]{1,7}\s{1,8}[0-9]{1,7} )?"
    r"[VDIWEFA][ /](?:DEBUG|crash_dump\S{0,8})\s{0,8}(?:\([ 0-9]{1,9}\))?\s{0,4}[:\N{SMALL COLON}] ?"
)
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})(?:\.[0-9]{1,9})?([+-][0-9]{4})")
_BANNER = re.compile(r"(?:\*\*\* ){8,}|(?:--- ){8,}")


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the maps, each with the facts above it."""
    return [
        (first, stop)
        for first, stop in find_sections(lines, _mark)
        if any(_is_ours(_plain(line.text)) for line in lines[first:stop])
    ]


def _is_ours(text: str) -> bool:
    return bool(_TITLE.match(text)) or "'" in text[:24]


def _mark(text: str) -> Mark | None:
    text = _plain(text)
    if text.startswith("*** *** *** "):
        return Mark(LineRole.BEGIN)
    if found := _ROW.fullmatch(text):
        return Mark(LineRole.ROW, _address(found[1])) if _address(found[1]) is not None else None
    if _TITLE.match(text) or _FAULT.match(text) or _PERSON.match(text) or _FACT.fullmatch(text):
        return Mark(LineRole.MORE)
    return None


def _plain(text: str) -> str:
    """Take off what logcat put before a line, and the indentation after that."""
    found = _LOGCAT.match(text)
    return text[found.end() :].strip() if found else text


def _address(text: str) -> int | None:
    return hexadecimal(text.replace("'", ""))


def parse(section: Section) -> Snapshot:
    """Read the map.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "tombstone")
    stated: int | None = None
    open_ends: list[int] = []
    facts: dict[str, str] = {}
    started = over = False  # whether the map has begun, and has ended
    for line in section.lines:
        text = _plain(line.text)
        over = over or (started and _BANNER.match(text) is not None)
        if not over and (row := _ROW.fullmatch(text)) is not None:
            started = True
            _add(draft, line, row, open_ends)
        elif title := _TITLE.match(text):
            stated, started = int(title[1]) if title[1] else None, True
            draft.know(line)
            if "around" in title[0]:
                draft.doubt("only the mappings around the fault address are listed", [line.number])
        else:
            _fact(draft, line, text, facts, listed=started and not over)
    closed = len(draft.rows) - len(open_ends)
    if closed:
        draft.doubt(f"ends are inclusive in this format: {closed:,} of them were raised by one")
    if stated is not None and stated != len(draft.rows):
        draft.doubt(f"the listing counts {stated:,} entries, its rows are {len(draft.rows):,}")
    draft.host = Host(system="Android", machine=facts.get("ABI"))
    return draft.snapshot(EXPECTED).model_copy(update={"taken_at": _time(facts.get("Timestamp"))})


def _add(draft: Draft, line: Line, row: re.Match[str], open_ends: list[int]) -> None:
    start, last = _address(row[1]), _address(row[2])
    if start is None or last is None or start >= last:
        draft.could_not_read(line)
        return
    inclusive = last & 0xFFF == 0xFFF or (row[5] is not None and last + 1 - start == int(row[5], 16))
    end = last + 1 if inclusive else last
    if not inclusive:
        open_ends.append(line.number)
    if row[5] is not None and int(row[5], 16) != end - start:
        draft.doubt("the size is not that of the addresses, which were taken", [line.number])
    path, build_id, values = _name(row[6])
    if path == ">" and draft.rows:  # xCrash writes so where the name is that of the row above
        above = draft.rows[-1].mapping
        path = f"{above.path} (deleted)" if above.deleted and above.path else above.path
    draft.attributes.update(dict.fromkeys(values))
    deleted = path is not None and path.endswith(" (deleted)")
    draft.add(
        line,
        Mapping(
            start,
            end,
            (row[3] or "???") + "?",
            offset=int(row[4], 16) if row[4] else None,
            device=None,
            inode=None,
            path=path.removesuffix(" (deleted)") if path else None,
            deleted=deleted,
            build_id=build_id,
            values=values,
        ),
    )


def _name(text: str | None) -> tuple[str | None, str | None, dict[str, Scalar]]:
    """Take a row's name apart: path, build ID, and the distance its program was linked for."""
    text = text or ""
    values: dict[str, Scalar] = {}
    if bias := _LOAD_BIAS.search(text):
        values["load_bias"] = bias[1]
        text = text[: bias.start()] + text[bias.end() :]
    build_id = None
    if found := _BUILD_ID.search(text):
        build_id = found[1] if len(found[1]) % 2 == 0 else None
        text = text[: found.start()] + text[found.end() :]
    return text.strip() or None, build_id, values


def _fact(draft: Draft, line: Line, text: str, facts: dict[str, str], *, listed: bool) -> None:
    """Read a line that is no row; all around the map are registers, backtraces and stacks of the report."""
    if found := _PERSON.match(text):
        thread = Thread(tid=int(found[2]), name=found[3])
        known = draft.process
        if known.pid in {None, int(found[1])}:
            threads = {each.tid: each for each in (*(known.threads or ()), thread)}
            draft.process = Process(
                pid=int(found[1]), name=known.name or found[4], threads=tuple(threads.values())
            )
    elif found := _FACT.fullmatch(text):
        facts.setdefault(found[1], found[2])
    row = _ROW.fullmatch(text)
    if row is not None and row[3]:  # of a map, but not within one
        return
    if not is_elision(text) and (not listed or _FAULT.match(text) or _PERSON.match(text)):
        draft.know(line)


def _time(text: str | None) -> datetime | None:
    """Read ``2024-05-12 10:11:12.123456789+0200``; the fraction is missing in older releases."""
    found = _TIME.fullmatch(text or "")
    try:
        return datetime.strptime(f"{found[1]}{found[2]}", "%Y-%m-%d %H:%M:%S%z") if found else None
    except ValueError:
        return None


FORMAT = TextFormat(
    "tombstone",
    hint=re.compile(r"memory map(?: \(| around|:)|[0-9a-f]{8}'[0-9a-f]{8}-[0-9a-f]{8}'"),
    mark=_mark,
    parse=parse,
    find=find,
    embeds=("maps or smaps",),
)
