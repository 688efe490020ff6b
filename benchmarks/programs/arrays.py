"""Grow and drop numpy arrays; answer each line of standard input with what the allocators count.

The answer is glibc's bytes of blocks with mappings of their own, the bytes that its arenas have from the
kernel (mallinfo2), and the number of CPython's arenas.
"""

import ctypes
import os
import random
import re
import sys
import tempfile

import numpy as np


class MallInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and later."""

    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "free", "fast", "blocks", "hblkhd", *"abcde")]


C_LIBRARY = ctypes.CDLL(None)
C_LIBRARY.mallinfo2.restype = MallInfo


def arenas() -> int:
    """Return how many arenas CPython has, as its own statistics tell."""
    with tempfile.TemporaryFile() as file:
        error = os.dup(2)
        os.dup2(file.fileno(), 2)
        sys._debugmallocstats()
        os.dup2(error, 2)
        os.close(error)
        file.seek(0)
        found = re.search(rb"# arenas allocated current\s*=\s*([\d,]+)", file.read())
    return int(found[1].replace(b",", b"")) if found else 0


def main() -> None:
    draw = random.Random(int(sys.argv[1]))
    held: list[object] = []
    for line in sys.stdin:
        if line == "grow\n":
            held += [np.ones(draw.randrange(1 << 10, 1 << 19)) for _ in range(draw.randrange(1, 40))]
        elif line == "drop\n":
            draw.shuffle(held)
            del held[len(held) // 2 :]
        elif line == "objects\n":
            held += [[str(number) for number in range(draw.randrange(20_000))]]
        info = C_LIBRARY.mallinfo2()
        print(info.hblkhd, info.arena, arenas(), flush=True)


if __name__ == "__main__":
    main()
