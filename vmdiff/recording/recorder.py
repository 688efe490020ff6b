"""Record a process: one snapshot after another, written to a folder, until something ends it.

What the recording survives: the process ends or is restarted (the one of that name that started later
is gone on with), the folder exists already, this program is killed or the disk fills (what was written
is whole), the date is set (the pace goes by a clock that never goes back).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vmdiff import sources
from vmdiff.capture import Notify, ProcessFolder, read
from vmdiff.comparison.compare import compare
from vmdiff.conditions import Condition, parse
from vmdiff.errors import InputError, ProcessError
from vmdiff.model import Snapshot
from vmdiff.recording import owner_memory
from vmdiff.recording.followed import Followed, follow, reached
from vmdiff.recording.pacing import Beat, Monotonic, Pacer
from vmdiff.storage.series_folder import FolderWriter

_LOOK = 1.0  # seconds between two looks at how much is resident


class Recorded(NamedTuple):
    """A point: its number and file (None: it was not kept), and what the recording has cost so far.

    *seconds* are of the processor, *written* bytes. *looked* says why owners were looked for, None that
    those of the last look were kept.
    """

    snapshot: Snapshot
    number: int | None
    file: Path | None
    seconds: float
    written: int
    looked: str | None


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """How a process is recorded: how often, until when, and what is kept.

    *every* and *duration* are in seconds; *moved* is by how many bytes the resident size moves to be a
    point beside the beat; *when* is a condition on what changed since the last point that was kept.
    """

    every: float = 10.0
    count: int | None = None
    duration: float | None = None
    when: Condition | None = None
    moved: int | None = None
    until_exit: bool = False
    inside: bool = False


def record(
    target: int | str,
    to: Path | str | None = None,
    *,
    every: float = 10.0,
    count: int | None = None,
    duration: float | None = None,
    when: str | None = None,
    moved: int | None = None,
    until_exit: bool = False,
    inside: bool = False,
    plain: bool = False,
    via: str | None = None,
    pacer: Pacer | None = None,
    notify: Notify | None = None,
) -> Iterator[Recorded]:
    """Yield a snapshot of a process every so many seconds, and write it into the folder *to*, if named.

    *target* is a pid or ``name:NAME``. It ends after *count* points that were kept, after *duration*
    seconds, or (*until_exit*) when the process does; without that it waits for the next process of that
    name. *moved* takes a point beside the beat when the resident size moved by so many bytes, *when* keeps
    only points of which a condition holds, compared with the last that was kept. *plain* writes every
    point as a document of its own, ten times as large. *via* reads each point through a command that runs sh
    elsewhere (`vmdiff.sources.snap_via`); a point that fails is tried again. *notify* receives a
    sentence for each restart.

    Raises:
        ProcessError: the process cannot be observed.
        OutputError: a point cannot be written; what is there already is whole.
        ConditionError: *when* is no condition.
    """
    condition = None if when is None else parse(when)
    plan = RecordingPlan(every, count, duration, condition, moved, until_exit, inside)
    if via is not None and (inside or moved is not None):
        raise InputError(f"{via}: sh reads text files only, and only at the beat: not with inside or moved")
    process = follow(target) if via is None else reached(via, target)
    writer = None if to is None else FolderWriter(Path(to), plain=plain)
    return _Recorder(process, plan, writer, pacer or Monotonic(), notify or _silent).points()


def _silent(_: str) -> None:
    pass


class _Recorder:
    """The state of one recording."""

    def __init__(
        self,
        process: Followed,
        plan: RecordingPlan,
        writer: FolderWriter | None,
        pacer: Pacer,
        notify: Callable[[str], None],
    ) -> None:
        self._process = process
        self._plan = plan
        self._writer = writer
        self._pacer = pacer
        self._notify = notify
        self._last: Snapshot | None = None  # taken
        self._kept: Snapshot | None = None  # written
        self._since = 0  # points since owners were looked for
        self._seen: frozenset[int | None] = frozenset()  # touched, and without owner at a look
        self._number = 0
        self._began = time.process_time()

    def points(self) -> Iterator[Recorded]:
        start = self._pacer.now()
        beat = Beat(start, self._plan.every)
        end = None if self._plan.duration is None else start + self._plan.duration
        kept = 0
        while True:
            point = self._point(end)
            if point is None:
                return
            kept += point.number is not None
            yield point
            if kept == self._plan.count or not self._wait(beat, end):
                return

    def _wait(self, beat: Beat, end: float | None) -> bool:
        """Wait for the next point; False if the recording ends before it."""
        due = beat.after(self._pacer.now())
        while (left := due - self._pacer.now()) > 0:
            if end is not None and due > end:
                return False
            if self._plan.moved is None:
                self._pacer.wait(left)
            else:
                self._pacer.wait(min(left, _LOOK))
                if self._has_moved(self._plan.moved):
                    return True
        return end is None or self._pacer.now() <= end

    def _has_moved(self, by: int) -> bool:
        """Look at the resident size alone, which costs a ten-thousandth of a second."""
        held = None if self._last is None else self._last.total("rss")
        try:
            with ProcessFolder(self._process.pid, self._process.proc) as folder:
                now = folder.resident()
        except ProcessError:
            return True
        return held is None or now is None or abs(now - held) >= by

    def _point(self, end: float | None) -> Recorded | None:
        """Take the next point, of the process or of the one that took its place."""
        if self._process.via is not None:
            return self._through(self._process.via, end)
        while True:
            if self._process.lives():
                try:
                    return self._taken()
                except ProcessError:
                    if self._process.lives():
                        raise
            if not self._restarted(end):
                return None

    def _through(self, via: str, end: float | None) -> Recorded | None:
        """Take the next point through a command; a connection that fails is tried again at the next beat."""
        while True:
            try:
                found = sources.snap_via(via, [str(self._process.pid)])
            except ProcessError as error:
                if self._last is None or self._plan.until_exit:
                    raise
                self._notify(f"{error}; trying again")
            else:
                assert isinstance(found, Snapshot)  # noqa: S101  # one process is no set
                self._last = found
                return self._written(found, "through a command")
            if end is not None and self._pacer.now() >= end:
                return None
            self._pacer.wait(self._plan.every)

    def _restarted(self, end: float | None) -> bool:
        """Wait for the process that takes the place of one that ended; False if nobody is to wait for it."""
        old = self._process
        if self._plan.until_exit:
            self._notify(f"process {old.pid} ({old.name}) ended")
            return False
        self._notify(f"process {old.pid} ({old.name}) ended; waiting for the next of that name")
        while (new := old.successor()) is None:
            if end is not None and self._pacer.now() >= end:
                return False
            self._pacer.wait(min(self._plan.every, _LOOK))
        self._notify(f"going on with process {new.pid} ({new.name})")
        self._process = new
        return True

    def _taken(self) -> Recorded:
        with ProcessFolder(self._process.pid, self._process.proc) as folder:
            bare = read(folder)
            why = self._why(bare)
            if why is None and self._last is not None:
                snapshot = sources.with_usage(folder, owner_memory.kept(self._last, bare))
                self._since += 1
            else:
                snapshot = self._looked_at(folder, bare)
                self._since = 0
                touched = owner_memory.touched_without_owner(snapshot, snapshot)
                self._seen = touched if why == owner_memory.LAYOUT else self._seen | touched
        self._last = snapshot
        return self._written(snapshot, why)

    def _looked_at(self, folder: ProcessFolder, bare: Snapshot) -> Snapshot:
        """Look for owners; once more, of a new reading, where memory that stayed lost its owner.

        A heap that grows between the reading of the layout and the look at its records contradicts them.
        """
        snapshot = sources.with_owners(folder, bare, inside=self._plan.inside)
        if self._last is not None and owner_memory.loses_owners(self._last, snapshot):
            again = sources.with_owners(folder, read(folder), inside=self._plan.inside)
            snapshot = owner_memory.carried(self._last, again)
        return snapshot

    def _why(self, bare: Snapshot) -> str | None:
        """Say why owners are looked for again; None if those of the last look hold."""
        if self._last is None:
            return "first point"
        if self._plan.inside:
            return "to look inside"
        if self._since >= owner_memory.LOOKS:
            return "its turn"
        return ", ".join(owner_memory.reasons(self._last, bare, self._seen)) or None

    def _written(self, snapshot: Snapshot, why: str | None) -> Recorded:
        number = file = None
        if self._worth_keeping(snapshot):
            number = self._number if self._writer is None else self._writer.next
            file = None if self._writer is None else self._writer.write(snapshot)
            self._kept, self._number = snapshot, number + 1
        written = 0 if self._writer is None else self._writer.written
        return Recorded(snapshot, number, file, time.process_time() - self._began, written, why)

    def _worth_keeping(self, snapshot: Snapshot) -> bool:
        if self._kept is None or self._plan.when is None:
            return True
        if self._kept.process.pid != snapshot.process.pid:
            return True
        return self._plan.when.holds(compare(self._kept, snapshot))
