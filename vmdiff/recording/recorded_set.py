"""A set that is recorded: the processes that a target means at each point, and each one's owners kept."""

from vmdiff.capture import ProcessFolder
from vmdiff.capture.control_groups import account_of
from vmdiff.capture.machine_facts import Machine
from vmdiff.capture.process_set import read_set
from vmdiff.capture.process_tree import TREE, Chosen, Running, choose
from vmdiff.errors import ProcessError
from vmdiff.model import Snapshot
from vmdiff.owners import KnownFiles
from vmdiff.recording.followed import Followed, follow
from vmdiff.recording.process_reader import ProcessReader
from vmdiff.recording.recorded_process import Observed
from vmdiff.recording.waiting import Waiting

_Started = tuple[int, int]  # a process's number, and when it started


class RecordedSet:
    """What ``tree:PID``, ``cgroup:PATH``, ``name:GLOB`` or ``all`` means, point after point."""

    def __init__(self, target: str, waiting: Waiting, *, inside: bool) -> None:
        """Check that the target means processes that are there.

        Raises:
            InputError: the target means nothing.
            ProcessError: there is no process of it.
        """
        self._target = target
        self._waiting = waiting
        self._inside = inside
        self._known = KnownFiles()
        self._readers: dict[_Started, ProcessReader] = {}
        self._machine: Machine | None = None
        self._reached = False
        choose([target])
        self._root: Followed | None = follow(target.removeprefix(TREE)) if target.startswith(TREE) else None

    def take(self, end: float | None) -> Observed | None:
        """Read the set; None if it is over, or there was no process of it before *end*.

        Raises:
            ProcessError: no process of it could be read, and none ever was.
        """
        try:
            return self._read()
        except ProcessError as error:
            if not self._reached:
                raise
            if self._over or self._waiting.until_exit:
                self._waiting.notify(f"{self._target} ended")
                return None
            self._waiting.notify(f"{error}; waiting for the next")
        return self._waiting.until(self._read_if_there, end)

    @property
    def _over(self) -> bool:
        """Whether it cannot come back: the root of a tree ended, and its number may be anybody's next."""
        return self._root is not None and not self._root.lives()

    def _read_if_there(self) -> Observed | None:
        try:
            return self._read()
        except ProcessError:
            return None

    def _read(self) -> Observed:
        looked, machine = 0, Machine(before=self._machine)
        used: dict[_Started, ProcessReader] = {}

        def taken(folder: ProcessFolder) -> Snapshot:
            nonlocal looked
            key = folder.pid, folder.stat().start_ticks
            used[key] = self._readers.get(key) or ProcessReader(inside=self._inside, known=self._known)
            reading = used[key].read(folder, machine)
            looked += reading.looked is not None
            return reading.snapshot

        chosen = self._chosen()
        found = read_set(chosen, taken, freeze=False, limit=None)
        if not found.members:
            raise ProcessError(f"{self._target}: no process of it could be read")
        self._readers, self._machine, self._reached = used, machine, True
        account = None if chosen.cgroup is None else account_of(chosen.cgroup)
        why = f"in {looked} of {len(found.members)} processes" if looked else None
        return Observed(found.model_copy(update={"cgroup": account}), why)

    def resident(self) -> int | None:
        """Return what its processes have resident together; memory that they share counts in each.

        Raises:
            ProcessError: there is no process of it.
        """
        sizes = list(filter(None, map(_resident, self._chosen().processes)))
        return sum(sizes) if sizes else None

    def _chosen(self) -> Chosen:
        if self._over:
            raise ProcessError(f"{self._target}: that process ended")
        return choose([self._target])


def _resident(running: Running) -> int | None:
    try:
        with ProcessFolder(running.pid) as folder:
            return folder.resident()
    except ProcessError:
        return None
