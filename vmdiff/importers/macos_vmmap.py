"""Read macOS ``vmmap``: the regions with their addresses, or the table by type of ``vmmap -summary``.

Facts: the listings' own legend; XNU's ``osfmk/mach/vm_region.h`` for the sharing modes. K, M and G are
1024-based and rounded to four characters, so sizes come from the addresses; a size without a letter
is in bytes, or with ``-pages`` in pages. The kernel keeps a tag for whoever asked for a region (as Linux
does with PR_SET_VMA names), and vmmap shows it as REGION TYPE: it is the evidence for the owner.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from vmdiff import units
from vmdiff.importers.draft import Draft, by_address
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.numbers import amount, hexadecimal, whole
from vmdiff.importers.pasted.lines import Line
from vmdiff.importers.sections import LineRole, Mark, Section, find_sections
from vmdiff.model import Host, Kind, Mapping, Owner, Process, Scalar, Snapshot, owner

EXPECTED = "REGION TYPE START-END [ VSIZE RSDNT DIRTY SWAP] PRT/MAX SM=MODE DETAIL"

_COLUMNS = {
    "VSIZE": "size",
    "VIRTUAL": "size",
    "RSDNT": "rss",
    "RESIDENT": "rss",
    "DIRTY": "dirty",
    "SWAP": "swap",
    "SWAPPED": "swap",
    "VOLATILE": "volatile",
    "NONVOL": "nonvolatile",
    "EMPTY": "purged",
}
_COUNTERS = ("rss", "dirty", "swap")
_ATTRIBUTES = ("region_type", "max_perms", "sharing", "purgeable", "detail")

_SHORT_HEADER = re.compile(
    r"REGION TYPE\s{1,80}(?:SIZE|VIRTUAL)\s{1,40}COUNT\b.{0,40}"
)  # of a crash report's summary
_LEAST = 3  # sizes that make a row
_PERMS = re.compile(r"([r-][w-][x-])/([r-][w-][x-])")
_SHORT_ROW = re.compile(r"\S.{0,40}?\s{2,60}[0-9.]{1,10}[KMGT]?\s{1,20}[0-9]{1,9}(?:\s{1,4}\S.{0,60})?")
_THREAD = re.compile(r"thread ([0-9]{1,10})\b")
_ZONE = re.compile(r"(?<![\w.-])([\w.-]{1,100})_0x[0-9a-f]{1,16}\b")  # where a zone lies differs between runs
_PERSON = re.compile(r"(.{0,200}?) \[([0-9]{1,10})\]")
_PID = re.compile(r"of process ([0-9]{1,10})(?: \((.{0,200})\))?$")

# XNU's share modes: private copies, and memory that others write too; empty regions tell neither.
_SHARING = {"COW": "p", "PRV": "p", "ALI": "p", "SHM": "s", "S/A": "s"}

# XNU's osfmk/i386/cpu_capabilities.h: pages that the kernel shares with every process on x86-64.
_PAGES = (4096, 16384)
_COMMPAGE, _TOP = 0x7FFFFFE00000, 0x800000000000

_TITLE = re.compile(r"(Process|Path|Parent Process|Date/Time|Launch Time|OS Version|Code Type):[ \t]+(\S.*)")
_BEGIN = re.compile(r"Process:[ \t]+.{0,200} \[[0-9]{1,10}\]|Virtual Memory Map of process ")
_PART = re.compile(
    r"VM Region (?:Info: |Summary:)|ReadOnly portion of|Writable regions: "
    r"|==== (?:Non-writable|Writable|Summary|Legend|regions)|REGION TYPE|VM page size:"
)
# The lines of a vmmap between and around its tables, and of the crash report that a summary stands in.
_OTHER = re.compile(
    r"==== |===+|\s*REGION\b|\s*VIRTUAL\b|\s*(?:ALLOCATED|BYTES|MALLOC ZONE)|Virtual Memory Map of|"
    r"ReadOnly portion|Writable regions:|Summary of|VM Region |.*\bSM=|Analysis (?:Tool|Date)|"
    r"Load Address|Identifier|Version|Build Info|Platform|Report Version|Memory Tag|Idle exit|-{4,}|\(.*\)$"
)
_FOOTPRINT = re.compile(r"Physical footprint( \(peak\))?:[ \t]+(\S+)")


def _mark(text: str) -> Mark | None:
    """Return the role of a line in a listing of this format.

    Rows say nothing of where they start: a listing has two tables, each with its own order.
    """
    if _BEGIN.match(text):
        return Mark(LineRole.BEGIN)
    if _head(text) is not None or _first_cell(text.split()[:40]) is not None:
        return Mark(LineRole.ROW)
    if _TITLE.match(text) or _FOOTPRINT.match(text) or _PART.match(text) or _columns(text):
        return Mark(LineRole.MORE)
    return None


def _mark_region(text: str) -> Mark | None:
    """Return the role of a line by itself; a row of the table by type needs its header above."""
    found = _mark(text)
    return None if found and found.role is LineRole.ROW and _head(text) is None else found


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the listings of this format; rows of one size are such only below their header."""
    short = any(_SHORT_HEADER.fullmatch(line.text) for line in lines)
    return find_sections(lines, _mark_short if short else _mark)


def _mark_short(text: str) -> Mark | None:
    found = _mark(text)
    words = text.split()[:12]
    one_size = found is None and 2 < len(words) < 10 and _first_cell(words, 1) == len(words) - 2
    return Mark(LineRole.ROW) if found is None and (one_size or _SHORT_ROW.fullmatch(text)) else found


def parse(section: Section) -> Snapshot:
    """Read the regions, or where the listing has none its table by type.

    Raises:
        ListingError: regions overlap, or a row's sizes cannot be read.
    """
    return _VmmapReader(section).read()


class _RegionHead(NamedTuple):
    """What stands before the sizes of a row, and the rest of it."""

    type: str
    start: int
    end: int
    sizes: list[str]
    rest: str


def _head(text: str) -> _RegionHead | None:
    """Take a region's row apart; None if the line is none."""
    before, bracket, after = text.partition("[")
    words = before.rsplit(None, 1)
    if not bracket or len(words) != 2:
        return None
    low, dash, high = words[1].partition("-")
    start, end = hexadecimal(low), hexadecimal(high)
    sizes, closing, rest = after.partition("]")
    if not dash or start is None or end is None or not closing:
        return None
    return _RegionHead(
        words[0].removeprefix("--->").strip(), start, end, sizes.replace("/", " ").split(), rest.strip()
    )


def _columns(text: str) -> list[str]:
    """Return the names of the sizes' columns if this is a table's header."""
    if _SHORT_HEADER.fullmatch(text):
        return ["size"]
    words = text.replace("[", " ").replace("]", " ").replace("/", " ").split()
    found = [_COLUMNS[word] for word in words if word in _COLUMNS]
    return found if "size" in found else []


def _first_cell(words: list[str], columns: int = _LEAST) -> int | None:
    """Find where the name of a type ends and its sizes begin: at the first of three sizes in a row.

    With one column only it is a size and a count, the last two words that are numbers.
    """
    fits = [amount(word) is not None for word in words]
    if columns == 1:
        pairs = (index for index in range(1, len(words) - 1) if fits[index] and words[index + 1].isdigit())
        return next(pairs, None)
    first = next((index for index in range(1, len(words) - 2) if all(fits[index : index + 3])), None)
    if first is None or columns <= _LEAST:
        return first
    end = next((index for index in range(first, len(words)) if not fits[index]), len(words))
    return max(first, end - columns - 1)  # a type may end in a number: Memory Tag 244


def _unit(section: Section) -> int:
    """Return 1, or the size of a page where the sizes without a letter count pages (``vmmap -pages``)."""
    for line in section.lines:
        head = _head(line.text)
        count = whole(head.sizes[0]) if head and head.sizes else None
        size = head.end - head.start if head else 0
        if count and count != size and size % count == 0 and size // count in _PAGES:
            return size // count
    return 1


class _VmmapReader:
    def __init__(self, section: Section) -> None:
        self.section = section
        self.draft = Draft(section, "vmmap")
        self.facts: dict[str, str] = {}
        self.columns = ["size", *_COUNTERS]
        self.types: list[tuple[Line, str, dict[str, int], int]] = []
        self.total: tuple[dict[str, int], int] | None = None
        self.rounded = 0
        self.submaps: list[int] = []
        self.is_report = any(line.text.startswith("VM Region Summary:") for line in section.lines)
        self.unit = _unit(section)  # what a size without a letter counts

    def read(self) -> Snapshot:
        self.table = ""
        for line in self.section.lines:
            text = line.text
            if _head(text) is None and (columns := _columns(text)):
                self.columns, self.table = columns, "" if "START" in text else "types"
                self.draft.know(line)
            elif text.startswith("MALLOC ZONE"):
                self.table = "zones"
                self.draft.know(line)
            elif (head := _head(text)) is not None:
                self._region(line, head)
            elif self.table == "types":
                self._type(line)
            elif not self.table and not self.draft.rows and self.is_report:
                self._fact(line)
                if (mark := _mark_short(text)) is None or mark.role is not LineRole.ROW:
                    self.draft.know(line)  # threads and registers above the summary
            else:
                self._fact(line)
        return self._finished()

    # Rows

    def _region(self, line: Line, head: _RegionHead) -> None:
        if head.start >= head.end:
            raise self.section.refusal(line, "a range that ends above its start")
        if head.type.lower().startswith("submap"):
            self.submaps.append(line.number)
            self.draft.know(line)
            return
        values: dict[str, Scalar] = {"region_type": head.type}
        sizes = self._sizes(line, head.sizes)
        for name in _COUNTERS:
            if name in sizes:  # rounded up it may exceed what there is
                values[name] = min(sizes[name], head.end - head.start)
                self.draft.counters[name] = None
        perms, detail = _tail(head.rest, values)
        mapping = _mapping(head.type, perms, detail, values)._replace(start=head.start, end=head.end)
        if head.type == "VM_ALLOCATE" and head.start >= _COMMPAGE and head.end <= _TOP:
            mapping = mapping._replace(kind=Kind.KERNEL)
        self.draft.add(line, mapping)

    def _sizes(self, line: Line, texts: list[str]) -> dict[str, int]:
        """Read the sizes of a row by the columns of its table; old versions give the first ones only."""
        sizes = {}
        for name, text in zip(self.columns, texts, strict=False):
            found = amount(text)
            if found is None:
                raise self.section.refusal(line, "sizes such as 4096, 16K or 38.1M")
            sizes[name] = found[0] if text[-1:].isalpha() else found[0] * self.unit
            self.rounded += "." in text and name != "size"
        return sizes

    def _type(self, line: Line) -> None:
        words = line.text.split()
        first = _first_cell(words[:40], len(self.columns))
        if first is None:
            self._fact(line)
            return
        count = len(self.columns)
        cells = words[first : first + count + 1]
        name = " ".join(words[:first])
        if len(cells) < count:
            self.draft.could_not_read(line)
            return
        sizes = self._sizes(line, cells[:count])
        regions = (whole(cells[count]) if len(cells) > count else None) or 0
        if name.startswith("TOTAL"):
            self.total = self.total or (sizes, regions)
            self.draft.know(line)
        else:
            self.types.append((line, name, sizes, regions))

    # What stands around them

    def _fact(self, line: Line) -> None:
        if self._is_fact(line):
            self.draft.know(line)

    def _is_fact(self, line: Line) -> bool:
        if found := _TITLE.match(line.text):
            self.facts.setdefault(found[1], found[2].strip())
        elif found := _FOOTPRINT.match(line.text):
            self._footprint("physical_footprint_peak" if found[1] else "physical_footprint", found[2])
        elif found := _PID.search(line.text[:400]):
            self.facts.setdefault("Process", f"{found[2] or ''} [{found[1]}]")
        elif line.text.startswith("VM Region Info:"):
            self.draft.doubt("of a crash report: only the regions around the fault are listed", [line.number])
        elif line.text.startswith("VM page size:"):
            self.facts["page size"] = line.text.partition(":")[2].split()[0] if line.text.split()[3:] else ""
        else:
            zone = self.table == "zones" and _first_cell(line.text.split()[:40]) is not None
            return zone or _OTHER.match(line.text) is not None
        return True

    def _footprint(self, name: str, text: str) -> None:
        if found := amount(text):
            self.draft.rollup[name] = found[0]

    # The end

    def _finished(self) -> Snapshot:
        draft = self.draft
        if not draft.rows:
            self._by_type()
        self._say_what_is_no_figure()
        self._compare_with_total()
        draft.process = self._process()
        draft.host = self._host()
        used = {name for row in draft.rows for name in row.mapping.values}
        draft.attributes.update(dict.fromkeys(n for n in (*_ATTRIBUTES, "regions") if n in used))
        draft.rows = by_address(draft.rows)  # two tables, each in order
        snapshot = draft.snapshot(EXPECTED, kinds=False)
        return snapshot.model_copy(update={"taken_at": _time(self.facts.get("Date/Time"))})

    def _by_type(self) -> None:
        """Make a mapping without addresses of each row of the summary."""
        for line, name, sizes, regions in self.types:
            self.draft.counters.update(dict.fromkeys(n for n in sizes if n != "size"))
            values: dict[str, Scalar] = {**sizes, "region_type": name, "regions": regions}
            self.draft.add(line, _mapping(name, "????", None, values))
        if self.types:
            self.draft.doubt(
                "a summary: one row stands for all regions of a type, without addresses or permissions"
            )

    def _say_what_is_no_figure(self) -> None:
        if self.submaps:
            self.draft.doubt("a submap holds the regions that are listed in its place", self.submaps)
        if self.rounded:
            self.draft.doubt(
                f"vmmap rounds large sizes to 4 characters: {self.rounded} sizes here are not exact"
            )

    def _compare_with_total(self) -> None:
        if self.total is None:
            return
        sizes, regions = self.total
        self.draft.rollup.update(sizes)
        rows = [row.mapping for row in self.draft.rows]
        counted = sum(n for m in rows if isinstance(n := m.values.get("regions", 1), int))
        if regions and counted != regions:
            self.draft.doubt(f"the listing's total counts {regions:,} regions, its rows are {counted:,}")
        for name, stated in sizes.items():
            summed = [m.size if name == "size" else m.values.get(name) for m in rows]
            found = sum(n for n in summed if isinstance(n, int))
            # A rounded total is off by at most 1 in 200; so is each of the rounded sizes in the sum.
            if abs(found - stated) > max(stated, found) // 100 + 1024 and any(n is not None for n in summed):
                said = units.size(stated)
                self.draft.doubt(
                    f"the rows' {name} adds up to {units.size(found)}, the listing's total says {said}"
                )

    def _process(self) -> Process:
        person = _PERSON.match(self.facts.get("Process", ""))
        parent = _PERSON.match(self.facts.get("Parent Process", ""))
        return Process(
            pid=int(person[2]) if person else None,
            name=(person[1].strip() or None) if person else None,
            parent=int(parent[2]) if parent else None,
            executable=self.facts.get("Path"),
            started_at=_time(self.facts.get("Launch Time")),
        )

    def _host(self) -> Host:
        size = self.facts.get("page size", "")
        return Host(
            system=self.facts.get("OS Version"),
            machine=self.facts.get("Code Type"),
            page_size=whole(size),
        )


def _tail(text: str, values: dict[str, Scalar]) -> tuple[str, str | None]:
    """Read what follows the sizes: the permissions, with *values* given the attributes; and the detail."""
    words = text.split(None, 2)
    found = _PERMS.fullmatch(words[0]) if words else None
    if found is None:
        return "????", None
    sharing = ""
    values["max_perms"] = found[2]
    rest = words[1:]
    if rest and rest[0].startswith("SM="):
        sharing = rest.pop(0)[3:]
        values["sharing"] = sharing
    detail = " ".join(rest).strip()
    if detail.startswith("PURGE="):
        purge, _, detail = detail.partition(" ")
        values["purgeable"] = purge[6:]
    return found[1] + _SHARING.get(sharing, "?"), detail.strip() or None


def _mapping(region_type: str, perms: str, detail: str | None, values: dict[str, Scalar]) -> Mapping:
    """Build the mapping, all but its bounds."""
    path = detail if detail and detail.startswith("/") else None
    if detail is not None and path is None:
        values["detail"] = _ZONE.sub(r"\1", detail)
    return Mapping(
        start=None,
        end=None,
        perms=perms,
        kind=_kind(region_type, perms, detail),
        offset=None,
        device=None,
        inode=None,
        path=path,
        owner=_owner(region_type, detail, summary=perms == "????"),
        values=values,
    )


def _kind(region_type: str, perms: str, detail: str | None) -> Kind:
    name = region_type.lower()
    if region_type.startswith("__") or "__" in name or "dyld" in name or "shlib" in name:
        return Kind.IMAGE
    if name.startswith("mapped file"):
        return Kind.FILE
    if name.startswith("shared memory"):
        return Kind.SHARED_MEMORY
    if perms.startswith("---") or "guard" in name or "reserved" in name:
        return Kind.RESERVED
    if _is_main_stack(region_type, detail):
        return Kind.STACK
    return Kind.ANONYMOUS


def _is_main_stack(region_type: str, detail: str | None) -> bool:
    return region_type.startswith("Stack") and (detail or "").startswith("thread 0")


def _owner(region_type: str, detail: str | None, *, summary: bool) -> Owner | None:
    """Name who asked for a region where its type says so."""
    name, label = region_type.lower(), region_type
    evidence = f"vmmap's region type is {region_type}" + (f" ({detail})" if detail else "")
    if "guard" in name:
        return owner("guard page", "name", evidence, label=label)
    if name.startswith("stack"):
        thread = _THREAD.search(detail or "")
        whose = "main stack" if _is_main_stack(region_type, detail) else "thread stack"
        return owner(whose, "name", evidence, label=thread[0] if thread else None)
    if name.startswith("malloc"):
        zone = _ZONE.search(detail or "")
        label = f"{region_type}, {zone[1]}" if zone else region_type
        whose = "malloc large block" if "malloc_large" in name and "metadata" not in name else "malloc heap"
        return owner(whose, "name", evidence, label=label)
    if name.startswith("js jit"):
        return owner("jit code", "name", evidence, label=label)
    if summary or not _says_only_what_backs_it(region_type):
        return owner("named", "name", evidence, label=label)
    return None


def _says_only_what_backs_it(region_type: str) -> bool:
    """Return whether a type names only what backs the memory, not who asked for it."""
    name = region_type.lower()
    return "__" in name or name.startswith(("mapped file", "shared memory", "vm_allocate", "dyld", "unused"))


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S.%f %z")
    except ValueError:
        return None


FORMAT = TextFormat(
    "vmmap",
    hint=re.compile(r"REGION TYPE|Virtual Memory Map of process|\] [r-][w-][x-]/[r-][w-][x-] SM="),
    mark=_mark_region,
    parse=parse,
    find=find,
)
