"""Read the address space out of a HotSpot error log (``hs_err_pidN.log``).

Facts: HotSpot's ``utilities/vmError.cpp`` and ``os/*/os_*.cpp``. On Linux ``Dynamic libraries:`` is a plain
copy of ``/proc/self/maps``; Windows lists modules with their bounds, macOS and Solaris only where each
begins. Elsewhere the log says where the heap, the code cache, the class space and the stack of each
thread are: HotSpot's own word, so these owners are certain.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from vmdiff.importers.draft import Draft, with_kinds
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.java.nmt_tags import TaggedRange, with_jvm_ranges
from vmdiff.importers.numbers import amount, hexadecimal
from vmdiff.importers.pasted.lines import Line, is_elision
from vmdiff.importers.procfs.maps_row import is_beginning, kernel_row
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import Host, Kind, Mapping, Process, Snapshot, Thread

EXPECTED = "a mapping or library after 'Dynamic libraries:'"

_MOST_CLAIMS = 200_000  # a log has one a thread and a dozen more

_HEAD = re.compile(
    r"# (?:A fatal error has been detected by the Java|There is insufficient memory for the Java)"
)
_TITLE = "Dynamic libraries:"
_NEXT_PART = re.compile(r"[A-Z][\w /()'-]{1,60}:|-{4,}|#")
_COUNT = re.compile(r"Total number of mappings: ([0-9]{1,9})$")
_MODULE = re.compile(r"(0x[0-9a-f]{1,16}) ?- ?(0x[0-9a-f]{1,17})\s{1,20}(\S.*)", re.DOTALL)
_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\|\\\\")
_BASE = re.compile(r"(0x[0-9a-f]{1,16})\s{1,20}(\S.*)", re.DOTALL)

# Threads

_ADDRESS = "(0x[0-9a-f]{1,16})"
_QUOTED = re.compile(r'"([^"\n]{0,200})"')
_TID = re.compile(r"\bid=([0-9]{1,10})\b")
_STACK = re.compile(rf"\bstack(?:\(|: ){_ADDRESS}, ?{_ADDRESS}[)\]]")

# Places

_HEAP = re.compile(rf"[Hh]eap address: {_ADDRESS}, size: ([0-9]{{1,12}}) MB")
_SPACE = re.compile(
    rf"(\S[\w# -]{{1,60}}?)\s{{1,20}}total [^\[]{{1,100}}\[{_ADDRESS}, (?:{_ADDRESS}, )?{_ADDRESS}\)"
)
_CODE = re.compile(r"(?:CodeHeap '([^']{1,60})'|CodeCache): size=")
_BOUNDS = re.compile(rf"bounds \[{_ADDRESS}, {_ADDRESS}, {_ADDRESS}\]")
_CLASSES = re.compile(
    rf"Compressed class space (?:mapped at: {_ADDRESS}-{_ADDRESS}|size: ([0-9]{{1,15}}) Address: {_ADDRESS})"
)
_ARCHIVE = re.compile(rf"CDS archive\(s\) mapped at: \[{_ADDRESS}-{_ADDRESS}(?:-{_ADDRESS})?\)")
_TABLE = re.compile(rf"Card table byte_map: \[{_ADDRESS},\s?{_ADDRESS}\]")
_BITS = re.compile(rf"((?:Prev |Next |Begin |End )?Bits): \[{_ADDRESS}, {_ADDRESS}\)")
_POLLING = re.compile(rf"Polling page: {_ADDRESS}")

# Facts

_PID = re.compile(r", pid=([0-9]{1,10})\b")
_MEMORY = re.compile(r"Memory: ([0-9]{1,4})k page, physical ([0-9]{1,15})k.{0,80}?(?:swap ([0-9]{1,15})k|$)")
_MEMINFO = re.compile(r"(MemTotal|SwapTotal): {1,20}([0-9]{1,15}) kB$")
_UNAME = re.compile(r"uname: ?(\S{1,40}) (\S{1,100}) .{0,300}?(\S{1,20})$")
_WINDOWS = re.compile(r"OS: ?(Windows .{1,200})$")
_BSDUNAME = re.compile(r"OS: ?Bsd ?uname:(\S{1,40}) (\S{1,100}) ")
_TIME = re.compile(
    r"[Tt]ime: (\w{3} \w{3} [ 0-9]\d \d\d:\d\d:\d\d \d{4})(?: (\w{1,40}))?"
    r"(?:.{0,40}elapsed time: ([0-9]{1,12}\.[0-9]{1,12}) seconds)?"
)
_LIMITS = re.compile(r"rlimit(?: \(soft/hard\))?: ?(.{1,600})$")
_LIMIT = re.compile(r"(STACK|DATA|AS|RSS|MEMLOCK) ([0-9]{1,15}k|infinity)")
_COUNTS = re.compile(r"/proc/sys/vm/(overcommit_memory|max_map_count).{0,120}?: ([0-9]{1,9})$")
_HUGE = re.compile(r"\[(always|madvise|never)\]")
_SIZE = re.compile(r"Virtual Size: ([0-9]{1,15})K(?: \(peak: ([0-9]{1,15})K\))?")
_RSS = re.compile(r"Resident Set Size: ([0-9]{1,15})K(?: \(peak: ([0-9]{1,15})K\))?")
_SWAP = re.compile(r"Swapped out: ([0-9]{1,15})K")


def find(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """Find the logs: each from its heading to the next; without headings, from each list of libraries."""
    heads = [index for index, line in enumerate(lines) if _HEAD.match(line.text)]
    titles = [index for index, line in enumerate(lines) if line.text.strip() == _TITLE]
    if not heads and not titles:
        return list(_module_runs(lines))
    if not heads:
        return list(_spans(titles, len(lines)))
    spans = list(_spans(heads, len(lines)))
    return [(first, stop) for first, stop in spans if any(first < title < stop for title in titles)]


def _mark(text: str) -> Mark | None:
    """Return the role of a line that only such a log has; its rows on Linux are those of ``maps``."""
    if _HEAD.match(text) or text.strip() == _TITLE:
        return Mark(LineRole.BEGIN)
    found = _MODULE.fullmatch(text)
    return Mark(LineRole.ROW, hexadecimal(found[1])) if found and _WINDOWS_PATH.match(found[3]) else None


def _spans(starts: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    yield from zip(starts, [*starts[1:], end], strict=True)


def _module_runs(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield the runs of Windows modules in a text that holds nothing else of a log."""
    first: int | None = None
    for index, line in enumerate([*lines, Line(0, "")]):
        if _MODULE.fullmatch(line.text):
            first = index if first is None else first
        elif first is not None:
            if index - first > 1:
                yield first, index
            first = None


def parse(section: Section) -> Snapshot:
    """Read the mappings, and whose they are.

    Raises:
        ListingError: mappings overlap, or the list of libraries is not one.
    """
    return _HsErrReader(section).read()


class _HsErrReader:
    def __init__(self, section: Section) -> None:
        self.section = section
        self.draft = Draft(section, "hs-err")
        self.claims: list[TaggedRange] = []
        self.threads: dict[int, Thread] = {}
        self.facts: dict[str, str] = {}
        self.limits: dict[str, str] = {}
        self.code: str | None = None  # the code heap whose bounds come next
        self.listed = not any(line.text.strip() == _TITLE for line in section.lines)  # inside the list
        self.linux = False

    def read(self) -> Snapshot:
        for line in self.section.lines:
            text = line.text
            if text.strip() == _TITLE:
                self.listed = True
                self.draft.know(line)
            elif self.listed:
                self._library(line)
            else:
                self._elsewhere(line)
        return self._finished()

    def _elsewhere(self, line: Line) -> None:
        """Read a line outside the list: all but rows and marks of omission are the log's other sections."""
        if kernel_row(line.text) is None and not is_elision(line.text):
            self.draft.know(line)
        if len(line.text) < 2000:
            self._fact(line.text)

    # The list

    def _library(self, line: Line) -> None:
        text = line.text
        if (mapping := kernel_row(text)) is not None:
            self.linux = True
            self.draft.add(line, mapping)
        elif found := _MODULE.fullmatch(text):
            self._module(line, hexadecimal(found[1]), hexadecimal(found[2]), found[3])
        elif found := _BASE.fullmatch(text):
            self._module(line, hexadecimal(found[1]), None, found[2])
        elif found := _COUNT.match(text):
            self._compare(int(found[1]))
            self.draft.know(line)
            self.listed = False
        elif text.startswith("Can not get library information"):
            self.draft.doubt("the libraries could not be read", [line.number])
        elif not text.strip():
            self.listed = not self.draft.rows
        elif is_elision(text):
            pass
        elif is_beginning(text):
            self.draft.doubt("cut off in the middle of a row", [line.number])
        elif self.draft.rows and _NEXT_PART.match(text):
            self.listed = False
            self._elsewhere(line)
        elif self.draft.rows:
            pass  # the draft names it
        else:
            raise self.section.refusal(line, EXPECTED)

    def _module(self, line: Line, start: int | None, end: int | None, path: str) -> None:
        if start is None or (end is not None and start >= end):
            self.draft.could_not_read(line)
            return
        self.draft.add(line, Mapping(start, end, "????", Kind.IMAGE, None, None, None, path.strip()))

    def _compare(self, stated: int) -> None:
        if stated != len(self.draft.rows):
            self.draft.doubt(f"the log counts {stated:,} mappings, its rows are {len(self.draft.rows):,}")

    # What the machine says of its own memory

    def _fact(self, text: str) -> None:
        if "0x" in text:
            self._place(text)
        if "pid" not in self.facts and (found := _PID.search(text)):
            self.facts["pid"] = found[1]
        if not self._measure(text):
            self._host(text)

    def _place(self, text: str) -> None:
        if found := _STACK.search(text):
            self._stack(text, found)
        elif found := _HEAP.search(text):
            low = int(found[1], 16)
            self._claim(low, low + (int(found[2]) << 20), "jvm heap", text)
        elif found := _SPACE.match(text):
            name = "jvm metaspace" if "perm" in found[1].lower() else "jvm heap"
            self._claim(int(found[2], 16), int(found[4], 16), name, text, found[1])
        elif (found := _BOUNDS.search(text)) and self.code is not None:
            self._claim(int(found[1], 16), int(found[3], 16), "jvm code cache", text, self.code or None)
        elif found := _CLASSES.search(text):
            low = int(found[1] or found[4], 16)
            high = int(found[2], 16) if found[2] else low + int(found[3])
            self._claim(low, high, "jvm class space", text)
        elif found := _ARCHIVE.search(text):
            self._claim(int(found[1], 16), int(found[3] or found[2], 16), "jvm cds", text)
        elif found := _TABLE.search(text):
            self._claim(int(found[1], 16), int(found[2], 16), "jvm gc", text, "card table")
        elif found := _BITS.search(text):
            self._claim(int(found[2], 16), int(found[3], 16), "jvm gc", text, f"marking {found[1].lower()}")
        elif found := _POLLING.search(text):
            low = int(found[1], 16)
            self._claim(low, low + 4096, "jvm internal", text, "polling page")
        self.code = None

    def _claim(self, low: int, high: int, name: str, text: str, label: str | None = None) -> None:
        if low < high <= 1 << 64 and len(self.claims) < _MOST_CLAIMS:
            self.claims.append(TaggedRange(low, high, name, f"the log says: {text.strip()[:200]}", label))

    def _stack(self, text: str, found: re.Match[str]) -> None:
        low, high = int(found[1], 16), -(-int(found[2], 16) // 4096) * 4096  # the thread's own record tops it
        tid, name = _TID.search(text), _QUOTED.search(text)
        label = name[1] if name else None
        number = int(tid[1]) if tid else None
        if low < high <= 1 << 64 and len(self.claims) < _MOST_CLAIMS:
            evidence = f"the log says: {text.strip()[:200]}"
            self.claims.append(TaggedRange(low, high, "thread stack", evidence, label, number))
            if number is not None:
                self.threads.setdefault(number, Thread(tid=number, name=label))

    def _measure(self, text: str) -> bool:
        if found := _CODE.match(text):
            self.code = found[1] or ""
        elif found := _SIZE.match(text):
            self._rollup("size", found[1])
            self.facts["peak size"] = found[2] or ""
        elif found := _RSS.match(text):
            self._rollup("rss", found[1])
            self.facts["peak rss"] = found[2] or ""
        elif found := _SWAP.match(text):
            self._rollup("swap", found[1])
        else:
            return False
        return True

    def _rollup(self, name: str, kilobytes: str) -> None:
        self.draft.rollup[name] = int(kilobytes) << 10

    def _host(self, text: str) -> None:
        if found := _MEMORY.match(text):
            page, physical, swap = found.groups()
            self.facts |= {"page": page, "MemTotal": physical} | ({"SwapTotal": swap} if swap else {})
        elif found := _MEMINFO.match(text):
            self.facts.setdefault(found[1], found[2])
        elif found := _BSDUNAME.match(text):
            self.facts |= {"system": found[1], "kernel": found[2]}
        elif found := _UNAME.match(text):
            self.facts |= {"system": found[1], "kernel": found[2], "machine": found[3]}
        elif found := _WINDOWS.match(text):
            self.facts |= {"system": found[1].strip()}
        elif found := _TIME.match(text):
            self.facts |= {"time": found[1], "zone": found[2] or "", "elapsed": found[3] or ""}
        elif found := _LIMITS.match(text):
            self.limits |= {name.lower(): size for name, size in _LIMIT.findall(found[1])}
        elif found := _COUNTS.match(text):
            self.facts[found[1]] = found[2]
        elif len(text) < 40 and "huge" not in self.facts and (found := _HUGE.search(text)):
            self.facts["huge"] = found[1]

    # The end

    def _finished(self) -> Snapshot:
        draft = self.draft
        if not self.linux and draft.rows:
            draft.doubt("the log lists libraries only, without permissions")
            if any(row.mapping.end is None for row in draft.rows):
                draft.doubt("the log tells where each library begins, not where it ends")
        draft.process, draft.host = self._process(), self._machine()
        if self.linux:
            mappings = with_kinds(row.mapping for row in draft.rows)
            draft.rows = [
                row._replace(mapping=mapping) for row, mapping in zip(draft.rows, mappings, strict=True)
            ]
        if not draft.rows and not draft.unread:
            raise self.section.refusal(self.section.lines[-1], EXPECTED)
        snapshot = draft.snapshot(EXPECTED, kinds=False)
        self.claims += [
            TaggedRange(
                mapping.start,
                mapping.end,
                "jvm heap",
                "the memory file is HotSpot's java_heap",
            )
            for mapping in snapshot.placed
            if mapping.path == "/memfd:java_heap"
        ]
        self.claims.sort(key=lambda claim: claim.name != "thread stack")  # the narrowest stand first
        owned = with_jvm_ranges(snapshot.mappings, self.claims)
        return snapshot.model_copy(update={"mappings": tuple(owned), "taken_at": self._taken_at()})

    def _process(self) -> Process:
        pid, taken, elapsed = self.facts.get("pid"), self._taken_at(), self.facts.get("elapsed")
        started = taken - timedelta(seconds=float(elapsed)) if taken and elapsed else None
        return Process(
            pid=int(pid) if pid else None,
            started_at=started,
            threads=tuple(sorted(self.threads.values(), key=lambda thread: thread.tid)) or None,
            peak_size=_kilobytes(self.facts.get("peak size")),
            peak_rss=_kilobytes(self.facts.get("peak rss")),
            limits={name: _limit(size) for name, size in self.limits.items()} or None,
        )

    def _machine(self) -> Host:
        facts = self.facts
        return Host(
            system=facts.get("system") or ("Linux" if self.linux else None),
            kernel=facts.get("kernel"),
            machine=facts.get("machine"),
            page_size=_kilobytes(facts.get("page")),
            memory_total=_kilobytes(facts.get("MemTotal")),
            swap_total=_kilobytes(facts.get("SwapTotal")),
            overcommit_memory=int(facts["overcommit_memory"]) if "overcommit_memory" in facts else None,
            max_map_count=int(facts["max_map_count"]) if "max_map_count" in facts else None,
            transparent_hugepages=facts.get("huge"),
        )

    def _taken_at(self) -> datetime | None:
        """Return the time of the crash where its zone leaves no doubt."""
        if self.facts.get("zone") not in {"UTC", "GMT"}:
            return None
        try:
            local = datetime.strptime(self.facts["time"], "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007  # the zone is named
        except ValueError:
            return None
        return local.replace(tzinfo=UTC)


def _kilobytes(text: str | None) -> int | None:
    return int(text) << 10 if text else None


def _limit(text: str) -> int | Literal["unlimited"]:
    found = amount(text)
    return "unlimited" if found is None else found[0]


FORMAT = TextFormat(
    "hs-err",
    hint=re.compile(r"Dynamic libraries:|0x[0-9a-f]{1,16} - 0x[0-9a-f]{1,16}\s{1,20}[A-Z]:\\"),
    mark=_mark,
    parse=parse,
    find=find,
    embeds=("maps or smaps", "system-map", "gdb"),
)
