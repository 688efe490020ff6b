"""A live process -> Snapshot, and how far it can be trusted.

The kernel gives no coherent picture: it drops its lock between two pages of text, and a process that
exits or execs while it is being read ends the text early, without an error. So the layout is read
three times (``maps``, the listing itself, ``maps`` again); where the three differ the reading is
repeated, and what still differs after that is a doubt of the snapshot.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import vmdiff
from vmdiff.errors import ListingError, ProcessError
from vmdiff.formats import smaps
from vmdiff.linux import facts, names
from vmdiff.linux.pagecache import add_file_facts
from vmdiff.linux.proc import ProcessFolder, Stat
from vmdiff.linux.stream import texts
from vmdiff.model import Mapping, Origin, Snapshot, add, in_order
from vmdiff.units import size

Detail = Literal["maps", "smaps"]
Notify = Callable[[str], None]

SOURCE = "linux-proc"
ROLLUP = "smaps_rollup"
ATTEMPTS = 3

# Walking page tables takes about 10 ms for a GiB of small pages, and holds up whoever maps meanwhile.
WALK_SECONDS_PER_BYTE = 0.010 / (1 << 30)
WORTH_SAYING = 2.0  # seconds
TOO_LONG_TWICE = 0.5


class _Reading(NamedTuple):
    listing: smaps.Listing
    rollup: dict[str, int | None] | None
    before: bytes
    after: bytes
    same_process: bool

    @property
    def consistent(self) -> bool:
        return self.same_process and self.before == self.listing.layout == self.after


def read(
    folder: ProcessFolder,
    *,
    detail: Detail = "smaps",
    arguments: bool = False,
    label: str | None = None,
    notify: Notify | None = None,
) -> Snapshot:
    """Take a snapshot of the process behind *folder*, without owners.

    *detail* ``maps`` leaves the counters out, which costs the process next to nothing; *arguments*
    keeps the command line; *notify* is told when the reading will take long.

    Raises:
        ProcessError: the process has no memory, is not ours to look at, or ended meanwhile.
    """
    started = time.perf_counter()
    taken_at = datetime.now(UTC)
    stat = folder.stat()
    folder.check_memory(stat)
    doubts: list[str] = []
    detail = _possible(folder, detail, doubts)
    cost = _cost(folder) if detail == "smaps" else 0.0
    if notify and cost > WORTH_SAYING:
        notify(
            f"reading {folder.pid} will take about {cost:.0f} s; --detail maps is quick and has no counters"
        )
    reading, attempts = _until_consistent(folder, detail, stat, with_rollup=cost <= TOO_LONG_TWICE)
    doubts += _doubts(reading, attempts)
    if detail == "smaps" and cost > TOO_LONG_TWICE:
        doubts.append(f"the kernel's own total was not read: a second walk would take about {cost:.1f} s")
    whole = _disjoint(reading.listing.mappings)
    torn = len(reading.listing.mappings) - len(whole)
    if torn:
        doubts.append(
            f"{torn} mappings that overlap one before them were left out: the layout moved meanwhile"
        )
    mappings, open_names, added = _with_names(folder, whole, detail)
    process = facts.process_facts(folder, arguments=arguments)
    snapshot = Snapshot(
        taken_at=taken_at,
        label=label,
        origin=Origin(
            source=SOURCE,
            tool=f"vmdiff {vmdiff.__version__}",
            detail=detail,
            seconds=round(time.perf_counter() - started, 6),
            attempts=attempts,
            consistent=reading.consistent and not torn,
            doubts=tuple(doubts + open_names),
            counters=reading.listing.counters,
            attributes=(*reading.listing.attributes, *added),
        ),
        host=facts.host_facts(),
        process=process,
        rollup=reading.rollup,
        mappings=mappings,
    )
    return with_gap(snapshot)


def _with_names(
    folder: ProcessFolder, mappings: tuple[Mapping, ...], detail: Detail
) -> tuple[tuple[Mapping, ...], list[str], tuple[str, ...]]:
    """Settle what other files of the process tell of what is named; give doubts and added attributes, too."""
    named = {index: mapping for index, mapping in enumerate(mappings) if mapping.path is not None}
    doubts = names.settle(folder, named)
    names.add_build_ids(folder, named)
    added = add_file_facts(folder, named) if detail == "smaps" else ()
    settled = list(mappings)
    for index, mapping in named.items():
        settled[index] = mapping
    return tuple(settled), doubts, added


def _possible(folder: ProcessFolder, detail: Detail, doubts: list[str]) -> Detail:
    """Give the detail that this kernel can give: some have no smaps (CONFIG_PROC_PAGE_MONITOR)."""
    if detail == "smaps" and "smaps" not in folder.names("."):
        doubts.append("this kernel gives no smaps: nothing is known of what is resident")
        return "maps"
    return detail


def _cost(folder: ProcessFolder) -> float:
    """Guess the seconds that a walk over the process's page tables takes."""
    return (facts.resident(folder) or 0) * WALK_SECONDS_PER_BYTE


def _until_consistent(
    folder: ProcessFolder, detail: Detail, stat: Stat, *, with_rollup: bool
) -> tuple[_Reading, int]:
    """Read until the layout held still, a few times at the most; give the last reading."""
    attempts = 0
    while True:
        attempts += 1
        reading = _attempt(folder, detail, stat, with_rollup=with_rollup and detail == "smaps")
        if reading.consistent or attempts == ATTEMPTS:
            return reading, attempts


def _attempt(folder: ProcessFolder, detail: Detail, stat: Stat, *, with_rollup: bool) -> _Reading:
    image = _image(folder)
    look_before = detail == "smaps"  # the cheap listing is as quick as a look: two that agree are enough
    names = [*(["maps"] if look_before else []), detail, *([ROLLUP] if with_rollup else []), "maps"]
    try:
        with closing(texts(folder, names, optional=ROLLUP)) as parts:
            before = smaps.layout_of(next(parts)) if look_before else None
            listing = smaps.parse(
                next(parts), source=f"{folder.path}/{detail}", page_size=os.sysconf("SC_PAGE_SIZE")
            )
            rollup = _rollup(next(parts), folder) if with_rollup else None
            after = smaps.layout_of(next(parts))
        stat_after = folder.stat()
    except OSError as error:
        raise folder.explain(error) from error
    if not listing.mappings or stat_after.state in {"Z", "X"}:
        raise ProcessError(f"process {folder.pid} ended while it was being read")
    same = stat_after.start_ticks == stat.start_ticks and _image(folder) == image
    return _Reading(listing, rollup, before or listing.layout, after, same)


def _image(folder: ProcessFolder) -> tuple[object, ...]:
    """Give what changes when the process becomes another program."""
    status = folder.status_of("exe")
    return (folder.link("exe"), status and (status.st_dev, status.st_ino))


def _rollup(text: Iterator[bytes], folder: ProcessFolder) -> dict[str, int | None] | None:
    """Read the kernel's own totals in bytes, or None where it gives none (before 4.14)."""
    try:
        listing = smaps.parse(text, source=f"{folder.path}/{ROLLUP}")
    except ListingError:
        return None
    values = listing.mappings[0].values if listing.mappings else {}
    totals = {name: values.get(name, 0) for name in listing.counters}
    return {name: total for name, total in totals.items() if isinstance(total, int)} or None


def _disjoint(mappings: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    """Leave out what overlaps a mapping before it.

    A mapping that is replaced by a longer one while the kernel is between two pages of text appears twice.
    """
    if in_order(mappings):
        return mappings
    reach = 0
    kept = []
    for mapping in mappings:
        start, end = mapping[:2]
        if start is not None and end is not None and start >= reach:
            reach = end
            kept.append(mapping)
    return tuple(kept)


def _doubts(reading: _Reading, attempts: int) -> Iterator[str]:
    if not reading.same_process:
        yield "the process became another program while it was being read"
    elif not reading.consistent:
        yield f"the layout moved while it was being read, in all of {attempts} attempts"


def with_gap(snapshot: Snapshot) -> Snapshot:
    """Note by how much the mappings' resident sizes miss the kernel's own total."""
    stated = (snapshot.rollup or {}).get("rss")
    if stated is None:
        return snapshot
    value = snapshot.value
    total = add([value(mapping, "rss") for mapping in snapshot.mappings])
    if total is None or total == stated:
        return snapshot
    gap = f"{size(abs(total - stated))} {'more' if total > stated else 'less'}"
    doubt = f"the mappings' resident sizes add up to {gap} than the kernel's own total"
    return snapshot.noting(doubt)
