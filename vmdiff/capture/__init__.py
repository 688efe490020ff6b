"""A live process on Linux -> Snapshot: the only code that touches ``/proc``."""

from vmdiff.capture.consistent_read import Detail, Notify, read
from vmdiff.capture.process_dir import ProcessFolder

__all__ = ["Detail", "Notify", "ProcessFolder", "read"]
