"""A process of a bundle -> Snapshot: what its text files tell, or an error that says what is damaged.

A listing that is not whole is not read: the sums of a part of it would be other numbers. If ``smaps`` is
damaged ``maps`` stands in for it, which has no counters; a small file that is damaged tells nothing.
Facts: proc(5). A tick is 1/100 s on all machines that Linux runs on today (USER_HZ).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from vmdiff.errors import InputError, ListingError
from vmdiff.importers.bundle.frames import MARK, Frame, Framed, find, framed, marked
from vmdiff.importers.draft import NOT_READ, places
from vmdiff.importers.format_protocol import TextFormat
from vmdiff.importers.pasted.lines import Line, cut_into_lines, decode
from vmdiff.importers.pasted.prefixes import at_line_start
from vmdiff.importers.procfs import fast_reader, process_files, smaps_rollup
from vmdiff.importers.procfs.process_files import fields, kb, number
from vmdiff.importers.procfs.stat_line import Stat, stat_of
from vmdiff.importers.sections import LineRole, Mark, Section
from vmdiff.model import MOST_MAPPINGS, Host, Origin, Process, Snapshot, Thread
from vmdiff.model.snapshot_set import MOST_MEMBERS, Missing, SnapshotSet

SOURCE = "bundle"
_TICKS = 100
_HEAD = 80  # bytes in which the first line begins
_PAGE_SIZE = re.compile(rb"^KernelPageSize:[ \t]+([0-9]{1,12}) kB$", re.MULTILINE)
_MOST_THREADS = 100_000
_OPTIONAL = frozenset({"smaps", "smaps_rollup"})  # not every kernel has them
_EXPECTED = "a line of a file that vmdiff collector printed"


class _BestListing(NamedTuple):
    detail: Literal["maps", "smaps"]
    listing: fast_reader.Listing
    page_size: int | None


def snapshot_of(process: Framed, source: str) -> Snapshot:
    """Read one process.

    Raises:
        InputError: it was absent, has no memory, or none of its listings is whole.
    """
    where = f"{source}: process {process.pid}"
    if "absent" in process.files:
        raise InputError(f"{where}: there is no such process, or no /proc, where the bundle was made")
    damaged = {name: fault for name, frame in process.files.items() if (fault := frame.fault)}
    whole = _Whole({name: frame for name, frame in process.files.items() if name not in damaged})
    stat = stat_of(whole.text("stat"))
    if stat is not None and stat.pid != process.pid:
        raise InputError(f"{where}: its stat is of process {stat.pid}")
    layout = _layout(whole, where, damaged)
    consistent = _consistent(whole, layout, stat)
    snapshot = Snapshot(
        taken_at=_taken_at(whole),
        origin=Origin(
            source=SOURCE,
            detail=layout.detail,
            attempts=1,
            consistent=consistent,
            doubts=tuple(_doubts(process, damaged, layout, consistent=consistent)),
            counters=layout.listing.counters,
            attributes=layout.listing.attributes,
        ),
        host=_host(whole, layout.page_size),
        process=_process(process.pid, whole, stat),
        rollup=_rollup(whole),
        mappings=layout.listing.mappings,
    )
    return smaps_rollup.with_gap(snapshot)


class _Whole:
    """The files that are as the collector printed them."""

    def __init__(self, frames: dict[str, Frame]) -> None:
        self._frames = frames

    def data(self, name: str) -> bytes | None:
        frame = self._frames.get(name)
        return frame.text if frame and frame.lines else None

    def text(self, name: str) -> str | None:
        data = self.data(name)
        return None if data is None else data.decode(errors="backslashreplace")

    def line(self, name: str) -> str | None:
        """Return a text of one line, as links and kernel parameters are."""
        text = self.text(name)
        return text.removesuffix("\n") if text and text.count("\n") == 1 else None


def _layout(whole: _Whole, where: str, damaged: dict[str, str]) -> _BestListing:
    """Read the best listing that is whole."""
    for name, detail in (("smaps", "smaps"), ("maps", "maps"), ("maps-again", "maps")):
        data = whole.data(name)
        if data is None:
            continue
        try:
            found = _parsed(data, where, name)
        except ListingError as error:
            damaged[name] = str(error)
            continue
        if len(found.listing.mappings) > MOST_MAPPINGS:
            raise InputError(f"{where}: more than {MOST_MAPPINGS:,} mappings")
        if found.listing.mappings and (name != "smaps" or found.listing.uniform):
            return found._replace(detail="smaps" if detail == "smaps" else "maps")
        damaged.setdefault(name, f"{name} does not report the same of all mappings")
    why = next((damaged[name] for name in ("smaps", "maps", "maps-again") if damaged.get(name)), None)
    raise InputError(f"{where}: {why or 'it has no memory to look at, or the bundle is cut off before it'}")


def _parsed(data: bytes, where: str, name: str) -> _BestListing:
    sizes = {int(size) << 10 for size in set(_PAGE_SIZE.findall(data))} - {0}
    page_size = min(sizes, default=None)
    return _BestListing(
        "maps", fast_reader.parse([data], source=f"{where}: {name}", page_size=page_size), page_size
    )


def _consistent(whole: _Whole, layout: _BestListing, stat: Stat | None) -> bool | None:
    """Return whether the layout and the process were the same before and after; None if that is unknown."""
    before, after = whole.data("maps"), whole.data("maps-again")
    again = stat_of(whole.text("stat-again"))
    if before is None or after is None or stat is None or again is None:
        return None
    return before == layout.listing.layout == after and stat.start_ticks == again.start_ticks


def _doubts(
    process: Framed, damaged: dict[str, str], layout: _BestListing, *, consistent: bool | None
) -> Iterator[str]:
    if layout.detail == "maps":
        why = damaged.get("smaps") or "the bundle has no smaps"
        yield f"{why}: nothing is known of what is resident"
    yield from (f"{fault}: not used" for name, fault in damaged.items() if fault and name != "smaps")
    if not process.done:
        yield "the bundle ends before the end of this process"
    if process.stray:
        yield f"{places(process.stray)}: {NOT_READ}"
    if consistent is None:
        yield "the layout was not seen twice: it may have moved while it was being read"
    elif not consistent:
        yield "the layout moved while it was being read"


def _rollup(whole: _Whole) -> dict[str, int | None] | None:
    data = whole.data("smaps_rollup")
    return None if data is None else smaps_rollup.totals_of([data])


def _host(whole: _Whole, page_size: int | None) -> Host:
    memory = fields(whole.text("meminfo"))
    return Host(
        name=whole.line("hostname"),
        system=whole.line("ostype"),
        kernel=whole.line("osrelease"),
        machine=whole.line("machine"),
        page_size=page_size,
        boot_id=whole.line("boot_id"),
        memory_total=kb(memory.get("MemTotal")),
        swap_total=kb(memory.get("SwapTotal")),
        overcommit_memory=number(whole.text("overcommit_memory")),
        max_map_count=number(whole.text("max_map_count")),
        transparent_hugepages=process_files.chosen(whole.text("thp")),
    )


def _process(pid: int, whole: _Whole, stat: Stat | None) -> Process:
    status = fields(whole.text("status"))
    ticks = stat.start_ticks if stat else None
    return Process(
        pid=pid,
        own_pid=process_files.own_pid(status),
        pid_namespace=whole.line("pid_namespace"),
        parent=stat.parent if stat else None,
        start_ticks=ticks,
        started_at=_since_boot(whole, ticks / _TICKS) if ticks is not None else None,
        name=stat.name if stat else None,
        executable=whole.line("exe"),
        user=_user(status.get("Uid", "")),
        threads=_threads(whole),
        minor_faults=stat.minor_faults if stat else None,
        major_faults=stat.major_faults if stat else None,
        page_tables=kb(status.get("VmPTE")),
        peak_size=kb(status.get("VmPeak")),
        peak_rss=kb(status.get("VmHWM")),
        limits=process_files.limits(whole.text("limits")),
        cgroup=process_files.cgroup(whole.text("cgroup")),
    )


def _user(uids: str) -> str | None:
    """Return the number of the user, whose name is known there only; that of 0 is known everywhere."""
    uid = next(iter(uids.split()), None)
    return "root" if uid == "0" else uid


def _threads(whole: _Whole) -> tuple[Thread, ...] | None:
    """Pair the ids of threads with their names, which were listed in the same order."""
    tids = (whole.text("tids") or "").split()
    names = (whole.text("names") or "").removesuffix("\n").split("\n")
    if not tids or len(tids) > _MOST_THREADS or not all(map(_is_tid, tids)):
        return None
    named = zip(tids, names if len(names) == len(tids) else [None] * len(tids), strict=True)
    return tuple(sorted((Thread(tid=int(tid), name=name) for tid, name in named), key=lambda one: one.tid))


def _is_tid(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def _taken_at(whole: _Whole) -> datetime | None:
    found = re.match(r"([0-9]{1,12}\.[0-9]+) ", whole.text("uptime") or "")
    return _since_boot(whole, float(found[1])) if found else None


def _since_boot(whole: _Whole, seconds: float) -> datetime | None:
    found = re.fullmatch(r"btime ([0-9]{1,11})", whole.line("btime") or "")
    try:
        return datetime.fromtimestamp(int(found[1]), UTC) + timedelta(seconds=seconds) if found else None
    except (OverflowError, ValueError):
        return None


def parse(section: Section) -> Snapshot:
    """Read the lines of one process.

    Raises:
        InputError: none of its listings is whole.
    """
    return snapshot_of(framed(section.lines), section.source)


def quick(data: bytes, source: str) -> Snapshot | None:
    """Read a bundle of one process that nobody touched; None where that is not what it is."""
    if not data[:_HEAD].lstrip().startswith(MARK.encode()):
        return None
    lines = cut_into_lines(decode(data, source), source)
    found = find(lines)
    if len(found) != 1 or any(line.text.strip() for line in (*lines[: found[0][0]], *lines[found[0][1] :])):
        return None
    process = framed(lines[found[0][0] : found[0][1]])
    is_whole = process.done and not process.stray and not any(one.fault for one in process.files.values())
    return snapshot_of(process, source) if is_whole else None


def processes(lines: Sequence[Line]) -> list[Framed]:
    """Return the processes of a bundle."""
    return [framed(lines[first:stop]) for first, stop in find(lines)]


def set_of(found: Sequence[Framed], source: str) -> SnapshotSet:
    """Read several processes; those that cannot be read, and those that were cut off, are missing.

    Raises:
        InputError: none can be read.
    """
    members: list[Snapshot] = []
    missing: list[Missing] = []
    for process in sorted(found, key=lambda one: one.pid):
        try:
            members.append(snapshot_of(process, source))
        except InputError as error:
            missing.append(Missing(pid=process.pid, reason=str(error)))
    if not members:
        raise InputError(missing[0].reason if missing else f"{source}: no process in it")
    many = max(process.many for process in found)
    numbers = {process.number for process in found}
    lost = [number for number in range(1, min(many, MOST_MEMBERS) + 1) if number not in numbers]
    if lost:
        what = f"{len(lost):,} of {many:,} processes that were asked for are not in the bundle"
        missing.append(Missing(reason=f"{source}: {what}: it is cut off"))
    taken_at = min((one.taken_at for one in members if one.taken_at), default=None)
    return SnapshotSet(taken_at=taken_at, members=tuple(members), missing=tuple(missing))


def _mark(text: str) -> Mark | None:
    return Mark(LineRole.ROW) if marked(text) else None


FORMAT = TextFormat(
    "bundle",
    hint=at_line_start(MARK),
    mark=_mark,
    parse=parse,
    find=find,
    quick=quick,
    embeds=("maps or smaps",),
    expected=_EXPECTED,
    exact=True,
)
