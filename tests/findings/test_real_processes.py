"""Real processes make each finding appear, and others like them do not."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest

import vmdiff
from tests.findings.test_never_false import happened
from tests.situations.staged import at_rest
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
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


class Python:
    """A Python process that does to its memory what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def tell(self, line: str) -> None:
        """Have a line executed, and do not wait for it."""
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def do(self, line: str) -> None:
        """Have a line executed; it is when this returns."""
        assert self._process.stdout
        self.tell(line)
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
        before = at_rest(process.pid)
        process.do(then)
        comparison = vmdiff.compare(before, at_rest(process.pid))
    return {finding.id: finding.message for finding in find(comparison)}


ANONYMOUS = "m = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE)"
FILL = "ctypes.memset(ctypes.byref(ctypes.c_char.from_buffer(m)), 1, len(m))"
FILLED = f"{ANONYMOUS}; {FILL}"
SPREAD = "[m.__setitem__(at, 1) for at in range(0, len(m), 2 << 20)]"
FORKED = "r, w = os.pipe(); c = os.fork(); c or (os.close(w), os.read(r, 1), os._exit(0)); os.close(r)"
SPARSE = "m = mmap.mmap(-1, 4 << 30, flags=mmap.MAP_PRIVATE | 0x4000); m.madvise(mmap.MADV_NOHUGEPAGE)"
LOCK = (
    "at = ctypes.addressof(ctypes.c_char.from_buffer(m)); assert not libc.mlock(ctypes.c_void_p(at), 4 << 20)"
)
THREADS = (
    "e = threading.Event(); b = threading.Barrier({0} + 1);"
    " work = lambda: (kept.append(libc.malloc(1000)), b.wait(), e.wait());"
    " [threading.Thread(target=work, daemon=True).start() for _ in range({0})]; b.wait()"
)
NOTHING = "pass"
MALLOC = "kept.append(libc.malloc({0})); ctypes.memset(kept[-1], 1, {0})"


class Case(NamedTuple):
    """A finding, what is done before, what then makes it appear, and what is like it and does not."""

    id: str
    first: str
    appears: str
    silent: str
    alongside: frozenset[str] = frozenset()


USED = frozenset({"in-use-growth"})  # what malloc and CPython record of the same growth

CASES = (
    Case("large-blocks", NOTHING, MALLOC.format(64 << 20), MALLOC.format(1000), frozenset({"heap-growth", *USED})),
    # Without the first line malloc would give the block a mapping of its own.
    Case("heap-growth", "libc.mallopt(-3, 1 << 30)", MALLOC.format(32 << 20), "libc.malloc(32 << 20)", USED),
    Case("owner-growth", NOTHING, "kept = [[at] for at in range(200_000)]", FILLED, frozenset({"large-blocks", *USED})),
    Case("new-threads", NOTHING, THREADS.format(5), "t = threading.Thread(target=int); t.start(); t.join()", frozenset({"reservation"})),
    Case("many-arenas", NOTHING, THREADS.format(12), f"libc.mallopt(-8, 2); {THREADS.format(12)}", frozenset({"new-threads", "reservation"})),
    Case("reservation", NOTHING, "libc.mmap(None, ctypes.c_size_t(1 << 30), 0, 0x22, -1, 0)", ANONYMOUS),
    Case("writable-code", NOTHING, "libc.mmap(None, ctypes.c_size_t(1 << 20), 7, 0x22, -1, 0)", "libc.mmap(None, ctypes.c_size_t(1 << 20), 5, 0x22, -1, 0)"),
    Case("freed-but-resident", FILLED, "m.madvise(mmap.MADV_FREE)", "m.madvise(mmap.MADV_DONTNEED)"),
    Case("huge-pages", f"{ANONYMOUS}; m.madvise(mmap.MADV_HUGEPAGE)", SPREAD, f"m.madvise(mmap.MADV_NOHUGEPAGE); {SPREAD}"),
    Case("sharing-broken", f"{FILLED}; {FORKED}", FILL, "sum(m[at] for at in range(0, len(m), 4096))"),
    Case("locked", ANONYMOUS, LOCK, FILL),
    Case("peak-between", NOTHING, f"{FILLED.replace('64', '256')}; m.close()", FILLED),
    Case("page-tables", SPARSE, SPREAD, f"ctypes.memset(ctypes.byref(ctypes.c_char.from_buffer(m)), 1, {MIB})"),
)  # fmt: skip

# What depends on the machine's settings and its load.
MACHINE = {"huge-pages", "doubts"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_process_makes_a_finding_appear(case: Case) -> None:
    if case.id == "huge-pages" and "[never]" in THP.read_text():
        pytest.skip("this machine gives no transparent huge pages")
    if case.id == "many-arenas" and (os.cpu_count() or 1) < 2:
        pytest.skip("glibc makes eight arenas for each processor")
    ids = set(found(case.first, case.appears))

    assert case.id in ids
    assert ids <= {case.id, *case.alongside, *MACHINE}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_alike_and_is_not_it_makes_no_such_finding(case: Case) -> None:
    assert case.id not in found(case.first, case.silent)


@contextlib.contextmanager
def swap(folder: Path) -> Iterator[None]:
    """Have the machine swap to a file for as long as the block lasts."""
    file = folder / "swap"
    with file.open("wb") as room:
        os.posix_fallocate(room.fileno(), 0, 80 * MIB)
    file.chmod(0o600)
    try:
        subprocess.run(["mkswap", file], check=True, capture_output=True)
        subprocess.run(["swapon", file], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine does not swap to a file: {error}")
    try:
        yield
    finally:
        subprocess.run(["swapoff", file], check=True)


def test_what_was_swapped_out_was_not_freed(tmp_path: Path) -> None:
    with swap(tmp_path):
        out = found(FILLED, "m.madvise(21)")  # MADV_PAGEOUT
        freed = found(FILLED, "m.madvise(mmap.MADV_DONTNEED)")

        others = happened("freed-and-others-swapped", tmp_path)

    assert "swapped-out" not in {finding.id for finding in find(others)}
    assert "of that was swapped out, not freed" in out["swapped-out"]
    assert "swapped-out" not in freed


def test_nearly_as_many_mappings_as_the_kernel_allows() -> None:
    most = int(Path("/proc/sys/vm/max_map_count").read_text())
    if most > 100_000:
        pytest.skip(f"vm.max_map_count is {most:,}: too many to make")
    cut = "[libc.mprotect(ctypes.c_void_p(at + 8192 * n), 4096, 1) for n in range({0}, {1})]"
    with python() as process:
        process.do(f"at = libc.mmap(None, ctypes.c_size_t({most} * 4096), 3, 0x4022, -1, 0)")
        process.do(cut.format(0, most // 4))
        half = [finding.id for finding in find_in(vmdiff.snap(process.pid, detail="maps", owners=False))]
        process.do(cut.format(most // 4, most * 9 // 20))
        near = find_in(vmdiff.snap(process.pid, detail="maps", owners=False))

    assert "mapping-count" not in half
    assert [finding.severity for finding in near if finding.id == "mapping-count"] == ["warning"]


def test_how_far_two_snapshots_of_real_processes_compare() -> None:
    with python() as one, python() as other:
        cheap = vmdiff.snap(one.pid, detail="maps")
        full = vmdiff.snap(one.pid)
        restarted = vmdiff.compare(full, vmdiff.snap(other.pid))
    ids = {
        name: {finding.id for finding in find(comparison)}
        for name, comparison in (
            ("cheap", vmdiff.compare(cheap, full)),
            ("itself", vmdiff.compare(full, full)),
            ("other run", restarted),
        )
    }

    trust = {"different-counters", "different-runs"}
    assert {name: found & trust for name, found in ids.items()} == {
        "cheap": {"different-counters"},
        "itself": set(),
        "other run": {"different-runs"},
    }


def test_a_layout_that_moves_while_it_is_read_is_a_warning() -> None:
    with python() as process:
        still = find_in(vmdiff.snap(process.pid))
        process.tell("while True: kept = [mmap.mmap(-1, 4096 * (n % 7 + 1)) for n in range(50)]")
        taken = (vmdiff.snap(process.pid, owners=False) for _ in count())
        moved = next(one for one in taken if not one.origin.consistent)

    assert "inconsistent-snapshot" not in {finding.id for finding in still}
    assert ("inconsistent-snapshot", "warning") in {(one.id, one.severity) for one in find_in(moved)}


def test_a_file_mapped_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    opened = f"f = open({str(path)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); m.madvise(mmap.MADV_RANDOM)"
    mapped = found(NOTHING, f"{opened}; m[0]")
    read = found(opened, "[m[at] for at in range(0, len(m), 4096)]")

    assert set(mapped) - MACHINE == {"lazily-read-file"}
    assert "data: 4 KiB of 64.0 MiB resident so far (under 1 %); " in mapped["lazily-read-file"]
    assert set(read) - MACHINE == {"file-backed-growth"}


def _tells_cached_pages() -> bool:
    return tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 5)


@pytest.mark.skipif(not _tells_cached_pages(), reason="cachestat is since Linux 6.5")
def test_how_much_of_the_rest_of_a_file_is_cached(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 64 * MIB)
    opened = f"f = open({str(path)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); m.madvise(mmap.MADV_RANDOM)"
    quarter = "[m[at] for at in range(0, len(m) // 4, 4096)]"
    warm = found(opened, quarter)["lazily-read-file"]
    with path.open("r+b") as file:
        os.fsync(file.fileno())  # only clean pages are dropped
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    cold = found(opened, quarter)["lazily-read-file"]

    assert "16.0 MiB of 64.0 MiB resident so far (25 %); all of the rest is in the page cache already" in warm
    assert "16.0 MiB of 64.0 MiB resident so far (25 %); none of the rest is in the page cache" in cold


def test_what_lies_beyond_the_end_of_a_file_is_not_waiting_to_be_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 16 * MIB)
    mapped = (
        f"f = os.open({str(path)!r}, 0); at = libc.mmap(None, ctypes.c_size_t(1 << 30), 1, 1, f, 0);"
        " libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 30), 1)"
    )
    half, all_ = (f"[ctypes.string_at(at + n, 1) for n in range(0, {n} << 20, 4096)]" for n in (8, 16))

    assert "8,192 KiB of 16.0 MiB resident so far (50 %)" in found(mapped, half)["lazily-read-file"]
    assert "lazily-read-file" not in found(mapped, all_)


def test_a_small_file_is_not_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * MIB)
    with python() as process:
        process.do(f"f = open({str(path)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)")
        taken = vmdiff.snap(process.pid)

    assert not {"page_cache", "file_size"} & {*taken.origin.attributes}
    assert all("page_cache" not in mapping.values for mapping in taken.mappings)


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


def test_the_gaps_of_a_library_cost_nothing(tmp_path: Path) -> None:
    source = tmp_path / "one.c"
    source.write_text("int one(void) { return 1; } int counted = 1;")
    gaps = {}
    for page in (0x1000, 0x200000):
        library = tmp_path / f"lib{page}.so"
        aligned = f"-Wl,-z,max-page-size={page},-z,noseparate-code"
        subprocess.run(["gcc", "-shared", "-fPIC", aligned, "-o", library, source], check=True)
        gaps[page] = found(NOTHING, f"kept.append(ctypes.CDLL({str(library)!r}))").get("library-gaps", "")

    assert gaps[0x1000] == ""
    assert "between the segments of libraries: nobody can touch them" in gaps[0x200000]


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
