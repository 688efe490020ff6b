"""Read the map in what glibc before 2.26 wrote when it found the heap corrupt (``*** Error in ...``).

Facts: glibc's ``debug/backtracesymsfd.c`` and ``sysdeps/unix/sysv/linux/libc_fatal.c``: a backtrace, then
``======= Memory map: ========`` and a plain copy of ``/proc/self/maps``, often cut where a post ended.
"""

import re
from collections.abc import Sequence

from vmdiff.importers.draft import Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.pasted.lines import Line, is_elision
from vmdiff.importers.procfs.kernel_row_text import EXPECTED
from vmdiff.importers.procfs.maps_row import is_beginning, kernel_row
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import Process, Snapshot

_TITLE = re.compile(r"={5,9} Memory map: ={5,9}")
_REPORT = re.compile(
    r"\*\*\\?\* (?:(?:glibc detected \*\*\\?\* |Error in [`'\"])(.{1,4096}?)['\"]?: "
    r"|(?:stack smashing|buffer overflow) detected \*\*\*: (.{1,4096}?) terminated)"
)
_REACH = 400  # lines of backtrace between the report and its map


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the maps, each with the report above it."""
    found = []
    report = floor = 0
    for index, line in enumerate(lines):
        if index < floor:
            continue
        if _REPORT.search(line.text[:5000]):
            report = index + 1
        elif _TITLE.search(line.text[:200]):
            floor = _end(lines, index + 1)
            first = report - 1 if report and index - report < _REACH else index
            found.append((first, floor))
            report = 0
    return found


def _end(lines: Sequence[Line], index: int) -> int:
    """Return the index after the last line of a map that starts at *index*."""
    while index < len(lines):
        text = lines[index].text
        if kernel_row(text) is None and not (text and is_elision(text)):
            return index + is_beginning(text)
        index += 1
    return index


def parse(section: Section) -> Snapshot:
    """Read the map.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "glibc-abort")
    for line in section.lines:
        if (mapping := kernel_row(line.text)) is not None:
            draft.add(line, mapping)
        elif found := _REPORT.search(line.text[:5000]):
            draft.process = Process(name=(found[1] or found[2]).strip().rpartition("/")[2] or None)
            draft.know(line)
        elif draft.rows and is_beginning(line.text):
            draft.doubt("cut off in the middle of a row", [line.number])
        elif not draft.rows and not is_elision(line.text):  # the report's backtrace and title
            draft.know(line)
    if not draft.rows:
        raise section.refusal(section.lines[-1], f"a map after its title: {EXPECTED}")
    return draft.snapshot(EXPECTED)


def _mark(text: str) -> Mark | None:
    """Return the role of a line that only such a report has; its rows are those of ``maps``."""
    return Mark(LineRole.BEGIN) if _TITLE.search(text[:200]) else None


FORMAT = TextFormat(
    "glibc-abort",
    hint=re.compile(r"={5,9} Memory map: ={5,9}"),
    mark=_mark,
    parse=parse,
    find=find,
    embeds=("maps or smaps",),
)
