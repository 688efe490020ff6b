"""The memory of a live process is read exactly, within its limits and without harm."""

import contextlib
import ctypes
import mmap
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.owners.living import snapshot
from vmdiff.capture.live_memory import LiveMemory
from vmdiff.model import Mapping

PAGE = mmap.PAGESIZE


@pytest.fixture
def memory() -> Iterator[LiveMemory]:
    with LiveMemory(os.getpid()) as memory:
        yield memory


@contextlib.contextmanager
def block(pages: int) -> Iterator[tuple[mmap.mmap, int]]:
    area = mmap.mmap(-1, pages * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    view = ctypes.c_char.from_buffer(area)
    try:
        yield area, ctypes.addressof(view)
    finally:
        del view
        area.close()


def test_bytes_are_read_where_they_are(memory: LiveMemory) -> None:
    with block(2) as (area, address):
        area[100:105] = b"hello"

        assert memory.read(address + 100, 5) == b"hello"
        assert memory.read(address + 2 * PAGE - 4, 4) == bytes(4)


@pytest.mark.parametrize(
    ("address", "length"), [(0, 8), (1 << 63, 8), (-1, 8), ((1 << 64) - 8, 8), (4096, 0), (4096, 1 << 40)]
)
def test_what_cannot_be_read_is_none(memory: LiveMemory, address: int, length: int) -> None:
    assert memory.read(address, length) is None
    assert memory.read_many([address, address], length) == [None, None]


def test_many_reads_skip_what_cannot_be_read(memory: LiveMemory) -> None:
    with block(1) as (area, address):
        area[:8] = b"12345678"
        asked = [address, 0, address + 2, *[address] * 2000, 8]

        assert memory.read_many(asked, 4) == [b"1234", None, b"3456", *[b"1234"] * 2000, None]


def test_looking_leaves_pages_where_they_are() -> None:
    with block(64) as (area, address):
        area[PAGE : PAGE + 5] = b"there"
        seen = snapshot(os.getpid())
        held = next(m for m in seen.mappings if m.start and m.end and m.start <= address < m.end)
        tables = page_tables()
        with LiveMemory(os.getpid(), mappings=seen.mappings) as memory:
            assert memory.read(address, 2 * PAGE) == bytes(PAGE) + b"there" + bytes(PAGE - 5)
            many = [address + page * PAGE for page in range(64)] * 2
            assert memory.read_many(many, 5) == [bytes(5), b"there", *[bytes(5)] * 62] * 2
            entries = memory._entries(address, 64 * PAGE)

            assert entries is not None
            assert [n for n, entry in enumerate(entries) if entry >> 63] == [1]
        assert page_tables() <= tables + 64
        assert held.path is None


def test_looking_leaves_pages_shared_that_a_fork_shares() -> None:
    with block(64) as (area, address):
        for page in range(64):
            area[page * PAGE] = page + 1
        pid = os.fork()
        if not pid:
            signal.pause()
        try:
            with LiveMemory(pid, mappings=snapshot(pid).mappings) as memory:
                many = [address + page * PAGE for page in range(64)]
                shared = memory._entries(address, 64 * PAGE)

                assert memory.read_many(many, 1) == [bytes([page + 1]) for page in range(64)]
                assert memory.read(address, 64 * PAGE)
                assert memory._entries(address, 64 * PAGE) == shared
                assert shared is not None
                assert not any(entry >> 56 & 1 for entry in shared)  # mapped only here
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def page_tables() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmPTE")).split()[1])


def test_pages_of_a_file_that_are_not_there_are_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * PAGE + b"b" * 100)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as area:
        seen = snapshot(os.getpid())
        (held,) = [m for m in seen.mappings if m.path == str(file)]
        with LiveMemory(os.getpid(), mappings=seen.mappings) as memory:
            found = memory.read(held.start or 0, 2 * PAGE)

            assert found == b"a" * PAGE + b"b" * 100 + bytes(PAGE - 100)
            assert memory.residency([held.start or 0, held.end or 0]) == [(0, 0, None)]
        assert len(area) == PAGE + 100


def test_resident_bytes_are_those_that_were_touched(memory: LiveMemory) -> None:
    with block(16) as (area, address):
        area[0] = area[5 * PAGE] = 1
        _ = area[9 * PAGE]  # reading maps the shared page of zeros, which is not counted

        assert memory.residency([address, address + 16 * PAGE]) == [(2 * PAGE, 0, None)]
        assert memory.residency([address + PAGE, address + 5 * PAGE]) == [(0, 0, None)]
        assert memory._residency_by_entry(address + 10 * PAGE, address + 16 * PAGE) == (0, 0, 0)
        assert memory._residency_by_entry(address + 5 * PAGE, address + 9 * PAGE) == (PAGE, 0, PAGE)
        assert memory._residency_by_entry(address, address + 16 * PAGE) is None


@contextlib.contextmanager
def forked() -> Iterator[None]:
    """Keep a child that shares all memory."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writing)
        os.read(reading, 1)  # ends when the parent closes its end, or is gone
        os._exit(0)
    os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


def test_pages_are_counted_between_borders(memory: LiveMemory) -> None:
    with block(16) as (area, address):
        area[: 6 * PAGE] = b"x" * (6 * PAGE)
        borders = [address, address + 2 * PAGE, address + 5 * PAGE, address + 6 * PAGE, address + 16 * PAGE]

        alone = memory.residency(borders, exclusive=True)
        with forked():
            area[0] = 1  # copied: this page is mapped here only
            shared = memory.residency(borders, exclusive=True)

    assert [one.resident // PAGE for one in alone or ()] == [2, 3, 1, 0]
    assert [one.exclusive for one in alone or ()] == [one.resident for one in alone or ()]
    assert [one.resident // PAGE for one in shared or ()] == [2, 3, 1, 0]
    assert [(one.exclusive or 0) // PAGE for one in shared or ()] == [1, 0, 0, 0]


def test_guards_are_found(memory: LiveMemory) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with block(8) as (area, address):
        area[:] = b"x" * len(area)
        start = address + 2 * PAGE
        if libc.madvise(ctypes.c_void_p(start), PAGE, 102):  # MADV_GUARD_INSTALL
            pytest.skip("this kernel has no guard regions")

        assert memory.guards(address, address + 8 * PAGE) == [(start, start + PAGE)]
        assert memory.residency([address, address + 8 * PAGE]) == [(7 * PAGE, 0, None)]
        assert memory.populated(address, address + 8 * PAGE) == [
            (address, start),
            (start + PAGE, address + 8 * PAGE),
        ]


def test_a_waiting_thread_shows_its_stack(memory: LiveMemory) -> None:
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (ready.set(), stop.wait()))
    thread.start()
    ready.wait()
    try:
        pointer = memory.stack_pointer(thread.native_id or 0)
    finally:
        stop.set()
        thread.join()

    assert pointer
    assert memory.stack_pointer(1 << 30) is None


def test_the_file_behind_a_mapping_is_opened() -> None:
    seen = snapshot(os.getpid())
    program = next(m for m in seen.mappings if m.path == seen.process.executable)
    with LiveMemory(os.getpid()) as memory:
        opened = memory.open_object(program)
        assert opened is not None
        with opened:
            assert opened.read(4) == b"\x7fELF"
        assert memory.open_object(program._replace(start=0, end=0, inode="1")) is None
        assert memory.open_object(program._replace(start=0, end=0, path="/dev/null")) is None
        assert memory.open_object(program._replace(path=None)) is None


def test_a_process_that_is_not_there_has_no_memory() -> None:
    with LiveMemory(1 << 30) as memory:
        assert memory.read(4096, 8) is None
        assert memory.read_many([4096], 8) == [None]
        assert memory.residency([0, PAGE]) is None
        assert memory.guards(0, PAGE) is None
        assert memory.stack_pointers([1, 2]) == {}
        assert memory.denied == frozenset()


@contextlib.contextmanager
def drawn(folder: Path, **counters: int) -> Iterator[tuple[LiveMemory, int]]:
    """Draw the memory of a process of two pages; yield it and its open pagemap, which says that they are in swap."""
    home = folder / "1"
    home.mkdir()
    (home / "mem").write_bytes(bytes(DRAWN) + b"x" * 2 * PAGE)
    (home / "pagemap").write_bytes(bytes(DRAWN // PAGE * 8) + IN_SWAP)
    mapping = Mapping(DRAWN, DRAWN + 2 * PAGE, "rw-p", values=counters)
    with LiveMemory(1, folder, mappings=(mapping,)) as memory, (home / "pagemap").open("r+b") as pagemap:
        yield memory, pagemap.fileno()


DRAWN = 16 * PAGE
IN_SWAP, IN_MEMORY = (2 * entry.to_bytes(8, "little") for entry in (1 << 62, 1 << 63 | 1 << 56))


def test_a_page_that_the_kernel_is_moving_is_not_in_swap(tmp_path: Path) -> None:
    """Pages have migration entries for a moment, which look like swap; here they come and go all the time."""
    done = threading.Event()
    with drawn(tmp_path, rss=2 * PAGE) as (memory, pagemap):

        def move() -> None:
            while not done.is_set():
                os.pwrite(pagemap, IN_SWAP, DRAWN // PAGE * 8)
                os.pwrite(pagemap, IN_MEMORY, DRAWN // PAGE * 8)

        mover = threading.Thread(target=move)
        mover.start()
        try:
            assert memory.read(DRAWN, 2 * PAGE) == b"x" * 2 * PAGE
        finally:
            done.set()
            mover.join()


@pytest.mark.parametrize("counters", [{"rss": 2 * PAGE}, {"swap": 2 * PAGE}])
def test_pages_that_stay_in_swap_are_left_there(tmp_path: Path, counters: dict[str, int]) -> None:
    with drawn(tmp_path, **counters) as (memory, _):
        assert memory.read(DRAWN, 2 * PAGE) is None
