"""Reads one process again and again, and looks for owners only where something changed."""

from typing import NamedTuple

from vmdiff import sources
from vmdiff.capture import ProcessFolder, read
from vmdiff.capture.machine_facts import Machine
from vmdiff.model import Snapshot
from vmdiff.owners import KnownFiles
from vmdiff.recording import owner_memory


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
        self._last: Snapshot | None = None
        self._since = 0  # readings since owners were looked for
        self._seen: frozenset[int | None] = frozenset()  # touched, and without owner at a look

    def read(self, folder: ProcessFolder, machine: Machine | None = None) -> OwnedReading:
        """Take a snapshot of the process whose folder is open; a *machine* spares reading its facts again.

        Raises:
            ProcessError: it cannot be observed.
        """
        bare = read(folder, machine=machine)
        why = self._why(bare)
        if why is None and self._last is not None:
            snapshot = sources.with_usage(folder, owner_memory.kept(self._last, bare), known=self._known)
            self._since += 1
        else:
            snapshot = self._looked_at(folder, bare)
            self._since = 0
            touched = owner_memory.touched_without_owner(snapshot, snapshot)
            self._seen = touched if why == owner_memory.LAYOUT else self._seen | touched
        self._last = snapshot
        return OwnedReading(snapshot, why)

    def _looked_at(self, folder: ProcessFolder, bare: Snapshot) -> Snapshot:
        """Look for owners; once more, of a new reading, where memory that stayed lost its owner.

        A heap that grows between the reading of the layout and the look at its records contradicts them.
        """
        snapshot = sources.with_owners(folder, bare, inside=self._inside, known=self._known)
        if self._last is not None and owner_memory.loses_owners(self._last, snapshot):
            again = sources.with_owners(folder, read(folder), inside=self._inside, known=self._known)
            snapshot = owner_memory.carried(self._last, again)
        return snapshot

    def _why(self, bare: Snapshot) -> str | None:
        """Return why owners are looked for again; None if those of the last look hold."""
        if self._last is None:
            return "first point"
        if self._inside:
            return "to look inside"
        if self._since >= owner_memory.LOOKS:
            return "its turn"
        return ", ".join(owner_memory.reasons(self._last, bare, self._seen)) or None
