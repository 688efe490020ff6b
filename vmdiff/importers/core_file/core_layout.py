"""Read the address space out of an ELF core file: what was mapped, whose file, and where its bytes are.

The mappings are the PT_LOAD headers (one a mapping in the kernel's cores) together with the note NT_FILE,
which names those of files; NT_PRPSINFO, NT_PRSTATUS and NT_AUXV tell of the process. Only headers and notes
are read, never the memory, and what a hostile file says of their size is held against the file's own.

Facts: Linux's ``fs/binfmt_elf.c`` (every mapping has a header, whatever is dumped of it; NT_FILE lists every
mapping that has a file, shared anonymous memory included, so what it does not list is private); gdb's
``gcore.c`` (read-only mappings of files are left out, and memory without access says that it is readable).
"""

import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from vmdiff import units
from vmdiff.elf.headers import (
    HEADER_SIZE,
    MAGIC,
    FileHeader,
    FileType,
    SegmentFlag,
    SegmentType,
    program_header_size,
    read_file_header,
    read_program_headers,
)
from vmdiff.elf.note_entries import Note, read_notes
from vmdiff.errors import InputError
from vmdiff.importers.procfs.kernel_row_text import name_of
from vmdiff.model import (
    LONGEST_STRING,
    MOST_MAPPINGS,
    Host,
    Kind,
    Origin,
    Owner,
    PlacedMapping,
    Process,
    Scalar,
    Snapshot,
    Thread,
    images,
    kind_of,
    owner,
)
from vmdiff.model.mapping import ADDRESS_LIMIT

LARGEST_NOTES = 256 << 20  # a note a thread; 100,000 threads with AVX-512 state have this much
MOST_NOTES = 2_000_000

_MANY = 0xFFFF  # PN_XNUM: the number of headers is in the first section header

_NT_PRSTATUS, _NT_PRPSINFO, _NT_AUXV, _NT_FILE = 1, 3, 6, 0x46494C45
_AT_PHDR, _AT_PAGESZ, _AT_ENTRY, _AT_RANDOM, _AT_EXECFN, _AT_SYSINFO_EHDR = 3, 6, 9, 25, 31, 33

_VSYSCALL = 0xFFFFFFFFFF600000
_FARTHEST_BRK = 1 << 30  # arm64 and ppc64 move the heap up by less than this, x86 by less than 32 MiB

# Where in a thread's registers (the kernel's elf_gregset_t) its stack pointer is, counted in words.
_STACK_POINTERS = {"x86_64": 19, "i686": 15, "aarch64": 31, "arm": 13, "ppc64": 1, "s390x": 17, "riscv64": 2}


class Segment(NamedTuple):
    """A PT_LOAD header: a range of memory, its permissions, and where its first *dumped* bytes are."""

    start: int
    end: int
    perms: str
    offset: int
    dumped: int


class MappedFile(NamedTuple):
    """An entry of NT_FILE: a range, the *offset* in bytes of the file there, and its name."""

    start: int
    end: int
    offset: int
    name: bytes


@dataclass(slots=True)
class Notes:
    """What the notes tell; *pointers* and *registers* are those of the threads by thread id."""

    files: list[MappedFile] = field(default_factory=list)
    auxiliary: dict[int, int] = field(default_factory=dict)
    pointers: dict[int, int | None] = field(default_factory=dict)
    registers: dict[int, bytes] = field(default_factory=dict)
    pid: int | None = None
    parent: int | None = None
    name: str | None = None
    lists_files: bool = False
    by_gdb: bool = False
    system: str | None = None


@dataclass(frozen=True)
class Core:
    """The layout of a core file, without the memory itself."""

    machine: str
    word: int  # bytes of an address
    order: str  # of the bytes, as struct writes it
    segments: tuple[Segment, ...]
    notes: Notes
    missing: int  # bytes that the headers promise and the file does not have

    @cached_property
    def _starts(self) -> list[int]:
        return [segment.start for segment in self.segments]

    def at(self, address: int) -> Segment | None:
        """Return the segment that holds *address*."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.segments[index].end:
            return None
        return self.segments[index]


def recognise(head: bytes) -> bool:
    """Return whether a file that begins so is an ELF file."""
    return head.startswith(MAGIC)


def parse(stream: BinaryIO, *, source: str) -> Snapshot:
    """Read a core file.

    The counter ``dumped`` is what of each mapping is in the file. What was resident a core does not tell.

    Raises:
        InputError: the file is no core, or contradicts itself.
    """
    return snapshot_of(layout(stream, source=source), source=source)


# ---------------------------------------------------------------- the layout


def layout(stream: BinaryIO, *, source: str) -> Core:
    """Read headers and notes.

    Raises:
        InputError: the file is no core, or contradicts itself.
    """
    try:
        size = stream.seek(0, 2)
        header = _header(stream)
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: not a whole ELF file: {error}") from error
    if header.type != FileType.CORE:
        raise InputError(f"{source}: an ELF file, but no core of a process ({header.type_name})")
    reader = _Reader(stream, source, size, header.word, header.order)
    segments, tables, missing = reader.headers(header)
    notes = reader.notes(tables, _STACK_POINTERS.get(header.machine))
    return Core(header.machine, header.word, header.order, tuple(segments), notes, missing)


def _header(stream: BinaryIO) -> FileHeader:
    stream.seek(0)
    header = read_file_header(stream.read(HEADER_SIZE))
    if header is None:
        raise ValueError("its header is cut off or of no known class")
    return header


class _Reader:
    """Reads the parts of one file; whatever lies beyond its end is an error or missing, never waited for."""

    def __init__(self, stream: BinaryIO, source: str, size: int, word: int, order: str) -> None:
        self.stream, self.source, self.size, self.word, self.order = stream, source, size, word, order
        self.address = "Q" if word == 8 else "I"

    def fail(self, sentence: str) -> InputError:
        return InputError(f"{self.source}: {sentence}")

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes of the file from *offset*, fewer where it ends."""
        if not 0 <= offset < self.size:
            return b""
        self.stream.seek(offset)
        return self.stream.read(min(length, self.size - offset))

    def headers(self, header: FileHeader) -> tuple[list[Segment], list[tuple[int, int]], int]:
        """Read the program headers: segments in order of address, the places of notes, what is missing."""
        count, step, expected = self._count(header), header.segment_size, program_header_size(header)
        if count and step != expected:
            raise self.fail(f"program headers of {step} bytes, expected {expected}")
        table = self.at(header.segments_at, count * step)
        if len(table) < count * step:
            raise self.fail(f"cut off: {count:,} program headers end beyond the file")
        segments, notes, missing = [], [], 0
        for type_, flags, place, start, stored, length in read_program_headers(table, header):
            if type_ == SegmentType.NOTE:
                notes.append((place, stored))
            elif type_ == SegmentType.LOAD and length:
                there = max(0, min(stored, length, self.size - place))
                missing += min(stored, length) - there
                segments.append(Segment(start, start + length, _letters(flags), place, there))
        return self._ordered(segments), notes, missing

    def _count(self, header: FileHeader) -> int:
        count = header.segment_count
        if count == _MANY and header.sections_at:
            section = self.at(header.sections_at, 64)
            place = 44 if self.word == 8 else 28
            if len(section) < place + 4:
                raise self.fail("cut off: the number of program headers is beyond the file")
            (count,) = struct.unpack_from(self.order + "I", section, place)
        if count > MOST_MAPPINGS:
            raise self.fail(
                f"{count:,} program headers, more than the {MOST_MAPPINGS:,} that any process has"
            )
        return int(count)

    def _ordered(self, segments: list[Segment]) -> list[Segment]:
        segments.sort()
        for below, above in pairwise(segments):
            if above.start < below.end:
                raise self.fail(f"segments overlap: {below.start:x}-{below.end:x} and {above.start:x}")
        if segments and segments[-1].end > 1 << 8 * self.word:
            raise self.fail(f"a segment reaches beyond the last address: {segments[-1].end:x}")
        return segments

    # Notes

    def notes(self, tables: Sequence[tuple[int, int]], stack_pointer: int | None) -> Notes:
        """Read the notes of all tables, which may be many and lie over each other."""
        notes = Notes()
        for owner_name, type_, content in islice(self._every(tables), MOST_NOTES):
            self._note(notes, owner_name, type_, content, stack_pointer)
        notes.files.sort()
        return notes

    def _every(self, tables: Sequence[tuple[int, int]]) -> Iterator[Note]:
        budget = LARGEST_NOTES
        for offset, length in tables:
            data = self.at(offset, min(length, budget))
            budget -= len(data)
            yield from read_notes(data, self.order)

    def _note(self, notes: Notes, name: bytes, type_: int, content: bytes, stack_pointer: int | None) -> None:
        if name == b"GDB":
            notes.by_gdb = True
        if name == b"FreeBSD":
            notes.system = "FreeBSD"
        if name != b"CORE":
            return
        notes.system = "Linux"
        if type_ == _NT_FILE and not notes.lists_files:
            notes.lists_files = True
            notes.files += self._files(content)
        elif type_ == _NT_AUXV:
            pairs = struct.Struct(self.order + 2 * self.address)
            whole = content[: len(content) - len(content) % pairs.size]
            notes.auxiliary |= dict(pairs.iter_unpack(whole))
        elif type_ == _NT_PRPSINFO and len(content) >= 112:
            self._program(notes, content)
        elif type_ == _NT_PRSTATUS:
            self._thread(notes, content, stack_pointer)

    def _program(self, notes: Notes, content: bytes) -> None:
        """Read elf_prpsinfo from its end, where its fields have the same sizes on all machines."""
        pid, parent = struct.unpack_from(self.order + "ii", content, len(content) - 112)
        notes.pid, notes.parent = (pid if pid >= 0 else None), (parent if parent >= 0 else None)
        name = content[-96:-80].split(b"\0")[0]
        notes.name = name.decode(errors="backslashreplace") or None

    def _thread(self, notes: Notes, content: bytes, stack_pointer: int | None) -> None:
        """Read elf_prstatus: pr_pid, and the stack pointer among pr_reg."""
        tid_at, registers = (32, 112) if self.word == 8 else (24, 72)
        if len(content) < tid_at + 4:
            return
        (tid,) = struct.unpack_from(self.order + "i", content, tid_at)
        place = None if stack_pointer is None else registers + stack_pointer * self.word
        pointer = None
        if place is not None and len(content) >= place + self.word:
            (pointer,) = struct.unpack_from(self.order + self.address, content, place)
        if tid >= 0:
            notes.pointers.setdefault(tid, pointer)
            # Behind pr_reg comes pr_fpvalid, an int that is aligned like a word.
            notes.registers.setdefault(tid, content[registers : -self.word])

    def _files(self, content: bytes) -> Iterator[MappedFile]:
        """Read NT_FILE: a count, the unit of the offsets, the ranges, and then all names."""
        if len(content) < 2 * self.word:
            return
        count, unit = struct.unpack_from(self.order + 2 * self.address, content)
        entry = struct.Struct(self.order + 3 * self.address)
        first = 2 * self.word
        if count > min((len(content) - first) // entry.size, MOST_MAPPINGS):
            return
        names = content[first + count * entry.size :].split(b"\0", count)
        ranges = entry.iter_unpack(content[first : first + count * entry.size])
        for (start, end, offset), name in zip(ranges, names, strict=False):
            if start < end and offset * unit < 1 << 64:
                yield MappedFile(start, end, offset * unit, name)


def _letters(flags: int) -> str:
    bits = ((SegmentFlag.READ, "r"), (SegmentFlag.WRITE, "w"), (SegmentFlag.EXECUTE, "x"))
    return "".join(letter if flags & bit else "-" for bit, letter in bits)


# ---------------------------------------------------------------- the snapshot


def snapshot_of(core: Core, *, source: str) -> Snapshot:
    """Return the address space that a core file tells of.

    Raises:
        InputError: it has more mappings, or longer names, than a document may hold.
    """
    doubts: list[str] = []
    rows = _named(core, _rows(core, doubts))
    _say_what_is_doubtful(core, doubts)
    executable = _executable(core, rows)
    known = _images(rows) | {executable}
    mappings = [
        mapping
        if mapping.kind is not Kind.ANONYMOUS
        else mapping._replace(kind=kind_of(mapping.path, mapping.perms, image=mapping.path in known))
        for mapping in rows
    ]
    mappings = _with_heap(mappings, executable)
    if len(mappings) > MOST_MAPPINGS:
        raise InputError(f"{source}: {len(mappings):,} mappings, vmdiff reads at most {MOST_MAPPINGS:,}")
    longest = max((len(mapping.path or "") for mapping in mappings), default=0)
    if longest > LONGEST_STRING:
        raise InputError(f"{source}: the name of a mapping has more than {LONGEST_STRING:,} characters")
    return Snapshot(
        origin=Origin(source="elf-core", doubts=tuple(doubts), counters=("dumped",)),
        host=_host(core),
        process=_process(core, executable),
        mappings=tuple(mappings),
    )


def _rows(core: Core, doubts: list[str]) -> list[PlacedMapping]:
    """Join segments and mapped files; files that have no segment are mappings of unknown permissions."""
    rows = [_row(core, segment, _file_at(core, segment)) for segment in core.segments]
    alone = reach = 0
    for file in core.notes.files:
        overlaps = file.start < reach or _crosses(core, file)
        reach = max(reach, file.end)
        if not overlaps:
            alone += 1
            rows.append(_file_row(file))
    if alone:
        doubts.append(
            f"{alone:,} mappings of files are only in the list of files: their permissions are unknown"
        )
    return sorted(rows, key=lambda row: row.start)


def _file_at(core: Core, segment: Segment) -> MappedFile | None:
    """Return the mapped file that a segment lies in."""
    files = core.notes.files
    index = bisect_right(files, segment.start, key=lambda file: file.start) - 1
    if index >= 0 and segment.end <= files[index].end:
        return files[index]
    return None


def _crosses(core: Core, file: MappedFile) -> bool:
    """Return whether a segment lies in the range of *file*."""
    index = bisect_right(core._starts, file.end - 1) - 1
    return index >= 0 and core.segments[index].end > file.start


def _row(core: Core, segment: Segment, file: MappedFile | None) -> PlacedMapping:
    perms, kind = segment.perms, Kind.ANONYMOUS
    if core.notes.by_gdb and perms == "r--":
        perms = "???"  # gdb says so of what has no access at all, too
        kind = Kind.RESERVED if file is None else kind  # as nearly all such memory is
    perms += "p" if file is None and core.notes.lists_files else "?"
    values: dict[str, Scalar] = {"dumped": segment.dumped} if segment.dumped else {}
    mapping = PlacedMapping(segment.start, segment.end, perms, kind, None, None, None, values=values)
    if file is None:
        return mapping._replace(offset=0)
    path, deleted, path_hex = name_of(file.name)
    offset = file.offset + segment.start - file.start
    sane = offset < ADDRESS_LIMIT
    return mapping._replace(offset=offset if sane else None, path=path, deleted=deleted, path_hex=path_hex)


def _file_row(file: MappedFile) -> PlacedMapping:
    path, deleted, path_hex = name_of(file.name)
    return PlacedMapping(
        file.start,
        file.end,
        "????",
        offset=file.offset,
        device=None,
        inode=None,
        path=path,
        deleted=deleted,
        path_hex=path_hex,
    )


def _named(core: Core, rows: list[PlacedMapping]) -> list[PlacedMapping]:
    """Return the rows with the kernel's own mappings named: the auxiliary vector has their addresses."""
    given = list(rows)
    starts = [row.start for row in rows]
    stack = core.notes.auxiliary.get(_AT_RANDOM) or core.notes.auxiliary.get(_AT_EXECFN)
    main_stack = owner("main stack", "name", "the kernel's auxiliary vector points into it (AT_RANDOM)")
    places = (
        (core.notes.auxiliary.get(_AT_SYSINFO_EHDR), "[vdso]", Kind.KERNEL, None),
        (stack, "[stack]", Kind.STACK, main_stack),
        (_VSYSCALL if core.machine == "x86_64" else None, "[vsyscall]", Kind.KERNEL, None),
    )
    for address, name, kind, whose in places:
        index = bisect_right(starts, address) - 1 if address else -1
        if address and index >= 0 and address < rows[index].end and rows[index].path is None:
            given[index] = given[index]._replace(path=name, kind=kind, owner=whose)
            if name == "[vdso]":
                _name_vvar(given, index)
    return given


def _name_vvar(rows: list[PlacedMapping], vdso: int) -> None:
    """Name the data of the vdso, which the kernel maps right below it."""
    below: list[int] = []
    for index in range(vdso - 1, max(vdso - 3, -1), -1):
        row = rows[index]
        if row.path is not None or row.end != rows[index + 1].start or row.perms[:3] != "r--":
            break
        below.insert(0, index)
    for index, name in zip(below, ("[vvar]", "[vvar_vclock]"), strict=False):
        rows[index] = rows[index]._replace(path=name, kind=Kind.KERNEL)


def _images(rows: Sequence[PlacedMapping]) -> frozenset[str | None]:
    """Return the files that are run, or mapped in several pieces: permissions may be unknown."""
    pieces = Counter(row.path for row in rows if row.path)
    run = images((row.path, row.perms) for row in rows)
    return run | {path for path, count in pieces.items() if count > 1}


def _executable(core: Core, rows: Sequence[PlacedMapping]) -> str | None:
    """Return the file that the process was started from: its entry point lies in it."""
    for type_ in (_AT_PHDR, _AT_ENTRY):
        address = core.notes.auxiliary.get(type_)
        for row in rows:
            if address and row.path and row.holds(address):
                return row.path
    return None


def _with_heap(rows: list[PlacedMapping], executable: str | None) -> list[PlacedMapping]:
    """Return the rows with a likely owner for the first mapping after the program that brk may have made."""
    own = [index for index, row in enumerate(rows) if executable and row.path == executable]
    if not own:
        return rows
    end = rows[own[-1]].end
    for index in range(own[-1] + 1, len(rows)):
        row = rows[index]
        start = row.start
        if row.path is not None or start - end > _FARTHEST_BRK:
            break
        if row.perms == "rw-p" and start > rows[index - 1].end:
            rows[index] = row._replace(owner=_heap(start - end, executable or ""))
            break
    return rows


def _heap(gap: int, executable: str) -> Owner:
    return owner(
        "malloc heap",
        "shape",
        f"unnamed rw-p, the first {gap >> 10} KiB above the program {PurePosixPath(executable).name}",
    )


def _say_what_is_doubtful(core: Core, doubts: list[str]) -> None:
    if core.missing:
        doubts.append(
            f"the core is cut off: {units.size(core.missing)} of memory that it should have are missing"
        )
    if not core.notes.lists_files:
        doubts.append("no note lists the mapped files: what is named by none may be a file's")
    unsure = sum(core.notes.by_gdb and segment.perms == "r--" for segment in core.segments)
    if unsure:
        doubts.append(
            "gdb leaves out what it may not read, and does not tell read-only memory from inaccessible:"
            f" {unsure:,} mappings are one of the two"
        )


def _host(core: Core) -> Host:
    page = core.notes.auxiliary.get(_AT_PAGESZ)
    return Host(
        system=core.notes.system, machine=core.machine, page_size=page if page and page < 1 << 32 else None
    )


def _process(core: Core, executable: str | None) -> Process:
    notes = core.notes
    return Process(
        pid=notes.pid,
        parent=notes.parent,
        name=notes.name,
        executable=executable,
        threads=tuple(
            Thread(tid=tid, name=notes.name if tid == notes.pid else None) for tid in notes.pointers
        )
        or None,
    )
