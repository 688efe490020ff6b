"""Read a live process until successive reads of its layout agree, then build a Snapshot.

The kernel shows no coherent picture: it drops its lock between two pages of text (m_stop of
fs/proc/task_mmu.c), and a process that exits or execs while it is being read ends the text early, without
an error. So the layout is read three times (``maps``, the listing itself, ``maps`` again); where the three
differ the reading is repeated, and what still differs after that is a doubt of the snapshot. Where they
agree, no change was seen: one that was undone again between two pages of text can be missed, unless the
process is frozen. The kernel's own totals are one text, read once.

What understands the text (`snapshot_builder`, the models, pydantic) is loaded while the kernel works: it
takes longer to write the text of many mappings.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.capture.raw_reading import ROLLUP, Detail, Reading
from vmdiff.capture.read_ahead import Texts
from vmdiff.errors import ProcessError
from vmdiff.importers.procfs.stat_line import Stat

if TYPE_CHECKING:
    from vmdiff.capture.machine_facts import Machine
    from vmdiff.model import Snapshot

# Late imports: the models are loaded while the kernel writes the text of the mappings, see above.

Notify = Callable[[str], None]

ATTEMPTS = 3

# Walking page tables takes about 10 ms for a GiB of small pages, and holds up whoever maps meanwhile.
WALK_SECONDS_PER_BYTE = 0.010 / (1 << 30)
WORTH_SAYING = 2.0  # seconds
TOO_LONG_TWICE = 0.5


def read(
    folder: ProcessFolder,
    *,
    detail: Detail = "smaps",
    arguments: bool = False,
    label: str | None = None,
    notify: Notify | None = None,
    machine: "Machine | None" = None,
) -> "Snapshot":
    """Take a snapshot of the process behind *folder*, without owners.

    *detail* ``maps`` leaves the counters out, which costs the process next to nothing, ``totals`` the
    mappings; *arguments* keeps the command line; *notify* is told when the reading will take long; a
    *machine* spares reading again what its processes have in common.

    Raises:
        ProcessError: the process has no memory, is not ours to look at, or ended meanwhile.
    """
    started = time.perf_counter()
    taken_at = datetime.now(UTC)
    stat = folder.stat()
    folder.check_memory(stat)
    wanted, detail = detail, _possible(folder, detail)
    cost = _cost(folder) if detail == "smaps" else 0.0
    if notify and cost > WORTH_SAYING:
        notify(
            f"reading {folder.pid} will take about {cost:.0f} s; --detail maps is quick and has no counters"
        )
    if detail == "totals":
        reading, attempts = _totals(folder, stat), 1
    else:
        with_rollup = detail == "smaps" and cost <= TOO_LONG_TWICE
        reading, attempts = _until_consistent(folder, detail, stat, machine, with_rollup=with_rollup)
    doubts = list(_doubts(reading, attempts))
    if detail != wanted:
        doubts.insert(0, "this kernel gives no smaps: nothing is known of what is resident")
    if detail == "smaps" and cost > TOO_LONG_TWICE:
        doubts.append(f"the kernel's own total was not read: a second walk would take about {cost:.1f} s")
    from vmdiff.capture.machine_facts import Machine
    from vmdiff.capture.snapshot_builder import assembled

    return assembled(
        folder,
        reading,
        machine or Machine(),
        arguments=arguments,
        taken_at=taken_at,
        label=label,
        detail=detail,
        attempts=attempts,
        doubts=doubts,
        started=started,
    )


def _possible(folder: ProcessFolder, detail: Detail) -> Detail:
    """Return the detail that this kernel has: some have no smaps (CONFIG_PROC_PAGE_MONITOR)."""
    return "maps" if detail == "smaps" and folder.status_of("smaps") is None else detail


def _cost(folder: ProcessFolder) -> float:
    """Guess the seconds that a walk over the process's page tables takes."""
    return (folder.resident() or 0) * WALK_SECONDS_PER_BYTE


def _until_consistent(
    folder: ProcessFolder, detail: Detail, stat: Stat, machine: "Machine | None", *, with_rollup: bool
) -> tuple[Reading, int]:
    """Read until the layout held still, a few times at the most; give the last reading."""
    attempts = 0
    while True:
        attempts += 1
        reading = _attempt(folder, detail, stat, machine, with_rollup=with_rollup)
        if reading.consistent or attempts == ATTEMPTS:
            return reading, attempts


def _attempt(
    folder: ProcessFolder, detail: Detail, stat: Stat, machine: "Machine | None", *, with_rollup: bool
) -> Reading:
    identity = folder.identity(stat)
    look_before = detail == "smaps"  # the cheap listing is as quick as a look: two that agree are enough
    names = [*(["maps"] if look_before else []), detail, *([ROLLUP] if with_rollup else []), "maps"]
    try:
        with closing(Texts(folder, names, optional=ROLLUP)) as texts:
            from vmdiff.capture import snapshot_builder

            before = b"".join(next(texts)) if look_before else None
            listing = snapshot_builder.listing_of(next(texts), folder, detail, machine)
            rollup = snapshot_builder.rollup_of(next(texts)) if with_rollup else None
            after = b"".join(next(texts))
        stat_after = folder.stat()
    except OSError as error:
        raise folder.explain(error) from error
    if not listing.mappings or stat_after.state in {"Z", "X"}:
        raise ProcessError(f"process {folder.pid} ended while it was being read")
    same = folder.identity(stat_after) == identity
    return Reading(listing, rollup, listing.layout if before is None else before, after, stat_after, same)


def _totals(folder: ProcessFolder, stat: Stat) -> Reading:
    """Read the kernel's own totals alone.

    Raises:
        ProcessError: the process ended, or this kernel states none (before 4.14).
    """
    identity = folder.identity(stat)
    try:
        text = folder.contents(ROLLUP)
    except FileNotFoundError as error:
        folder.stat()  # it is there, so that the file is not
        raise ProcessError(
            f"process {folder.pid}: this kernel states no {ROLLUP}; use --detail smaps"
        ) from error
    except OSError as error:
        raise folder.explain(error) from error
    from vmdiff.capture import snapshot_builder

    rollup, after = snapshot_builder.rollup_of([text]), folder.stat()
    if rollup is None or after.state in {"Z", "X"}:
        raise ProcessError(f"process {folder.pid} ended while it was being read")
    same = folder.identity(after) == identity
    return snapshot_builder.totals_alone(rollup, after, same_process=same)


def _doubts(reading: Reading, attempts: int) -> Iterator[str]:
    if not reading.same_process:
        yield "the process became another program while it was being read"
    elif not reading.consistent:
        yield f"the layout moved while it was being read, in all of {attempts} attempts"
