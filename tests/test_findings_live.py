"""Real processes make each finding appear, and others like them do not."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from vmdiff.findings import find, find_in

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="observes a live process")

_LISTEN = """
import ctypes, ctypes.util, mmap, os, sys, threading
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.mmap.restype = ctypes.c_void_p
kept = []
print(flush=True)
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""
MIB = 1 << 20


class Python:
    """A Python process that does to its memory what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def do(self, line: str) -> None:
        """Have a line executed; it is when this returns."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n", f"it failed: {line}"


@contextlib.contextmanager
def python() -> Iterator[Python]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield Python(process)
        finally:
            process.kill()


def found(first: str, then: str) -> dict[str, str]:
    """Give the findings, by id, of what *then* does after *first* was done."""
    with python() as process:
        process.do(first)
        before = vmdiff.snap(process.pid)
        process.do(then)
        comparison = vmdiff.compare(before, vmdiff.snap(process.pid))
    return {finding.id: finding.message for finding in find(comparison)}


ANONYMOUS = "m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE)"
FILL = "m.write(bytes(len(m)))"
NOTHING = "pass"


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        pytest.param(NOTHING, "kept.append(libc.malloc(64 << 20)); ctypes.memset(kept[0], 1, 64 << 20)", "large-blocks"),
        pytest.param(
            NOTHING,
            "libc.mallopt(-3, 1 << 30); kept.append(libc.malloc(32 << 20)); ctypes.memset(kept[0], 1, 32 << 20)",
            "heap-growth",
        ),
        pytest.param(
            "e = threading.Event()", "[threading.Thread(target=e.wait, daemon=True).start() for _ in range(5)]", "new-threads"
        ),
        pytest.param(NOTHING, "libc.mmap(None, ctypes.c_size_t(1 << 30), 0, 0x22, -1, 0)", "reservation"),
        pytest.param(NOTHING, "libc.mmap(None, ctypes.c_size_t(1 << 20), 7, 0x22, -1, 0)", "writable-code"),
        pytest.param(f"{ANONYMOUS}; {FILL}", "m.madvise(mmap.MADV_FREE)", "freed-but-resident"),
        pytest.param(
            ANONYMOUS, "x = mmap.mmap(-1, 256 << 20); x.write(bytes(len(x))); x.close()", "peak-between"
        ),
        pytest.param(ANONYMOUS, "[m.__setitem__(at, 1) for at in range(0, len(m), 4096)]; m.flush()", None),
        pytest.param(
            "x = mmap.mmap(-1, 4 << 30, flags=mmap.MAP_PRIVATE | 0x4000); x.madvise(mmap.MADV_NOHUGEPAGE)",
            "[x.__setitem__(at, 1) for at in range(0, len(x), 2 << 20)]",
            "page-tables",
        ),
        pytest.param(
            f"{ANONYMOUS}; {FILL}; r, w = os.pipe(); c = os.fork(); c or (os.close(w), os.read(r, 1), os._exit(0)); os.close(r)",
            FILL.replace("m.", "m.seek(0), m."),
            "sharing-broken",
        ),
    ],
)  # fmt: skip
def test_a_process_makes_a_finding_appear(first: str, then: str, expected: str | None) -> None:
    ids = set(found(first, then))

    assert expected is None or expected in ids
    assert ids <= {expected, *ALONGSIDE.get(expected, ()), *MACHINE}


# What is true as well when one of them is, and what depends on the machine's settings and its load.
ALONGSIDE = {"large-blocks": {"heap-growth"}, "new-threads": {"reservation"}}
MACHINE = {"huge-pages", "doubts"}


def test_a_file_mapped_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    opened = f"f = open({str(path)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); m.madvise(mmap.MADV_RANDOM)"
    mapped = found(NOTHING, f"{opened}; m[0]")
    read = found(opened, "[m[at] for at in range(0, len(m), 4096)]")

    assert set(mapped) - MACHINE == {"lazily-read-file"}
    assert "data is mapped but hardly read: 4 KiB of 64.0 MiB resident" in mapped["lazily-read-file"]
    assert set(read) - MACHINE == {"file-backed-growth"}


def test_a_library_that_was_upgraded_under_a_process(tmp_path: Path) -> None:
    library = tmp_path / "libold.so"
    library.write_bytes(Path(_libm()).read_bytes())
    with python() as process:
        process.do(f"kept.append(ctypes.CDLL({str(library)!r}))")
        assert "deleted-files" not in [found.id for found in find_in(vmdiff.snap(process.pid))]
        library.unlink()
        (finding,) = [found for found in find_in(vmdiff.snap(process.pid)) if found.id == "deleted-files"]

    assert finding.id == "deleted-files"
    assert finding.evidence == (str(library),)


def _libm() -> str:
    """Give the path of a small library that is on every machine."""
    with python() as process:
        process.do("kept.append(ctypes.CDLL(ctypes.util.find_library('m') or 'libm.so.6'))")
        mappings = vmdiff.snap(process.pid).mappings
    return next(m.path for m in mappings if m.path and "libm" in m.path.rpartition("/")[2])


def test_a_limit_that_is_near() -> None:
    with python() as process:
        size = vmdiff.snap(process.pid).total("size")
        process.do(
            f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({size * 5 // 4 + (4 << 20)},) * 2)"
        )
        assert "limit-near" not in [finding.id for finding in find_in(vmdiff.snap(process.pid))]
        process.do(f"kept.append(mmap.mmap(-1, {6 << 20}))")
        near = [finding.id for finding in find_in(vmdiff.snap(process.pid))]

    assert "limit-near" in near
