"""A live process on Linux -> Snapshot: the only code that touches ``/proc``."""

from vmdiff.linux.proc import ProcessFolder
from vmdiff.linux.reading import Detail, Notify, read

__all__ = ["Detail", "Notify", "ProcessFolder", "read"]
