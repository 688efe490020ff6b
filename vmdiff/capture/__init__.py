"""A live process on Linux -> Snapshot: the only code that touches ``/proc``."""

from vmdiff.capture.consistent_read import Notify, read
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.capture.raw_reading import Detail

__all__ = ["Detail", "Notify", "ProcessFolder", "read"]
