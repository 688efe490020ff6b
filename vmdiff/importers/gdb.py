"""Read gdb's ``info proc mappings``, and the ``vmmap`` of pwndbg, gef and peda.

Facts: gdb's ``linux-tdep.c`` and ``fbsd-tdep.c`` (7.0 has no permissions and writes a bare ``0`` as offset;
12 brings ``Perms``, 16 a left-aligned table whose rows end in blanks; of a core file it lists what the
note NT_FILE tells, ends not rounded to pages). All are tables: the header says which column is where;
pwndbg's had none before 2022.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from vmdiff.importers.draft import TRUNCATED, Draft
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import hexadecimal
from vmdiff.importers.pasted.lines import Line, is_elision
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Kind, Mapping, Process, Snapshot, kind_of
from vmdiff.model.mapping import ADDRESS_LIMIT

EXPECTED = "START END SIZE OFFSET [PERMS] [FILE], as the header above names them"

_COLUMNS = {
    "start": "start",
    "end": "end",
    "size": "size",
    "offset": "offset",
    "perms": "perms",
    "perm": "perms",
    "prot": "perms",
    "flags": "perms",
    "objfile": "path",
    "file": "path",
    "path": "path",
    "name": "path",
}
_GDB = ("start", "end", "size", "offset", "path")
_PWNDBG = ("start", "end", "perms", "size", "offset", "path")
_PEDA = ("start", "end", "perms", "path")

_ADDRESS = re.compile(r"(?:0x)?[0-9a-f]{3,16}", re.IGNORECASE)
_PERMS = re.compile(r"[r-][w-][x-][sp-]?")
_FREEBSD_FLAGS = re.compile(r"[CNSDUGW-]{2,8}")
_PROCESS = re.compile(r"process ([0-9]{1,10})")
_FACT = re.compile(r"(exe|cmdline|cwd) = '(.*)'")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_POINTER = re.compile(r"[►▸→>*-]{1,4}\s{1,10}(?=0x)")
_HIGHLIGHT = re.compile(r" [+-]0x[0-9a-f]{1,16}$")
_TITLE = "Mapped address spaces:"
_NOTHING = frozenset({"mapped", "<anonymous>", "[anonymous]"})  # peda's and others' word for no name
_LEGEND = re.compile(r"LEGEND: STACK|\[ Legend: ")
_LEFT_OUT = re.compile(r"[~.\s]{3,40}")
_MADE_UP = re.compile(r"\[(?:anon|pt)_[0-9a-f]{1,16}\]|<explored>|<qemu(?:_.{1,40})?>")


class _TableRow(NamedTuple):
    start: int
    end: int
    size: int | None
    offset: int | None
    perms: str
    path: str | None


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the listings; without title and header only rows that gdb's columns fit make one."""
    return [(first, stop) for first, stop in find_sections(lines, _mark) if _is_ours(lines[first:stop])]


def _is_ours(lines: Sequence[Line]) -> bool:
    texts = [_plain(line.text) for line in lines]
    if any(text.startswith(_TITLE) or _header(text) for text in texts):
        return True
    rows = (row for text in texts if (row := _row(text, _guess(text))))
    return any(row.size == row.end - row.start for row in rows)


def _mark(text: str) -> Mark | None:
    """Return the role of a line in a listing of this format."""
    text = _plain(text)
    if text.startswith(_TITLE) or _header(text) or _PROCESS.fullmatch(text) or _LEGEND.match(text):
        return Mark(LineRole.BEGIN)
    if _FACT.fullmatch(text) or (text and _is_gap(text)):
        return Mark(LineRole.MORE)
    words = text.split(None, 5)[:5]
    start, end = [_number(word) if word.startswith("0x") else None for word in [*words, "", ""][:2]]
    if start is None or end is None or start >= end:
        return None
    told = any(_PERMS.fullmatch(word) for word in words[2:]) or all(map(_is_hex, words[2:4]))
    return Mark(LineRole.ROW, start) if told and len(words) > 2 else None


def _is_hex(word: str) -> bool:
    return hexadecimal(word) is not None


def _is_gap(text: str) -> bool:
    return is_elision(text) or _LEFT_OUT.fullmatch(text) is not None


def _guess(text: str) -> tuple[str, ...]:
    """Return the columns of a table without a header, inferred from one of its rows."""
    words = text.split(None, 5)
    if len(words) < 3 or not _PERMS.fullmatch(words[2]):
        return _GDB
    return _PWNDBG if len(words) > 4 and all(map(_is_hex, words[3:5])) else _PEDA


def parse(section: Section) -> Snapshot:
    """Read the table.

    Raises:
        ListingError: mappings overlap, or no line is a row.
    """
    draft = Draft(section, "gdb")
    columns: Sequence[str] = ()
    titled, partly, disagreeing = False, False, []
    facts: dict[str, str] = {}
    for line in section.lines:
        text = _plain(line.text)
        if header := _header(text):
            columns = header
            draft.know(line)
        elif (row := _row(text, columns or _guess(text))) is not None:
            columns = columns or _guess(text)
            partly = partly or _HIGHLIGHT.search(text) is not None
            _check(section, line, row)
            if row.size not in (None, row.end - row.start):
                disagreeing.append(line.number)
            draft.add(line, _mapping(row))
        elif text.startswith(_TITLE):
            titled = True
            draft.know(line)
        else:
            _fact(draft, line, text, facts)
    if disagreeing:
        draft.doubt("the size is not the end minus the start; the addresses were taken", disagreeing)
    if partly:
        draft.doubt("of an address that was asked for: only the mappings around it are listed")
    _forget_permissions_of_core(draft)
    _say_what_is_missing(draft, columns, core=titled and "pid" not in facts)
    draft.process = Process(pid=int(facts["pid"]) if "pid" in facts else None, executable=facts.get("exe"))
    _name_images(draft, columns, facts.get("exe"))
    return draft.snapshot(EXPECTED, kinds="perms" in columns)


def _plain(text: str) -> str:
    """Take off colours, and the arrow before the row that holds an address asked for."""
    text = _COLOUR.sub("", text) if "\x1b" in text else text
    text = text.strip()
    if text.startswith("►x"):  # it may take the place of the 0
        return f"0{text[1:]}"
    return _POINTER.sub("", text)


def _header(text: str) -> tuple[str, ...]:
    """Return the columns that a header names; nothing if it is none."""
    words = text.lower().replace("addr", "").split()
    found = tuple(dict.fromkeys(_COLUMNS[word] for word in words if word in _COLUMNS))
    return found if found[:2] == ("start", "end") and len(text) < 200 and len(found) > 2 else ()


def _row(text: str, columns: Sequence[str]) -> _TableRow | None:
    words = text.split(None, len(columns) - 1)
    cells = dict(zip(columns, words, strict=False))
    start, end = _number(cells.get("start", "")), _number(cells.get("end", ""))
    needed = columns[:-1] if columns[-1] == "path" else columns
    if start is None or end is None or any(name not in cells for name in needed):
        return None
    perms, path = cells.get("perms", ""), cells.get("path", "")
    if "perms" in columns and not _PERMS.fullmatch(perms):
        return None
    size = hexadecimal(cells["size"]) if "size" in cells else None
    offset = hexadecimal(cells["offset"]) if "offset" in cells else None
    if ("size" in columns and size is None) or ("offset" in columns and not _is_offset(offset)):
        return None
    return _TableRow(start, end, size, offset, _permissions(perms), path.strip() or None)


def _is_offset(number: int | None) -> bool:
    return number is not None and number < ADDRESS_LIMIT


def _number(text: str) -> int | None:
    return hexadecimal(text) if _ADDRESS.fullmatch(text) else None


def _permissions(text: str) -> str:
    if not text:
        return "????"
    return text[:3] + (text[3] if text[3:] in {"s", "p"} else "?")


def _check(section: Section, line: Line, row: _TableRow) -> None:
    if row.start >= row.end:
        raise section.refusal(line, "a range that ends above its start")


def _mapping(row: _TableRow) -> Mapping:
    path, deleted = row.path, False
    if path is not None:
        flags, _, rest = path.partition(" ")
        if _FREEBSD_FLAGS.fullmatch(flags):
            path = rest.strip() or None
    if path is not None:
        path = _HIGHLIGHT.sub("", path)
        if path in _NOTHING or _MADE_UP.fullmatch(path):
            path = None
    if path is not None and path.endswith(" (deleted)"):
        path, deleted = path.removesuffix(" (deleted)"), True
    return Mapping(
        row.start,
        row.end,
        row.perms,
        offset=row.offset,
        device=None,
        inode=None,
        path=path,
        deleted=deleted,
    )


def _fact(draft: Draft, line: Line, text: str, facts: dict[str, str]) -> None:
    if found := _PROCESS.fullmatch(text):
        facts.setdefault("pid", found[1])
        draft.know(line)
    elif found := _FACT.fullmatch(text):
        facts.setdefault(found[1], found[2])
        draft.know(line)
    elif _LEGEND.match(text):
        draft.know(line)
    elif text and _is_gap(text):
        draft.doubt(TRUNCATED, [line.number])
    elif text.startswith("0x") and (line.text.strip() and len(text.split()) > 1):
        draft.could_not_read(line)


def _forget_permissions_of_core(draft: Draft) -> None:
    """Make permissions unknown that say only what a core file holds: no process runs without code.

    gcore leaves out what no debugger needs, such as the code of libraries, and pwndbg shows that as ``---p``.
    """
    perms = [row.mapping.perms for row in draft.rows]
    files = [row.mapping for row in draft.rows if row.mapping.path and row.mapping.perms.startswith("---")]
    if not files or any(each[2] in "x?" for each in perms):
        return
    draft.rows = [
        row._replace(mapping=row.mapping._replace(perms="???" + row.mapping.perms[3]))
        if row.mapping.perms.startswith("---")
        else row
        for row in draft.rows
    ]
    draft.doubt("no row is executable, as in a core that holds a part only: --- is taken for unknown there")


def _say_what_is_missing(draft: Draft, columns: Sequence[str], *, core: bool) -> None:
    named = [row.mapping.path for row in draft.rows]
    if "perms" not in columns:
        draft.doubt("the listing tells no permissions")
    if core and named and None not in named and not any((name or "").startswith("[") for name in named):
        draft.doubt("of a core file: only mappings of files are listed")


def _name_images(draft: Draft, columns: Sequence[str], executable: str | None) -> None:
    """Where nothing tells what is executable, take files mapped in several pieces for images."""
    if "perms" in columns:
        return
    pieces: dict[str, int] = {}
    for row in draft.rows:
        if row.mapping.path is not None:
            pieces[row.mapping.path] = pieces.get(row.mapping.path, 0) + 1
    for index, row in enumerate(draft.rows):
        kind = kind_without_permissions(row.mapping.path, pieces, executable)
        draft.rows[index] = row._replace(mapping=row.mapping._replace(kind=kind))


def kind_without_permissions(path: str | None, pieces: dict[str, int], executable: str | None = None) -> Kind:
    """Name what backs a mapping whose permissions are unknown.

    A loader maps an executable or library in several *pieces*; data files are mapped whole.
    """
    image = path is not None and (path == executable or pieces.get(path, 0) > 1)
    return kind_of(path, "????", image=image)


FORMAT = TextFormat(
    "gdb",
    hint=re.compile(r"Mapped address spaces:|Start(?: Addr)?\s{1,40}End|0x[0-9a-f]{1,16}\s{1,20}0x[0-9a-f]"),
    mark=_mark,
    parse=parse,
    find=find,
)
