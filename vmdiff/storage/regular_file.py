"""Open a file named by somebody else without touching devices, sockets or pipes."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Opening a pipe with O_NONBLOCK does not wait for its other end; a terminal does not become ours.
_HARMLESS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(
    path: Path | bytes, fits: Callable[[os.stat_result], bool] = lambda _: True
) -> BinaryIO | None:
    """Open a file if it is a regular one that *fits*, else return None.

    Linux looks at it through O_PATH, which opens no device; elsewhere it is opened first.

    Raises:
        OSError: there is no such file, or it may not be opened.
    """
    if not hasattr(os, "O_PATH"):
        return _opened_first(path, fits)
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or not fits(found):
            return None
        return Path(f"/proc/self/fd/{handle}").open("rb")
    finally:
        os.close(handle)


def _opened_first(path: Path | bytes, fits: Callable[[os.stat_result], bool]) -> BinaryIO | None:
    file = os.fdopen(os.open(path, _READ | _HARMLESS), "rb")
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode) and fits(found):
        return file
    file.close()
    return None
