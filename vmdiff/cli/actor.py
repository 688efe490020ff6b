"""The process that ``vmdiff demo`` watches: run by its path, it does one act for each line it is given.

When its input ends, however its parent ended, it removes the file and leaves.
"""

import contextlib
import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Iterator

_M_MMAP_THRESHOLD = -3  # of glibc's mallopt: how large a block must be to get a mapping of its own
_HUGE = 1 << 30


def main() -> None:
    """Act until nobody watches any more; the arguments are the file, and the bytes to allocate."""
    path, block = sys.argv[1], int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle: it closes our input
    with contextlib.suppress(OSError), open("/proc/self/comm", "w") as name:  # noqa: PTH123
        name.write("vmdiff-demo")
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # importing pathlib would be memory too
            for act in _acts(file.fileno(), block):
                sys.stdout.write(f"{act}\n")
                sys.stdout.flush()
                if not sys.stdin.readline():
                    break
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def _acts(file: int, block: int) -> Iterator[str]:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _HUGE)
    yield "paused"
    address = libc.malloc(ctypes.c_size_t(block))
    ctypes.memset(address, 1, block // 2)
    yield "allocated"
    mapped = mmap.mmap(file, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    mapped.madvise(mmap.MADV_RANDOM)  # what is touched is read, and nothing ahead of it
    _touch(mapped, mmap.PAGESIZE)
    yield "mapped"
    mapped.madvise(mmap.MADV_SEQUENTIAL)
    _touch(mapped, len(mapped))
    yield "read"


def _touch(mapped: mmap.mmap, length: int) -> None:
    for at in range(0, length, mmap.PAGESIZE):
        mapped[at]


if __name__ == "__main__":
    main()
