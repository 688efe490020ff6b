"""Wait for events. What never happens is ended by pytest's own limit for a test, which means "hung"."""

import os
import time
from collections.abc import Callable

_PAUSE = 0.001  # seconds, so that what is waited for has the processor


def until(happened: Callable[[], object]) -> None:
    """Return when *happened* returns something true."""
    while not happened():
        time.sleep(_PAUSE)


def until_asleep(pid: int) -> None:
    """Return when a process waits in the kernel (state S of proc_pid_stat(5)) or has ended."""
    until(lambda: state(pid) in {"S", "Z", "X"})


def state(pid: int) -> str:
    """Return the state letter of a process, ``X`` when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def exists(pid: int) -> bool:
    """Say whether there is a process of that number."""
    return os.path.exists(f"/proc/{pid}")  # noqa: PTH110
