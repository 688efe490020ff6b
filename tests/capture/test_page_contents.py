"""What pages hold is what a program wrote into them, and looking at them changes nothing."""

import mmap
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import vmdiff
from tests.machine import afterwards
from vmdiff.capture.page_contents import with_pages
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.comparison.compare import compare
from vmdiff.findings import find, find_in
from vmdiff.model import Owner, Part
from vmdiff.model.piece import pieces_of
from vmdiff.redaction import redact
from vmdiff.storage import json_document

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads a live process")

PAGE = mmap.PAGESIZE
KEY = b"k" * 32
BUILT = """
import ctypes, mmap, sys
P = mmap.PAGESIZE
held = mmap.mmap(-1, 40_000 * P, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
held.madvise(mmap.MADV_NOHUGEPAGE)
for at in range(0, 6000): held[at * P] = 0
for at in range(6000, 11000): held[at * P : at * P + 8] = b"the same"
for at in range(11000, 13000): held[at * P : at * P + 8] = at.to_bytes(8, "big")
print(ctypes.addressof(ctypes.c_char.from_buffer(held)), flush=True)
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""


class Built:
    """A process with a pattern in its memory, at *start*."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout
        self._process = process
        self.pid = process.pid
        self.start = int(process.stdout.readline())

    def do(self, line: str) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "\n"

    def taken(self) -> vmdiff.Snapshot:
        return vmdiff.snap(self.pid, detail="pages", page_key=KEY)


@pytest.fixture
def built() -> Iterator[Built]:
    command = [sys.executable, "-I", "-S", "-c", BUILT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Built(process)
        finally:
            process.kill()


def counted(snapshot: vmdiff.Snapshot, start: int) -> dict[str, int]:
    mapping = snapshot.by_address.at(start)
    assert mapping is not None
    return {name: mapping.values.get(name, 0) // PAGE for name in ("rss", "zero_filled", "duplicate")}


def moves(before: vmdiff.Snapshot, after: vmdiff.Snapshot) -> dict[str, int]:
    """Return what became of the program's own mapping, in pages: the interpreter's arenas have owners."""
    every = compare(before, after).pages
    assert every is not None
    found = [one for one in every if one.owner == "(anonymous)"]
    names = ("written", "filled", "cleared", "freed", "swapped", "came")
    return {name: sum(getattr(one, name) for one in found) // PAGE for name in names}


def test_zeros_and_what_repeats_are_counted_as_they_were_built(built: Built) -> None:
    snapshot = built.taken()

    assert counted(snapshot, built.start) == {"rss": 13_000, "zero_filled": 6000, "duplicate": 4999}
    assert snapshot.pages is not None
    runs = next(one for one in snapshot.pages.mappings if one.start == built.start).runs
    assert runs == "6000z7000d27000a"


def test_memory_that_was_made_inaccessible_keeps_its_pages(built: Built) -> None:
    built.do("at = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(held)))")
    built.do("assert ctypes.CDLL(None).mprotect(at, ctypes.c_size_t(9000 * P), 0) == 0")

    assert counted(built.taken(), built.start) == {"rss": 9000, "zero_filled": 6000, "duplicate": 2999}


def test_each_owner_of_a_mapping_has_its_pages(built: Built) -> None:
    whole = vmdiff.snap(built.pid)
    mapping = whole.by_address.at(built.start)
    assert mapping is not None
    parts = tuple(
        Part(built.start + low * PAGE, built.start + high * PAGE, name, "certain", "record", "built")
        for low, high, name in ((2000, 7000, "arena"), (7000, 12_000, "stack"))
    )
    owned = mapping.owned_by(Owner("mixed", parts=parts))
    mappings = tuple(owned if one is mapping else one for one in whole.mappings)
    with ProcessFolder(built.pid) as folder:
        snapshot = with_pages(folder, whole.model_copy(update={"mappings": mappings}), None)
    looked = snapshot.by_address.at(built.start)
    assert looked is not None
    found = {piece.group: piece.counts for piece in pieces_of(snapshot, looked)}

    names = ("zero_filled", "duplicate")
    assert {
        group: tuple((counts[name] or 0) // PAGE for name in names) for group, counts in found.items()
    } == {
        "(anonymous)": (2000, 0),
        "arena": (4000, 999),
        "stack": (0, 4000),
    }
    assert json_document.load(b"".join(json_document.dump(snapshot)), source="x") == snapshot


@pytest.mark.parametrize("pages", [0, 1, 1000])
def test_what_was_written_between_two_moments_is_found(built: Built, pages: int) -> None:
    before = built.taken()
    built.do(f"for at in range(11000, {11000 + pages}): held[at * P + 9] = 1")
    found = moves(before, built.taken())

    assert pages <= found["written"] <= pages + 3  # the interpreter's own
    assert found["filled"] + found["cleared"] <= 2


def test_each_way_of_a_page_is_told_apart(built: Built) -> None:
    before = built.taken()
    built.do("for at in range(100): held[at * P] = 7")
    built.do("for at in range(11000, 11200): held[at * P : at * P + P] = bytes(P)")
    built.do("held.madvise(mmap.MADV_DONTNEED, 6000 * P, 300 * P)")
    built.do("for at in range(20000, 20400): held[at * P] = 1")
    after = built.taken()
    found = moves(before, after)

    assert (found["filled"], found["cleared"]) == pytest.approx((100, 200), abs=3)
    assert (found["freed"], found["came"]) == pytest.approx((300, 400), abs=8)
    assert "pages-written" in {one.id for one in find(compare(before, after))}


def test_memory_that_was_touched_and_never_used_is_said(built: Built) -> None:
    messages = {one.id: one.message for one in find_in(built.taken())}

    assert "zero-pages" not in messages  # less than half of what the mapping holds
    assert "repeated-pages" in messages
    built.do("held.madvise(mmap.MADV_DONTNEED, 6000 * P, 7000 * P)")
    assert "23.4 MiB of the" in {one.id: one.message for one in find_in(built.taken())}["zero-pages"]


def test_without_a_key_there_are_counts_and_no_fingerprints(built: Built) -> None:
    before = vmdiff.snap(built.pid, detail="pages")

    assert before.pages is not None
    assert before.pages.key is None
    assert {one.fingerprints for one in before.pages.mappings} == {None}
    assert counted(before, built.start)["zero_filled"] == 6000
    assert compare(before, vmdiff.snap(built.pid, detail="pages")).pages is None


def test_page_cache_of_an_open_file_is_told(built: Built, tmp_path: Path) -> None:
    file = tmp_path / "read.bin"
    file.write_bytes(b"x" * (32 << 20))
    built.do(f"kept = open({str(file)!r}, 'rb'); kept.read()")
    snapshot = built.taken()

    assert snapshot.pages is not None
    if snapshot.pages.files is None:
        pytest.skip("this kernel has no cachestat")
    found = {one.path: one for one in snapshot.pages.files}
    if str(file) not in found:
        pytest.skip("this file system keeps its pages elsewhere")
    assert (found[str(file)].cached, found[str(file)].mapped) == (32 << 20, False)
    assert found[str(file)].in_memory or "page-cache" in {one.id for one in find_in(snapshot)}


def test_fingerprints_of_different_keys_are_not_compared(built: Built) -> None:
    assert compare(built.taken(), vmdiff.snap(built.pid, detail="pages", page_key=b"l" * 32)).pages is None


def test_pages_are_in_the_document_and_not_in_a_redacted_one(built: Built) -> None:
    snapshot = built.taken()
    written = b"".join(json_document.dump(snapshot))
    redacted = redact([snapshot])[0]

    assert json_document.load(written, source="x") == snapshot
    assert redacted.pages is None
    assert redacted.total("zero_filled") == snapshot.total("zero_filled")


def test_a_fingerprint_says_nothing_without_its_key(built: Built) -> None:
    one, other = (vmdiff.snap(built.pid, detail="pages", page_key=key).pages for key in (KEY, b"l" * 32))

    assert one is not None
    assert other is not None
    prints = [
        {mapping.start: mapping.fingerprint_bytes()[:8] for mapping in pages.mappings}
        for pages in (one, other)
    ]
    assert prints[0][built.start] != prints[1][built.start]


@pytest.mark.changes_machine
def test_what_is_in_swap_stays_there(built: Built, tmp_path: Path) -> None:
    swap = tmp_path / "swap"
    swap.write_bytes(b"")
    made = [["fallocate", "-l", "80M", swap], ["chmod", "600", swap], ["mkswap", swap]]
    if any(subprocess.run([*map(str, one)], capture_output=True).returncode for one in made):
        pytest.skip("no swap file can be made here")
    with afterwards("swapoff", swap):
        if subprocess.run(["swapon", str(swap)], capture_output=True).returncode:
            pytest.skip("swap needs root, and a file system that has it")
        built.do("held.madvise(21, 11000 * P, 2000 * P)")  # MADV_PAGEOUT
        status = Path(f"/proc/{built.pid}/status")
        before = swapped(status)
        snapshot = built.taken()

        assert before > 0
        assert swapped(status) == before
        assert snapshot.pages is not None
        runs = next(one for one in snapshot.pages.mappings if one.start == built.start).states()
        assert sum(count for count, state in runs if state == "s") * PAGE == before


def swapped(status: Path) -> int:
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmSwap"))
    return int(line.split()[1]) * 1024
