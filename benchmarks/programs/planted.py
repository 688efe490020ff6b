"""Hold what the words name, each one letter and what it is of.

bBYTES of a bytearray, nBYTES of a numpy array, mBYTES mapped, sBYTES shared, fFILE mapped, t for a thread.
"""

import mmap
import sys
import threading
from pathlib import Path

import numpy as np


def planted(word: str) -> object:
    rest = word[1:]
    match word[0]:
        case "b":
            return bytearray(int(rest))
        case "n":
            return np.ones(int(rest) // 8)
        case "m":
            return mmap.mmap(-1, int(rest), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        case "s":
            return mmap.mmap(-1, int(rest))
        case "f":
            with Path(rest).open("rb") as file:
                return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        case _:
            thread = threading.Thread(target=threading.Event().wait, daemon=True)
            thread.start()
            return thread


held = [planted(word) for word in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
