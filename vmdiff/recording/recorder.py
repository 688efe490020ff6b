"""Record a process or a set: one snapshot after another, written to a folder, until something ends it.

What the recording survives: the process ends or is restarted (the one of that name that started later
is gone on with), the folder exists already, this program is killed or the disk fills (what was written
is whole), the date is set (the pace goes by a clock that never goes back).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from vmdiff.capture import Notify
from vmdiff.capture.process_tree import means_a_set
from vmdiff.comparison.compare import compare
from vmdiff.conditions import Condition, parse
from vmdiff.errors import InputError, ProcessError
from vmdiff.model import Snapshot
from vmdiff.model.snapshot_set import Moment
from vmdiff.recording.followed import follow
from vmdiff.recording.pacing import Beat, Monotonic, Pacer
from vmdiff.recording.recorded_process import Observed, RecordedElsewhere, RecordedProcess
from vmdiff.recording.recorded_set import RecordedSet
from vmdiff.recording.waiting import LOOK, Waiting
from vmdiff.storage.series_folder import FolderWriter


class Recorded(NamedTuple):
    """A point: its number and file (None: it was not kept), and what the recording has cost so far.

    *snapshot* is a set where one is recorded. *seconds* are of the processor, *written* bytes. *looked*
    says why owners were looked for, None that those of the last look were kept.
    """

    snapshot: Moment
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

    *target* is a pid or ``name:NAME``, or a set as `vmdiff.sources.snap_set` has it: ``tree:PID``,
    ``cgroup:PATH``, ``name:GLOB``, ``all``. It ends after *count* points that were kept, after *duration*
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
    plan = RecordingPlan(
        every, count, duration, None if when is None else parse(when), moved, until_exit, inside
    )
    clock = pacer or Monotonic()
    subject = _subject(str(target), via, plan, Waiting(clock, every, until_exit, notify or _silent))
    writer = None if to is None else FolderWriter(Path(to), plain=plain)
    return _Recorder(subject, plan, writer, clock).points()


def _silent(_: str) -> None:
    pass


class _Subject(Protocol):
    """What is recorded."""

    def take(self, end: float | None) -> Observed | None:
        """Read it for a point; None if it ended, or did not come back before *end*."""

    def resident(self) -> int | None:
        """Return the bytes that are resident; None where that is not known."""


def _subject(target: str, via: str | None, plan: RecordingPlan, waiting: Waiting) -> _Subject:
    """Return what is recorded: a process, one elsewhere, or a set."""
    if via is not None:
        if plan.inside or plan.moved is not None:
            raise InputError(f"{via}: sh reads text files only, at the beat: not with inside or moved")
        return RecordedElsewhere(via, target, waiting)
    if not means_a_set([target]):
        return RecordedProcess(follow(target), waiting, inside=plan.inside)
    if plan.when is not None:
        raise InputError(f"{target}: a condition compares one process with itself: not with a set")
    return RecordedSet(target, waiting, inside=plan.inside)


class _Recorder:
    """The state of one recording."""

    def __init__(
        self, subject: _Subject, plan: RecordingPlan, writer: FolderWriter | None, pacer: Pacer
    ) -> None:
        self._subject = subject
        self._plan = plan
        self._writer = writer
        self._pacer = pacer
        self._last: Moment | None = None  # taken
        self._kept: Moment | None = None  # written
        self._number = 0
        self._began = time.process_time()

    def points(self) -> Iterator[Recorded]:
        start = self._pacer.now()
        beat = Beat(start, self._plan.every)
        end = None if self._plan.duration is None else start + self._plan.duration
        kept = 0
        while (taken := self._subject.take(end)) is not None:
            point = self._written(taken)
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
                self._pacer.wait(min(left, LOOK))
                if self._has_moved(self._plan.moved):
                    return True
        return end is None or self._pacer.now() <= end

    def _has_moved(self, by: int) -> bool:
        """Look at the resident size alone."""
        held = None if self._last is None else self._last.total("rss")
        try:
            now = self._subject.resident()
        except ProcessError:
            return True
        return held is None or now is None or abs(now - held) >= by

    def _written(self, taken: Observed) -> Recorded:
        number = file = None
        moment = self._last = taken.moment
        if self._worth_keeping(moment):
            number = self._number if self._writer is None else self._writer.next
            file = None if self._writer is None else self._writer.write(moment)
            self._kept, self._number = moment, number + 1
        written = 0 if self._writer is None else self._writer.written
        return Recorded(moment, number, file, time.process_time() - self._began, written, taken.looked)

    def _worth_keeping(self, moment: Moment) -> bool:
        before, when = self._kept, self._plan.when
        if when is None or not isinstance(before, Snapshot) or not isinstance(moment, Snapshot):
            return True
        return before.process.pid != moment.process.pid or when.holds(compare(before, moment))
