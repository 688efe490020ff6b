"""One process that is recorded, here or where a command reaches, and what takes its place when it ends."""

from typing import NamedTuple

from vmdiff import sources
from vmdiff.capture import ProcessFolder
from vmdiff.capture.machine_facts import Machine
from vmdiff.errors import ProcessError
from vmdiff.model.snapshot_set import Moment
from vmdiff.recording.followed import Followed
from vmdiff.recording.process_reader import ProcessReader
from vmdiff.recording.waiting import Waiting


class Observed(NamedTuple):
    """What was read for a point, and why owners were looked for: None if they were kept."""

    moment: Moment
    looked: str | None


class RecordedProcess:
    """A process here; when it ends, the next of its name is gone on with."""

    def __init__(self, process: Followed, waiting: Waiting, *, inside: bool) -> None:
        self._process = process
        self._waiting = waiting
        self._reader = ProcessReader(inside=inside)
        self._machine: Machine | None = None

    def take(self, end: float | None) -> Observed | None:
        """Read the process, or the one that took its place; None if none did before *end*.

        Raises:
            ProcessError: it cannot be observed.
        """
        while True:
            if self._process.lives():
                try:
                    with ProcessFolder(self._process.pid, self._process.proc) as folder:
                        self._machine = Machine(before=self._machine)
                        return Observed(*self._reader.read(folder, self._machine))
                except ProcessError:
                    if self._process.lives():
                        raise
            if not self._restarted(end):
                return None

    def _restarted(self, end: float | None) -> bool:
        """Wait for the process that takes the place of one that ended; False if nobody is to wait for it."""
        ended, say = self._process, self._waiting.notify
        if self._waiting.until_exit:
            say(f"process {ended.pid} ({ended.name}) ended")
            return False
        say(f"process {ended.pid} ({ended.name}) ended; waiting for the next of that name")
        found = self._waiting.until(ended.successor, end)
        if found is None:
            return False
        say(f"going on with process {found.pid} ({found.name})")
        self._process = found
        return True

    def resident(self) -> int | None:
        """Return what is resident, which costs a ten-thousandth of a second.

        Raises:
            ProcessError: it ended.
        """
        with ProcessFolder(self._process.pid, self._process.proc) as folder:
            return folder.resident()


class RecordedElsewhere:
    """A process that a command reaches; a connection that fails is tried again at the next beat."""

    def __init__(self, via: str, target: str, waiting: Waiting) -> None:
        self._via = via
        self._target = target
        self._waiting = waiting
        self._reached = False

    def take(self, end: float | None) -> Observed | None:
        """Read the process through the command; None if it did not work before *end*.

        Raises:
            ProcessError: it cannot be reached and never was.
        """
        return self._waiting.until(self._read, end, between=self._waiting.every)

    def _read(self) -> Observed | None:
        try:
            found = sources.snap_via(self._via, [self._target])
        except ProcessError as error:
            if not self._reached or self._waiting.until_exit:
                raise
            self._waiting.notify(f"{error}; trying again")
            return None
        self._reached = True
        return Observed(found, "through a command")

    def resident(self) -> int | None:
        """Return nothing: sh is run for points only."""
        return None
