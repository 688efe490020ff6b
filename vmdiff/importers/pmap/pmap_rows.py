"""``pmap`` of procps: plain, ``-x``, ``-d``, ``-X``, ``-XX``, with ``-p``, ``-k`` or ``-q``, in any language.

BusyBox's and toybox's are read too: they show Pss and Swap, and the kernel's names.

A row is told by its shape, a column by its header: the kernel's keys are never translated, other words are.

Facts: ``pmap.c`` of procps 3.2.8, 3.3.10 and 4.0.4. This of what it prints is not so:

- A row of ``-x`` is printed at each line of smaps that starts with ``Swap``: up to 3.3.12 that is twice since
  Linux 4.3, the second time with zeros, and never before Linux 2.6.26.
- Names are base names but for ``-p`` and the plain listing of 3.2. What has none, the heap and the vdso
  too, is ``[ anon ]`` but for ``-k``, ``-X`` and ``-XX``.
- The totals of ``-X`` and ``-XX`` add up page sizes too.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from vmdiff.importers.draft import Draft, amount_of
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import kilobytes, whole
from vmdiff.importers.pasted.lines import Line, is_elision, printable
from vmdiff.importers.pasted.prefixes import at_line_start
from vmdiff.importers.pmap.inferred_owners import with_owners
from vmdiff.importers.procfs.fast_reader import snake_case
from vmdiff.importers.procfs.kernel_row_text import name_of
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import KNOWN_COUNTERS, PAGE_SIZES, Mapping, Process, Scalar, Snapshot
from vmdiff.model.mapping import ADDRESS_LIMIT

EXPECTED = "ADDRESS SIZE MODE [MAPPING], a row of pmap"

# Where the translation of "Address" is longer than an address in bytes, procps pads with more zeros.
_ADDRESS = r"(0{0,40}[0-9a-fA-F]{6,16})"
_OFFSET = r"(0{0,40}[0-9a-f]{8,16})"
# procps: rws- and rwx-R; SUSE: rw-p-; Solaris: rwxsR, with a blank for a letter it lacks.
# NetBSD's, and Solaris's before 9: read/write/exec.
_WORDS = r"(?:read|write|exec|shared|none)(?:/(?:read|write|exec|shared)){0,3}"
_MODE = rf"([r-][w-][x-](?:[sp-][R-]|[psR-])-?|{_WORDS})"
_NUMBER = r"(?:[0-9]{1,20}|-)"
_PLAIN = re.compile(rf"{_ADDRESS}\s+([0-9]{{1,20}}K)\s+{_MODE}(?:\s+(.*))?", re.DOTALL)
_PAGES = r"(?:\s+[0-9]{1,6}[KMG])?"  # Solaris, with -s
_EXTENDED = re.compile(rf"{_ADDRESS}((?:\s+{_NUMBER}){{3,6}}){_PAGES}\s+{_MODE}(?:\s+(.*))?", re.DOTALL)
_DEVICE = re.compile(
    rf"{_ADDRESS}\s+([0-9]{{1,20}}K?)\s+{_MODE}\s+{_OFFSET}\s+"
    r"([0-9a-f]{2,8}:[0-9a-f]{2,8})(?:\s+(.*))?",
    re.DOTALL,
)
# SUSE Linux Enterprise 11 and 12 wrote a pmap of their own: its -d is a table of everything in K.
_SUSE = re.compile(
    rf"{_ADDRESS}((?:\s+(?:[0-9]{{1,20}}K|-)){{2,6}})\s+([r-][w-][x-][ps])"
    rf"(?:\s+{_OFFSET}\s+([0-9a-f]{{2,8}}:[0-9a-f]{{2,8}}))?(?:\s+(.*))?",
    re.DOTALL,
)
_SUSE_TOTALS = re.compile(r"Total:((?:\s+[0-9]{1,20}K){1,6})\s*")
_SUSE_SHARES = re.compile(r"[0-9]{1,20}K writable-private, [0-9]{1,20}K readonly-private, .{1,80}")
_WIDE = re.compile(
    rf"{_ADDRESS}\s+[r-][w-][x-][ps]\s+[0-9a-f]{{8,16}}\s+[0-9a-f]{{2,8}}:[0-9a-f]{{2,8}}\s+[0-9]{{1,20}}\s+[0-9]+\b"
)
_CHOSEN = re.compile(rf"{_ADDRESS}(?:\s+\S+){{0,5}}?\s+[0-9]{{1,20}}(?:\s|$)")  # columns chosen with -c or -f
_TITLE = re.compile(r"([0-9]{1,10}):\s{1,8}(?=\S)(.*)", re.DOTALL)
_TOTAL = re.compile(r"[^\W\d_]{2,30}\s+([0-9]{1,20})(?:\s?[KkКк]|კ)\s*")
_TOTALS = re.compile(
    rf"[^\d:]{{0,40}}?\b(?:kB|KB|ko|кБ|კბ|total)\b[^\d:]{{0,40}}?((?:\s+{_NUMBER}){{2,5}})\s*"
)
_WIDE_TOTALS = re.compile(r"((?:[0-9]{1,20}\s+){1,60})K[Bb]\s*")
_AMOUNT = r"[^\d]{1,60}?([0-9]{1,20})\s?[KkКк]\b"
_DEVICE_TOTALS = re.compile(rf"{_AMOUNT}\s+{_AMOUNT}\s+{_AMOUNT}\s*")
_KILO = "KkКкკ"
_STARTS_WITH_ADDRESS = re.compile(rf"{_ADDRESS}\s")
_RULER = re.compile(r"[-=]{4,}(?:\s+[-=]+){0,60}\s*")
_NEARLY = re.compile(
    r"[0-9a-fA-F]{8,16}\s+[0-9]{1,20}\s?K?\s+(?:\S*[r-][w-]|read|write)|[0-9a-f]{8,16}\s+[0-9]{1,20}K?(?:\s+[0-9]{1,20}){0,6}\s*$"
)
_ANY_ROW = (_PLAIN, _EXTENDED, _DEVICE, _SUSE)

_BRACKETED = re.compile(r"\[ {1,2}(\S.{0,30}?) {1,2}\](.*)", re.DOTALL)
_SHARED_MEMORY_ID = re.compile(r"shmid=0x([0-9a-f]{1,16})")
_STACK = frozenset({"stack", "pila", "pile", "stos", "pilha", "stivă", "стек", "ngăn xếp", "stapel"})
_DELETED = " (deleted)"
# What the kernel has no directory for: there its base name says all.
_KERNELS_OWN = re.compile(
    r"memfd:.*|SYSV[0-9a-f]{8}|zero|\[aio\]|anon_hugepage|drm mm object|i915", re.DOTALL
)
_VSYSCALL = 0xFFFFFFFFFF600000
_FLAG = re.compile(r"[a-z?]{2}")
_NO_UNIT = frozenset({"thp_eligible", "protection_key"})
_UNIMPORTANT = frozenset(  # to -X
    {"anon_huge_pages", "shared_dirty", "private_dirty", "shared_clean", "private_clean", *PAGE_SIZES}
)
_ALWAYS_FIRST = ("size", "rss", "pss")  # columns of -X without a header
_KEYS = frozenset({"size", *KNOWN_COUNTERS, *PAGE_SIZES, *_NO_UNIT})
_PAGE_SIZE = "page size"
_EXTENDED_WORDS = {
    "RSS": "rss",
    "PSS": "pss",
    "Dirty": "dirty",
    "Anon": "anonymous",
    "Locked": "locked",
    "Swap": "swap",
    "Pgsz": _PAGE_SIZE,
}
_TOTALLED = frozenset({"size", "dirty", "writable_private", "shared"})
_DIGITS = re.compile(r"[:0-9]")
_WITHOUT_HEADER = {2: ("rss", "dirty"), 3: ("rss", "anonymous", "locked"), 4: ("rss", "pss", "dirty", "swap")}
_LONGEST_HEADER = 2000
_MOST_WORDS = 120
_ADDRESS_WORDS = frozenset(  # procps' translations of its first column
    {"Address", "Adresse", "Adresă", "Adres", "Adress", "Dirección", "Endereço", "Адреса", "地址"}
    | {"주", "Địa", "მისამართი"}
)


@dataclass(slots=True)
class _PmapRow:
    """A row, taken apart; None is what it does not tell. *values* and *size* are bytes."""

    line: Line
    start: int
    size: int | None
    perms: str
    name: str
    offset: int | None = None
    device: str | None = None
    inode: str | None = None
    flags: tuple[str, ...] | None = None
    values: dict[str, Scalar] = field(default_factory=dict)

    @property
    def is_possible(self) -> bool:
        """Whether it stays below 2**64 and could be a name of a file."""
        return self.start + (self.size or 0) <= ADDRESS_LIMIT and "\0" not in self.name


class _WideColumns(NamedTuple):
    """The numbers of ``-X`` by name, as far as the header tells; *known* of them are keys of the kernel."""

    names: tuple[str, ...]
    known: int
    flags: bool
    inode: bool


def _mark(text: str, *, chosen: bool = False) -> Mark | None:
    """Return the role of a line; *chosen* columns make a row of anything that starts like one."""
    if _STARTS_WITH_ADDRESS.match(text) and (mark := _mark_of_row(text, chosen=chosen)):
        return mark
    if _is_total(text):
        return Mark(LineRole.END, once="total")
    if _SUSE_SHARES.fullmatch(text):
        return Mark(LineRole.MORE)
    if _TITLE.fullmatch(text):
        return Mark(LineRole.BEGIN, once="title")
    if _is_header(text):
        return Mark(LineRole.BEGIN, once="header")
    return Mark(LineRole.MORE) if _NEARLY.match(text) else None


def _mark_of_row(text: str, *, chosen: bool) -> Mark | None:
    for shape in _ANY_ROW:
        if found := shape.fullmatch(text):
            return _row_mark(found[1], found[found.re.groups] or "")
    if found := _WIDE.match(text) or (_CHOSEN.match(text) if chosen else None):
        return _row_mark(found[1], text)
    return None


def _is_total(text: str) -> bool:
    if _SUSE_TOTALS.fullmatch(text):
        return True
    end = text.rstrip()[-1:] if len(text) < _LONGEST_HEADER else ""
    if end.isdigit() or end == "-":
        return bool(_TOTALS.fullmatch(text))
    if end in _KILO:
        return bool(end and (_TOTAL.fullmatch(text) or _DEVICE_TOTALS.fullmatch(text)))
    return end in {"B", "b"} and bool(_WIDE_TOTALS.fullmatch(text))


def _row_mark(address: str, name: str) -> Mark:
    start = int(address, 16)
    once = "stack" if "[stack]" in name or _is_stack(name) else ""
    return Mark(LineRole.ROW, start, "vsyscall" if start == _VSYSCALL else once)


def _find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    chosen = any(_columns(line.text) for line in lines)
    return find_sections(lines, lambda text: _mark(text, chosen=chosen))


def _is_header(text: str) -> bool:
    if len(text) > _LONGEST_HEADER or _DIGITS.search(text):
        return False
    words = text.split()
    if len(words) < 2:
        return False
    return (
        words[0] in _ADDRESS_WORDS
        or words[:2] in (["START", "SIZE"], ["Start", "Size"])  # the latter: BSDs, in Solaris's style
        or (not {"RSS", "PSS"}.isdisjoint(words) and len(words) < 10)
        or _columns(text) is not None
    )


def _columns(text: str) -> _WideColumns | None:
    """Read the header of ``-X``: words, among them keys of the kernel."""
    if len(text) > _LONGEST_HEADER or _DIGITS.search(text):
        return None
    words = text.replace("VmFlagsMapping", "VmFlags Mapping").split()  # procps 3.3.10 prints no blank there
    names = [_name_of_column(word) for word in words]
    keys = [index for index, name in enumerate(names) if name in _KEYS and words[index][0].isupper()]
    if not keys or (len(keys) < 2 and words[0] not in _ADDRESS_WORDS) or words[keys[0]].isupper():
        return None
    first, flags = keys[0], "VmFlags" in words
    names = names[first : words.index("VmFlags") if flags else None]
    return _WideColumns(tuple(names), len(keys), flags, inode=first > 4 or "Inode" in words)


def _name_of_column(word: str) -> str:
    return snake_case(word) if word.isascii() and word.isidentifier() else word


class _PmapReader:
    """Reads one listing of pmap into rows and totals."""

    def __init__(self, section: Section) -> None:
        self.draft = Draft(section, "pmap")
        self.rows: list[_PmapRow] = []
        self.totals: dict[str, int] = {}
        self.columns = next(filter(None, (_columns(line.text) for line in section.lines)), None)
        self._names = self._numbers()
        self._extended_header = _extended_header(section.lines)

    def read(self) -> None:
        for line in self.draft.section.lines:
            row = self._row(line)
            if row is not None and row.is_possible:
                self.rows.append(row)
            else:
                self._other(line)

    def _row(self, line: Line) -> _PmapRow | None:
        if self.columns or _WIDE.match(line.text):
            return self._wide(line)
        row = self._narrow(line)
        return row if row and row.size is not None else None

    def _narrow(self, line: Line) -> _PmapRow | None:
        text = line.text
        if found := _PLAIN.fullmatch(text):
            return _PmapRow(line, int(found[1], 16), kilobytes(found[2]), _perms(found[3]), found[4] or "")
        if found := _EXTENDED.fullmatch(text):
            return self._extended(line, found)
        if found := _DEVICE.fullmatch(text):
            return self._device(line, found)
        if found := _SUSE.fullmatch(text):
            return self._suse(line, found)
        return None

    def _extended(self, line: Line, found: re.Match[str]) -> _PmapRow:
        self.draft.format = "pmap-x"
        size, *numbers = found[2].split()
        values = dict(zip(self._extended_names(numbers), map(kilobytes, numbers), strict=False))
        values.pop(_PAGE_SIZE, None)
        return _PmapRow(
            line, int(found[1], 16), kilobytes(size), _perms(found[3]), found[4] or "", values={**values}
        )

    def _extended_names(self, numbers: Sequence[str]) -> tuple[str, ...]:
        """Name what follows the size: by the header, or by the number of columns, if that tells."""
        header = self._extended_header
        if len(header) == len(numbers) + 1 and _PAGE_SIZE in header:  # it has a unit, so is no number
            header = tuple(name for name in header if name != _PAGE_SIZE)
        if len(header) == len(numbers):
            return header
        return _WITHOUT_HEADER.get(len(numbers), ()) if len(numbers) in {2, 4} or "-" in numbers else ()

    def _device(self, line: Line, found: re.Match[str]) -> _PmapRow:
        self.draft.format = "pmap-d"
        address, size, mode, offset, device, name = found.groups()
        row = _PmapRow(line, int(address, 16), kilobytes(size), _perms(mode), name or "")
        row.offset, row.device = int(offset, 16), _device(device)
        return row

    def _suse(self, line: Line, found: re.Match[str]) -> _PmapRow:
        self.draft.format = "pmap-d"
        address, numbers, mode, offset, device, name = found.groups()
        size, *rest = numbers.split()
        values = dict(zip(self._extended_names(rest), map(kilobytes, rest), strict=False))
        row = _PmapRow(line, int(address, 16), kilobytes(size), _perms(mode), name or "", values={**values})
        if offset:
            row.offset, row.device = int(offset, 16), _device(device)
        return row

    def _numbers(self) -> tuple[str, ...]:
        """Name the numbers of ``-X``: by the header, or without one by what is first in every kernel."""
        columns = self.columns
        if columns is None:
            return _ALWAYS_FIRST
        if columns.flags:
            return columns.names
        counts = (self._count(line) for line in self.draft.section.lines)
        return columns.names[: min((n for n in counts if n >= columns.known), default=columns.known)]

    def _count(self, line: Line) -> int:
        """Count the numbers of a row, with those that may start its name."""
        texts = line.text.split()[:_MOST_WORDS]
        row, at = self._base(line, texts)
        return 0 if row is None else sum(1 for _ in _leading_numbers(texts[at:]))

    def _wide(self, line: Line) -> _PmapRow | None:
        """Read a row of ``-X``: what says where and what it is, numbers, flags, and the name."""
        unimportant = self.columns and (self.columns.flags or not _UNIMPORTANT.isdisjoint(self._names))
        self.draft.format = "pmap-XX" if unimportant else "pmap-X"
        words = list(islice(re.finditer(r"\S+", line.text), _MOST_WORDS))
        texts = [word[0] for word in words]
        row, at = self._base(line, texts)
        numbers = list(islice(_leading_numbers(texts[at:]), len(self._names) if self.columns else None))
        if row is None or not numbers or (self.columns and len(numbers) < len(self._names)):
            return None
        self._take_numbers(row, numbers)
        at += len(numbers)
        flags = self._flags(texts[at:], row)
        row.flags = flags or row.flags
        at += len(flags)
        row.name = line.text[words[at].start() :].rstrip() if at < len(words) else ""
        return row

    def _base(self, line: Line, texts: Sequence[str]) -> tuple[_PmapRow | None, int]:
        """Read what comes before the numbers; gives the row, and how many words that took."""
        if not texts or not re.fullmatch(_ADDRESS, texts[0]):
            return None, 0
        row, at = _PmapRow(line, int(texts[0], 16), None, "????", ""), 1
        rest = [*texts[1:5], "", "", "", ""]
        if re.fullmatch(r"[r-][w-][x-][ps]", rest[0]):
            row.perms = rest.pop(0)
            at += 1
        if re.fullmatch(r"[0-9a-f]{8,16}", rest[0]):
            row.offset = int(rest.pop(0), 16)
            at += 1
        if re.fullmatch(r"[0-9a-f]{2,8}:[0-9a-f]{2,8}", rest[0]):
            row.device = _device(rest.pop(0))
            at += 1
        if (self.columns is None or self.columns.inode) and re.fullmatch(r"[0-9]{1,20}", rest[0]):
            row.inode = str(int(rest[0]))
            at += 1
        return row, at

    def _take_numbers(self, row: _PmapRow, numbers: Sequence[str]) -> None:
        for name, number in zip(self._names, numbers, strict=False):
            size = kilobytes(number)
            if name == "size":
                row.size = size
            elif name in KNOWN_COUNTERS or name in PAGE_SIZES:
                row.values[name] = size
            else:
                row.values[name] = whole(number)

    def _flags(self, texts: Sequence[str], row: _PmapRow) -> tuple[str, ...]:
        """Take the flags; a file of two letters is not one of them, though it may look like one."""
        if self.columns is not None and not self.columns.flags:
            return ()
        count = next((i for i, text in enumerate(texts) if not _FLAG.fullmatch(text)), len(texts))
        nameless = count == len(texts) or texts[count] == _DELETED.strip()
        if count and nameless and row.inode not in {None, "0"}:
            count -= 1
        return tuple(texts[:count])

    def _other(self, line: Line) -> None:
        """Take a line that is no row."""
        text = line.text
        if self._is_told(text):
            self.draft.know(line)
        elif _NEARLY.match(text) or _WIDE.match(text) or _STARTS_WITH_ADDRESS.match(text):
            self.draft.could_not_read(line)

    def _is_told(self, text: str) -> bool:
        """Take a title, a header, a ruler or a total; return whether the line is one."""
        if found := _TITLE.fullmatch(text):
            self.draft.process = _process(found)
        elif (found := _SUSE_TOTALS.fullmatch(text)) or (found := _TOTALS.fullmatch(text)):
            size, *numbers = found[1].split()
            self._total(("size", *self._extended_names(numbers)), (size, *numbers))
        elif found := _TOTAL.fullmatch(text):
            self._total(("size",), found.groups())
        elif found := _WIDE_TOTALS.fullmatch(text):
            self._total(self._names, found[1].split())
        elif found := _DEVICE_TOTALS.fullmatch(text):
            self.draft.format = "pmap-d"
            self._total(("size", "writable_private", "shared"), found.groups())
        else:
            return bool(_is_header(text) or _RULER.fullmatch(text) or _SUSE_SHARES.fullmatch(text))
        return True

    def _total(self, names: Sequence[str], numbers: Sequence[str]) -> None:
        for name, number in zip(names, numbers, strict=False):
            size = kilobytes(number)
            if size is not None and (name in KNOWN_COUNTERS or name in _TOTALLED):
                self.totals[name] = size


def _extended_header(lines: Iterable[Line]) -> tuple[str, ...]:
    """Read what the header of ``-x`` says of the numbers after the size; nothing if it is translated."""
    for line in lines:
        if _is_header(line.text) and not _columns(line.text):
            words = (word.capitalize() if word in {"DIRTY", "SWAP"} else word for word in line.text.split())
            return tuple(_EXTENDED_WORDS[word] for word in words if word in _EXTENDED_WORDS)
    return ()


def _leading_numbers(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        if not (word.isascii() and word.isdigit()):
            return
        yield word


def _perms(mode: str) -> str:
    """Write a mode (``rw---``) as the kernel does (``rw-p``)."""
    if mode[0] in "rwesn" and "-" not in mode[:3] and mode[:3] != "rwx":  # in words
        words = mode.split("/")
        letters = "".join(
            word[0].replace("e", "x") if word in words else "-" for word in ("read", "write", "exec")
        )
        return letters + ("s" if "shared" in words else "p")
    return mode[:3] + ("s" if mode[3:4] == "s" else "p")


def _device(text: str) -> str:
    """Write ``008:00005`` as the kernel does: ``08:05``."""
    major, minor = text.split(":")
    return f"{int(major, 16):02x}:{int(minor, 16):02x}"


def _process(title: re.Match[str]) -> Process:
    """Read ``PID:   COMMAND LINE``, of which the arguments are not kept."""
    words = printable(title[2]).split()
    name = words[0].rpartition("/")[2].lstrip("-") if words else ""
    return Process(pid=int(title[1]), name=name or None)


# ---------------------------------------------------------------- names


def _is_stack(name: str) -> bool:
    found = _BRACKETED.match(name)
    return found is not None and found[1] in _STACK


def _named(row: _PmapRow, remarks: list[int]) -> Mapping:
    """Make a mapping of a row; what ``[ anon ]`` hides stays unknown."""
    end = None if row.size is None or not row.size else row.start + row.size
    plain = Mapping(
        row.start,
        end,
        row.perms,
        offset=row.offset,
        device=row.device,
        inode=row.inode,
        flags=row.flags,
        values=dict(row.values),
    )
    found = _BRACKETED.match(row.name)
    if found is None:
        return _with_name(plain, row.name.rstrip())
    if found[2].strip():
        remarks.append(row.line.number)
    if shared := _SHARED_MEMORY_ID.fullmatch(found[1]):
        return plain._replace(inode=str(int(shared[1], 16)), deleted=True)
    if found[1] == "heap":  # as Solaris says
        return plain._replace(path="[heap]", offset=0)
    if found[1] in _STACK:
        return plain._replace(path="[stack]", offset=0)
    if row.start == _VSYSCALL:
        return plain._replace(path="[vsyscall]")
    return plain._replace(offset=0 if row.device == "00:00" else row.offset)


def _with_name(mapping: Mapping, name: str) -> Mapping:
    if name == "[anon]":
        return mapping
    path, deleted, path_hex = name_of(name.encode("utf-8", "surrogateescape"))
    own = path is not None and _KERNELS_OWN.fullmatch(path) and (deleted or path.startswith("memfd:"))
    if path == "zero" and own:
        path = "/dev/zero"
    elif own:
        path = f"/{path}"
    return mapping._replace(path=path, deleted=deleted, path_hex=path_hex)


# ---------------------------------------------------------------- what is not so


def _without_doubles(rows: Sequence[_PmapRow], draft: Draft) -> list[_PmapRow]:
    """Drop the second row of a mapping, with zeros, that procps up to 3.3.12 prints at ``SwapPss``."""
    kept: list[_PmapRow] = []
    doubles = []
    for row in rows:
        if kept and _is_double(kept[-1], row):
            doubles.append(row.line.number)
        else:
            kept.append(row)
    if doubles:
        draft.doubt("procps up to 3.3.12 prints each row again with zeros, left out", doubles)
    return kept


def _is_double(first: _PmapRow, second: _PmapRow) -> bool:
    if (first.start, first.perms, first.name) != (second.start, second.perms, second.name):
        return False
    return second.size in {0, first.size} and not any(second.values.values()) and bool(second.values)


def _forget_zeros(rows: Sequence[_PmapRow], totals: dict[str, int], draft: Draft) -> None:
    """Make unknown what is 0 in every row though no mapping is empty, or though a total says otherwise."""
    if rows and all(row.size == 0 for row in rows):
        for row in rows:
            row.size = None
        draft.doubt("all sizes are 0, as no mapping's can be: they are unknown")
    if any(is_elision(line.text) for line in draft.section.lines):
        return  # the rows that make up the total are missing
    for name in {name for row in rows for name in row.values}:
        if totals.get(name) and not any(row.values.get(name) for row in rows):
            for row in rows:
                row.values[name] = None
            draft.doubt(f"{name} is 0 throughout, but the total is not: it is unknown")


def _report(rows: Sequence[_PmapRow], draft: Draft) -> None:
    """Name what the rows report; a column of dashes reports nothing."""
    for name in dict.fromkeys(name for row in rows for name in row.values):
        told = [row.values[name] for row in rows if row.values.get(name) is not None]
        if name in PAGE_SIZES or name not in {*KNOWN_COUNTERS, "dirty"}:
            draft.attributes[name] = None
        elif told or "dirty" in rows[0].values:
            draft.counters[name] = None
    strange = [name for name in draft.attributes if name not in _KEYS]
    if strange:
        draft.doubt(f"pmap does not tell the unit of {', '.join(strange)}: kept as bare numbers")


def _amount(mapping: Mapping, name: str) -> int | None:
    """Return what one row adds to a total of ``pmap -d``, or to any other."""
    if name == "shared":
        return mapping.size if mapping.perms[3] == "s" else 0
    if name == "writable_private":
        return mapping.size if mapping.perms[1] == "w" and mapping.perms[3] == "p" else 0
    return amount_of(mapping, name)


# ---------------------------------------------------------------- the whole


def parse(section: Section) -> Snapshot:
    """Read one listing of pmap.

    Raises:
        ListingError: its rows overlap, or none of them can be read.
    """
    reader = _PmapReader(section)
    reader.read()
    draft = reader.draft
    rows = _without_doubles(reader.rows, draft)
    _forget_zeros(rows, reader.totals, draft)
    _say_what_is_missing(reader, rows)
    _report(rows, draft)
    remarks: list[int] = []
    for row in rows:
        draft.add(row.line, _named(row, remarks))
    if remarks:
        draft.doubt("remarks after the name, ignored", remarks)
    draft.compare_totals(reader.totals, _amount)
    snapshot = draft.snapshot(EXPECTED)
    return snapshot.model_copy(update={"mappings": with_owners(snapshot.mappings, snapshot.process.name)})


def _say_what_is_missing(reader: _PmapReader, rows: Sequence[_PmapRow]) -> None:
    draft = reader.draft
    if reader.columns is None and draft.format == "pmap-X":
        draft.doubt(
            "no header, so only size, rss and pss are known to be the first numbers: others are not read"
        )
    if draft.format == "pmap-x" and not any(row.values for row in rows):
        draft.doubt("no header, so what follows the size is not known and not read")
    files = [row.name for row in rows if row.name and not row.name.startswith("[")]
    if files and not any("/" in name for name in files):
        draft.doubt("names are without their directories")
    if not rows and not draft.unread:
        draft.doubt("only totals, no mappings")


FORMAT = TextFormat(
    "pmap",
    hint=at_line_start(
        r"0{0,40}[0-9a-fA-F]{6,16}[ \t\xa0]|[^\d\n]{1,60}[0-9]{1,20}\s?[KkКкკ]\b"
        r"|[^\d\n:]{0,40}?(?:kB|KB|ko|кБ|კბ|total)\b[^\d\n:]{0,40}[0-9]"
    ),
    mark=_mark,
    find=_find,
    parse=parse,
    nearly=_NEARLY,
    expected=EXPECTED,
    exact=True,
)
