"""Does to its memory what the lines that it reads name."""

import ctypes
import mmap
import os
import sys

kept = []


def numpy_arrays():
    import numpy

    kept.extend(numpy.ones(1 << 20) for _ in range(20))


def memmap(write):
    import numpy

    path = f"{sys.argv[1]}/memmap"
    numpy.zeros(48 << 20, dtype=numpy.uint8).tofile(path)
    with open(path, "rb") as file:  # noqa: PTH123
        os.fsync(file.fileno())  # pages that are not on disk yet are dirty, whoever reads them
    array = numpy.memmap(path, mode="r+" if write else "r")
    if write:
        array[::4096] = 1
    kept.append((array, array[::4096].sum()))


def small_arrays():
    import numpy

    kept.extend(numpy.ones(1 << 12) for _ in range(2_000))


def memmap_again():
    array, _ = kept[-1]
    array[::4096] += 1


def import_numpy():
    import numpy  # noqa: F401


def objects():
    kept.append([[at] for at in range(500_000)])


def dicts():
    kept.append([{"n": at} for at in range(180_000)])


def texts():
    kept.append([bytes(1000) * 2 for _ in range(30_000)])


def own_mapping():
    mapped = mmap.mmap(-1, 48 << 20, flags=mmap.MAP_PRIVATE)
    ctypes.memset(ctypes.byref(ctypes.c_char.from_buffer(mapped)), 1, len(mapped))
    kept.append(mapped)


ACTS = {
    "import-numpy": import_numpy,
    "numpy": numpy_arrays,
    "memmap-read": lambda: memmap(write=False),
    "memmap-written": lambda: memmap(write=True),
    "memmap-again": memmap_again,
    "small-arrays": small_arrays,
    "free-most": lambda: kept.__delitem__(slice(0, -1)),
    "objects": objects,
    "dicts": dicts,
    "texts": texts,
    "own-mapping": own_mapping,
    "none": lambda: None,
    "free": kept.clear,
}

print("ready", flush=True)
for line in sys.stdin:
    ACTS[line.strip()]()
    print("done", flush=True)
