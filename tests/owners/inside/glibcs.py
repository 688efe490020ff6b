"""Programs that run with this machine's glibc, or with one that ``unpack_glibcs`` unpacked."""

import functools
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.owners.living import compiled

PROGRAMS = Path(__file__).parents[1] / "programs"
UNPACKED = Path(__file__).parents[3] / "build" / "glibc"
RELEASES = ("bullseye", "trixie", "sid")  # 2.31, 2.41 and the newest; the machine's own is bookworm's 2.36


class Glibc(NamedTuple):
    """A C library: of which Debian release (None: the machine's own), and for how many bits."""

    release: str | None
    bits: int


EVERY = [Glibc(release, bits) for release in (None, *RELEASES) for bits in (64, 32)]


def command(glibc: Glibc, source: str, *others: str) -> list[Path | str]:
    """Return what runs a program of ``programs/`` with a glibc; skip the test where there is none.

    *others* are libraries that were unpacked with it.
    """
    if glibc.release is None:
        return [compiled(PROGRAMS / source, *(["-m32"] if glibc.bits == 32 else []))]
    found = UNPACKED / glibc.release
    if not found.is_dir():
        pytest.skip(f"no glibc of {glibc.release}: tests/owners/programs/unpack_glibcs build/glibc")
    folder = "x86_64-linux-gnu" if glibc.bits == 64 else "lib32"
    library = next(path for path in found.rglob("libc.so.6") if path.parent.name == folder)
    loader = next(library.parent.glob("ld-linux*.so.2"))
    return [loader, "--library-path", library.parent, linked(PROGRAMS / source, library, glibc.bits, *others)]


@functools.cache
def linked(source: Path, library: Path, bits: int, *others: str) -> Path:
    """Link a program to another C library than the machine's, and libraries beside it, once a test run."""
    program = Path(tempfile.mkdtemp(prefix="vmdiff-owners-")) / source.stem
    threads = library.parent / "libpthread.so.0"  # before 2.34 a library of its own
    old = ["-DBEFORE_2_33", threads] if (library.parent / "libpthread-2.31.so").exists() else []
    options = ["-no-pie", "-fno-pie", "-nostartfiles", "-nodefaultlibs", "-Wl,--allow-shlib-undefined"]
    files = [source, PROGRAMS / "start.c", *old, *(library.parent / other for other in others), library]
    subprocess.run(["gcc", f"-m{bits}", "-O1", *options, "-o", program, *files], check=True)
    return program
