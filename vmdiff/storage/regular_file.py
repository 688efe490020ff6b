"""Open a file named by somebody else without touching devices, sockets or pipes."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def open_regular(
    path: Path | bytes, fits: Callable[[os.stat_result], bool] = lambda _: True
) -> BinaryIO | None:
    """Open a file if it is a regular one that *fits*; without touching it otherwise."""
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or not fits(found):
            return None
        return Path(f"/proc/self/fd/{handle}").open("rb")
    finally:
        os.close(handle)
