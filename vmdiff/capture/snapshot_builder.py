"""What was read of a process -> Snapshot: the listing, its names settled, and the facts beside it."""

import os
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic import ValidationError

import vmdiff
from vmdiff.capture import mapped_names, process_info
from vmdiff.capture.machine_facts import Machine
from vmdiff.capture.page_cache import FileFacts, with_file_facts
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.capture.raw_reading import Detail, Reading
from vmdiff.importers.procfs import fast_reader, smaps_rollup
from vmdiff.importers.procfs.stat_line import Stat
from vmdiff.model import Mapping, Origin, Snapshot

SOURCE = "linux-proc"


def listing_of(
    text: Iterable[bytes], folder: ProcessFolder, detail: Detail, machine: Machine | None
) -> fast_reader.Listing:
    """Take ``maps`` or ``smaps`` apart."""
    records = None if machine is None else machine.records
    page_size = os.sysconf("SC_PAGE_SIZE")
    return fast_reader.parse(text, source=f"{folder.path}/{detail}", page_size=page_size, records=records)


def rollup_of(text: Iterable[bytes]) -> dict[str, int | None] | None:
    """Read the kernel's own totals in bytes, or None where it gives none (before 4.14)."""
    return smaps_rollup.totals_of(text)


def totals_alone(rollup: dict[str, int | None], stat: Stat, *, same_process: bool) -> Reading:
    """Return a reading without mappings."""
    listing = fast_reader.Listing((), tuple(rollup), (), b"", uniform=True)
    return Reading(listing, rollup, b"", b"", stat, same_process)


def assembled(
    folder: ProcessFolder,
    reading: Reading,
    machine: Machine,
    *,
    detail: Detail,
    attempts: int,
    doubts: Sequence[str],
    started: float,
    taken_at: datetime,
    label: str | None,
    arguments: bool,
) -> Snapshot:
    """Build the snapshot from what was read, in *attempts*, and what other files of the process tell.

    The reading *started* at that time of `time.perf_counter`; *arguments* keeps the command line.
    """
    if detail == "totals":
        named = _Named((), (), ())
    else:
        named = _with_names(folder, machine, reading.listing.mappings, detail)
    known = None if detail == "totals" else named.mappings
    process = process_info.process_facts(folder, machine, reading.stat, known, arguments=arguments)
    snapshot = _whole(
        named.mappings,
        taken_at=taken_at,
        label=label,
        origin=Origin(
            source=SOURCE,
            tool=f"vmdiff {vmdiff.__version__}",
            detail=detail,
            seconds=round(time.perf_counter() - started, 6),
            attempts=attempts,
            consistent=reading.consistent,
            doubts=(*doubts, *named.doubts, *process_info.cut_arguments(folder, process.arguments)),
            counters=reading.listing.counters,
            attributes=(*reading.listing.attributes, *named.attributes),
        ),
        host=machine.host,
        process=process,
        rollup=reading.rollup,
    )
    return smaps_rollup.with_gap(snapshot)


def _whole(mappings: tuple[Mapping, ...], *, origin: Origin, **fields: Any) -> Snapshot:
    """Build the snapshot; if that cannot be, of the mappings that do not overlap one before them."""
    try:
        return Snapshot(mappings=mappings, origin=origin, **fields)
    except ValidationError:
        whole = _disjoint(mappings)
        torn = len(mappings) - len(whole)
        if not torn:
            raise
    doubt = f"left out, since they overlap a mapping before them: {torn}; the layout moved meanwhile"
    return Snapshot(mappings=whole, origin=origin, **fields).noting(doubt, consistent=False)


def _disjoint(mappings: tuple[Mapping, ...]) -> tuple[Mapping, ...]:
    """Leave out what overlaps a mapping before it.

    A mapping that is replaced by a longer one while the kernel is between two pages of text appears twice.
    """
    reach = 0
    kept = []
    for mapping in mappings:
        start, end = mapping[:2]
        if start is not None and end is not None and start >= reach:
            reach = end
            kept.append(mapping)
    return tuple(kept)


class _Named(NamedTuple):
    """All mappings with their names settled, the doubts about these, and attributes that were added."""

    mappings: tuple[Mapping, ...]
    doubts: tuple[str, ...]
    attributes: tuple[str, ...]


def _with_names(
    folder: ProcessFolder, machine: Machine, mappings: tuple[Mapping, ...], detail: Detail
) -> _Named:
    """Settle what other files of the process say of the mappings that have a name."""
    files = machine.file_systems(folder.text("mountinfo"))
    with_path = compress(range(len(mappings)), map(attrgetter("path"), mappings))
    named = {index: mappings[index] for index in with_path}
    settled = mapped_names.settle(folder, files, named)
    identified = mapped_names.with_build_ids(folder, files, settled.mappings)
    whole = FileFacts(identified.mappings)
    if detail == "smaps":
        whole = with_file_facts(folder, files, identified.mappings)
    every = list(mappings)
    for index, mapping in whole.mappings.items():
        every[index] = mapping
    return _Named(tuple(every), (*settled.doubts, *identified.doubts), whole.attributes)
