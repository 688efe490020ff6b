"""Reads one process again and again, and looks for owners only where something changed."""

from typing import NamedTuple

from vmdiff import sources
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.capture.machine_facts import Machine
from vmdiff.model import Snapshot
from vmdiff.owners import KnownFiles, Scene
from vmdiff.recording import kept_owners
from vmdiff.recording.kept_owners import Rest


class OwnedReading(NamedTuple):
    """A snapshot, and why owners were looked for: None if those of the last look were kept."""

    snapshot: Snapshot
    looked: str | None


class ProcessReader:
    """Takes snapshots of one process; *inside* reads the records of its allocators whole each time.

    *known* is what was learnt of program files, which other processes may map as well.
    """

    def __init__(self, *, inside: bool = False, known: KnownFiles | None = None) -> None:
        self._inside = inside
        self._known = KnownFiles() if known is None else known
        self._last: Rest | None = None
        self._identity: tuple[object, ...] = ()  # of the program at the last reading
        self._since = 0  # readings since owners were looked for
        self._seen: frozenset[int | None] = frozenset()  # touched, and without owner at a look

    def read(self, folder: ProcessFolder, machine: Machine | None = None) -> OwnedReading:
        """Take a snapshot of the process whose folder is open; a *machine* spares reading its facts again.

        Raises:
            ProcessError: it cannot be observed.
        """
        identity = folder.identity()
        bare = read(folder, machine=machine)
        why = self._why(bare, identity)
        if why is None and self._last is not None:
            with LiveMemory(folder.pid, folder=folder, mappings=bare.mappings) as memory:
                self._last = kept_owners.kept(self._last, bare, memory)
            self._since += 1
        else:
            self._last = Rest(self._looked_at(folder, bare), None)
            self._since = 0
            touched = kept_owners.touched_without_owner(self._last.scene.snapshot, self._last.scene.snapshot)
            self._seen = touched if why == kept_owners.LAYOUT else self._seen | touched
        self._identity = identity
        return OwnedReading(self._last.scene.snapshot, why)

    def _looked_at(self, folder: ProcessFolder, bare: Snapshot) -> Scene:
        """Look for owners; once more, of a new reading, where memory that stayed lost its owner.

        A heap that grows between the reading of the layout and the look at its records contradicts them.
        """
        scene = sources.looked_at(folder, bare, inside=self._inside, known=self._known)
        before = None if self._last is None else self._last.scene.snapshot
        if before is None or not kept_owners.loses_owners(before, scene.snapshot):
            return scene
        again = sources.looked_at(folder, read(folder), inside=self._inside, known=self._known)
        return again.with_owners(kept_owners.carried(before, again.snapshot), None)

    def _why(self, bare: Snapshot, identity: tuple[object, ...]) -> str | None:
        """Return why owners are looked for again; None if those of the last look hold."""
        if self._last is None:
            return "first point"
        if self._inside:
            return "to look inside"
        if self._since >= kept_owners.LOOKS:
            return "its turn"
        if identity != self._identity:
            return "another program"
        return ", ".join(kept_owners.reasons(self._last.scene.snapshot, bare, self._seen)) or None
