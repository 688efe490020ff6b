"""Look into the memory of a live process without changing it.

Implements the port that owner rules ask (``vmdiff/owners/memory_port.py``). Reading memory and stack
pointers needs the permission of a debugger (PTRACE_MODE_ATTACH), pages and files less. Whatever is
refused is answered with None and remembered in `LiveMemory.denied`.
"""

import errno
import fcntl
import os
import struct
import sys
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import compress, groupby, pairwise, repeat
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self, TypeVar

from vmdiff.capture.file_systems import FileSystems, device_of
from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.model import AddressIndex, Kind, Mapping, PlacedMapping, Residency
from vmdiff.storage.regular_file import open_regular

if TYPE_CHECKING:
    from vmdiff.capture.kernel_structs import PageScan

MEMORY, STACK_POINTERS, PAGES, FILES = "memory", "stack pointers", "pages", "files"

_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_BATCH = 1024  # UIO_MAXIOV: the kernel takes no more ranges in one call
_BATCH_BYTES = 1 << 20
_IN_MEMORY = 1 << 63  # the highest bit of a pagemap entry; the next one says that it is in swap
_HERE, _NOWHERE = 2, 0  # these two bits by themselves; 1 is in swap
_SHARED = 3  # in memory, and to be left as it is
_OF_A_FILE = 1 << 61
_OWN = 1 << 56 | _OF_A_FILE  # mapped only here, or of a file, which nobody copies for being looked at
_NEAR = 16 << 20  # pages so near each other are looked up together
_SWAPPED_IN = 32  # pages; what a snapshot may bring back from swap, of a process that may be short of memory
_FEW = 16  # so many reads one by one cost less than getting ready for a batch
_LONGEST_READ = 64 << 20
_MOST_THREADS = 4096  # whose activity is looked at
_TRIES, _PAUSE = 4, 0.001  # a thread that waits in the kernel at all does so within a few ms
_LOOKS_AGAIN = 32  # at pages that may be on their way, in all

# include/uapi/linux/fs.h: struct page_region and the categories
_PAGEMAP_SCAN = 0xC0606610
_PAGE_REGION = struct.Struct("=3Q")
_FILE, _PRESENT, _SWAPPED, _ZERO, _HUGE, _GUARD = 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 8
_REGIONS = 1024

# Documentation/admin-guide/mm/pagemap.rst: the flags of an entry are in its highest byte. Bit 63 says
# present, 62 swapped, 61 that the page is of a file or shared memory, 56 that it is mapped once.
_TOP = 7 if sys.byteorder == "little" else 0
_EXCLUSIVE = bytes(top for top in range(256) if top & 0x81 == 0x81)
_IS_PRESENT = bytes(range(128, 256))
_IS_SWAPPED = bytes(range(64, 128))
_ZERO_OR_SHARED = bytes(top for top in range(128, 256) if not top & 0x21)
_MOST_REGIONS = 1 << 20

T = TypeVar("T")


class PageRun(NamedTuple):
    """Neighbouring pages of one kind in ``[start, end)``; those not *present* are in swap.

    *zero* is the kernel's own page of zeros, *of_file* a page of a file or of shared memory, *huge* a part of
    a huge page.
    """

    start: int
    end: int
    present: bool
    zero: bool
    of_file: bool
    huge: bool


class _RunningError(Exception):
    """A thread is on a processor, or the kernel does not count how often it was."""


class LiveMemory:
    """The memory of one process: the one that *folder* is open for, else the one with that *pid* now.

    Reading a page that is not in memory would bring it there: the process would look larger after a
    snapshot than before, and page tables for terabytes of sanitizer shadow are hundreds of
    megabytes. So with *mappings*, the layout as it was read, such pages are not touched: untouched
    anonymous ones are zeros, those of files are read from the file, swapped ones only for short
    reads, one by one, and a few in all.

    Nor is a page touched by process_vm_readv, which reads many in one call, if it is shared copy-on-write
    with a fork or merged by KSM: that call pins pages (mm/process_vm_access.c), and since Linux 5.19 a page
    that others share is copied before it is pinned (mm/gup.c, gup_must_unshare). ``mem`` pins nothing.

    Opens what it needs on first use and keeps it until `close`; a file of ``/proc/PID`` that is
    open stays with the address space it was opened for, even after an exec.
    """

    def __init__(
        self,
        pid: int,
        proc: Path = Path("/proc"),
        *,
        folder: ProcessFolder | None = None,
        mappings: Sequence[Mapping] | None = None,
    ) -> None:
        self._pid = pid
        self._folder = _opened(proc / str(pid)) if folder is None else folder.duplicate()
        # Under this name the folder is found by its open file and not by the number, which may be reused.
        self._home = Path("/proc/self/fd") / str(self._folder)
        self._mappings = mappings
        self._denied: set[str] = set()
        self._open: dict[str, int | None] = {}
        self._swap_ins = _SWAPPED_IN
        self._looks_again = _LOOKS_AGAIN

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every file of the process."""
        for fd in self._open.values():
            if fd is not None:
                os.close(fd)
        self._open.clear()
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    @property
    def denied(self) -> frozenset[str]:
        """What was asked for and not permitted: memory, stack pointers, pages, files."""
        return frozenset(self._denied)

    def read(self, address: int, length: int) -> bytes | None:
        """Return exactly *length* bytes at *address*, or None where they cannot be read."""
        if not 0 < length <= _LONGEST_READ or not 0 <= address < (1 << 63) - _LONGEST_READ:
            return None
        if self._file("mem", MEMORY) is None:
            return None
        entries = self._entries(address, length) if self._mappings is not None else None
        if entries is None or min(entries) >= _IN_MEMORY:
            return self._peek(address, length)
        pieces = [self._piece(*run, length) for run in _runs(entries, address, length)]
        return None if None in pieces else b"".join(piece for piece in pieces if piece)

    def read_many(self, addresses: Sequence[int], length: int) -> list[bytes | None]:
        """Return `read` for every address, thousands in a few calls."""
        if len(addresses) < _FEW or not 0 < length <= _LONGEST_READ or self._file("mem", MEMORY) is None:
            return [self.read(address, length) for address in addresses]
        states = self._states(addresses, length)
        others = {
            _NOWHERE: lambda at: self._absent(at, at + length),
            _SHARED: lambda at: self._peek(at, length),
        }
        found = {at: others[state](at) for at, state in states.items() if state in others}
        present = [at for at, state in states.items() if state == _HERE]
        batch = max(1, min(_BATCH, _BATCH_BYTES // length))
        at = 0
        while at < len(present):
            asked = present[at : at + batch]
            got = _readv(self._pid, asked, length)
            if not self._is_alive():  # the call goes by number, which may be another process's now
                break
            found.update(zip(asked, got, strict=False))
            at += len(got)
            if len(got) < len(asked):  # the kernel stopped at one that it could not read
                found[asked[len(got)]] = self._peek(asked[len(got)], length)
                at += 1
        return [found[address] if address in found else self.read(address, length) for address in addresses]

    def stack_pointer(self, tid: int) -> int | None:
        """Return the stack pointer of a thread, or None while it runs or is not ours to see."""
        return self.stack_pointers([tid]).get(tid)

    def stack_pointers(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the stack pointers of those threads that could be seen waiting, in a few tries."""
        found: dict[int, int] = {}
        waiting = list(tids)
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_PAUSE)
            running = []
            for tid in waiting:
                pointer = self._registers(tid)
                if pointer is None:
                    running.append(tid)
                elif pointer:
                    found[tid] = pointer
            waiting = running
            if not waiting or STACK_POINTERS in self._denied:
                break
        return found

    def own_ids(self, tids: Iterable[int]) -> dict[int, int]:
        """Return the ids that the process itself knows its threads by, as keys, and the ids here as values.

        They differ where it is in a pid namespace of its own, as in a container (``NSpid``, since Linux 4.1).
        """
        listed = list(tids)
        if len(self._namespace_ids(self._pid)) < 2:
            return {tid: tid for tid in listed}
        return {ids[-1]: tid for tid in listed if (ids := self._namespace_ids(tid))}

    def _namespace_ids(self, tid: int) -> list[int]:
        try:
            text = (self._home / f"task/{tid}/status").read_text(errors="replace")
        except OSError:
            return []
        line = next((line for line in text.split("\n") if line.startswith("NSpid:")), "")
        return [int(word) for word in line.split()[1:]]

    def _is_alive(self) -> bool:
        try:
            os.close(os.open(self._home / "stat", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:
            return False
        return True

    def open_object(self, mapping: Mapping) -> BinaryIO | None:
        """Open the file behind a mapping for reading; None where it cannot be had.

        Only regular files are opened (opening a device or a pipe could do something), and under
        its path only the file that has the mapping's device and inode; none that a server could keep
        vmdiff waiting for.
        """
        if mapping.path is None or mapping.start is None or mapping.end is None:
            return None
        if not self._files.is_local(mapping):
            return None
        link = self._home / "map_files" / f"{mapping.start:x}-{mapping.end:x}"
        try:
            return open_regular(link, lambda _: True)
        except OSError:
            pass  # following these links takes CAP_CHECKPOINT_RESTORE
        if mapping.deleted or not mapping.path.startswith("/"):
            return None
        name = bytes.fromhex(mapping.path_hex) if mapping.path_hex else os.fsencode(mapping.path)
        try:
            return open_regular(os.fsencode(self._home / "root") + name, lambda found: _same(mapping, found))
        except OSError as error:
            self._note(error, FILES)
            return None

    @cached_property
    def _files(self) -> FileSystems:
        try:
            return FileSystems((self._home / "mountinfo").read_text(errors="backslashreplace"))
        except OSError:
            return FileSystems("")

    def residency(self, borders: Sequence[int], *, exclusive: bool = False) -> list[Residency] | None:
        """Count the pages of each stretch between *borders*, which ascend; None where that is unknown.

        *exclusive* asks for the pages that no other process maps, too, which takes longer.
        """
        regions = self._scan(borders[0], borders[-1], _PRESENT | _SWAPPED)
        if regions is None:
            found = [self._residency_by_entry(start, end) for start, end in pairwise(borders)]
            return None if None in found else [one for one in found if one is not None]
        counts = [[0, 0, 0] for _ in borders[1:]]
        for at, low, high, what in _cut(regions, borders):
            if what & _PRESENT and not what & _ZERO:
                counts[at][0] += high - low
                alone = self._exclusive(low, high) if exclusive else 0
                if alone is None:
                    return None
                counts[at][2] += alone
            elif not what & (_PRESENT | _GUARD):
                counts[at][1] += high - low
        return [Residency(here, away, own if exclusive else None) for here, away, own in counts]

    def _exclusive(self, start: int, end: int) -> int | None:
        """Count the bytes of the present pages in ``[start, end)`` that only this process maps."""
        tops = self._tops(start, end)
        return None if tops is None else _count(tops, _EXCLUSIVE) * page_size()

    def _tops(self, start: int, end: int) -> bytes | None:
        """Return the highest byte of each pagemap entry, where the flags are; None if it cannot be had."""
        if not 0 < (end - start) // page_size() * 8 <= _LONGEST_READ:
            return None
        entries = self._entries(start, end - start)
        return None if entries is None else entries.tobytes()[_TOP::8]

    def populated(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Return the ranges in ``[start, end)`` that have pages in memory or swap; None where unknown.

        Pages that the kernel's own page of zeros stands for are left out, and guards, which cannot be read:
        glibc 2.42 and later have them between the stacks of threads, all in one mapping. Kernels that do not
        tell guards show them as swapped, so a range is in one of the two.
        """
        regions = self._scan(start, end, _PRESENT | _SWAPPED)
        if regions is None:
            return None
        held = [
            (low, high, what & _PRESENT)
            for low, high, what in regions
            if not (what & _GUARD or (what & _PRESENT and what & _ZERO))
        ]
        found: list[tuple[int, int]] = []
        for at, (low, high, present) in enumerate(held):
            if at and held[at - 1][1:] == (low, present):
                found[-1] = found[-1][0], high
            else:
                found.append((low, high))
        return found

    def page_runs(self, start: int, end: int) -> list[PageRun] | None:
        """Return the pages in ``[start, end)`` that are in memory or swap, in order; None where unknown."""
        regions = self._scan(start, end, _PRESENT | _SWAPPED, also=_FILE | _HUGE)
        if regions is None:
            return None
        return [
            PageRun(
                low, high, bool(what & _PRESENT), bool(what & _ZERO), bool(what & _FILE), bool(what & _HUGE)
            )
            for low, high, what in regions
            if not what & _GUARD
        ]

    def guards(self, start: int, end: int) -> list[tuple[int, int]] | None:
        """Return the guard ranges (MADV_GUARD_INSTALL) in ``[start, end)``; None where unknown."""
        regions = self._scan(start, end, _GUARD)
        return None if regions is None else [(low, high) for low, high, _ in regions]

    def activity(self) -> tuple[tuple[str, bytes], ...] | None:
        """Return for how long and how often each thread was on a processor; None while one runs or waits.

        That is what ``schedstat`` counts (Documentation/scheduler/sched-stats.rst). A thread that has not
        left its processor since has the state R; one that was about to wait, and had no need to after all,
        keeps its number of runs and gains time.
        """
        try:
            tids = os.listdir(f"{self._home}/task")  # noqa: PTH208  # names are all that is needed
            if len(tids) > _MOST_THREADS:
                return None
            return tuple((tid, runs) for tid in tids if (runs := self._runs(tid)) is not None)
        except (OSError, _RunningError):
            return None

    def _runs(self, tid: str) -> bytes | None:
        """Return what a thread's ``schedstat`` says; None where it has ended."""
        task = f"{self._home}/task/{tid}"
        try:
            stat, runs = _contents(f"{task}/stat"), _contents(f"{task}/schedstat")
        except (FileNotFoundError, ProcessLookupError):
            return None
        if len(runs.split()) != 3 or stat.rpartition(b")")[2].split()[0] == b"R":
            raise _RunningError
        return runs

    def _peek(self, address: int, length: int) -> bytes | None:
        """Read whatever is there, bringing it into memory if it is not."""
        fd = self._file("mem", MEMORY)
        if fd is None:
            return None
        try:
            found = os.pread(fd, length, address)
        except OSError as error:
            self._note(error, MEMORY)
            return None
        return found if len(found) == length else None

    def _entries(self, address: int, length: int) -> "array[int] | None":
        """Return the pagemap entry of each page of a range; None where they cannot be had."""
        fd, page = self._file("pagemap", PAGES), page_size()
        first = address // page
        count = (address + length - 1) // page - first + 1

        def look() -> bytes:
            try:
                return os.pread(fd, count * 8, first * 8) if fd is not None else b""
            except (OSError, OverflowError):
                return b""

        raw = self._settled(
            look, lambda raw: _count(raw[_TOP::8], _IS_SWAPPED) > 0, address, address + length
        )
        return array("Q", raw) if len(raw) == count * 8 else None

    def _settled(self, look: Callable[[], T], seem_swapped: Callable[[T], bool], start: int, end: int) -> T:
        """Look at pages, and again while some seem to be in swap where the snapshot counted none there.

        A page that the kernel is moving to another place in memory, which it does all the time, has a
        migration entry for some microseconds: pagemap shows it like one in swap, smaps does not
        (fs/proc/task_mmu.c, pte_to_pagemap_entry, smaps_pte_entry).
        """
        found = look()
        while self._looks_again and seem_swapped(found) and self._has_no_swap(start, end):
            self._looks_again -= 1
            time.sleep(_PAUSE)
            found = look()
        return found

    def _has_no_swap(self, start: int, end: int) -> bool:
        """Return whether the layout was read, and had nothing in swap in ``[start, end)``."""
        return self._mappings is not None and not any(
            mapping.values.get("swap") for mapping in self._by_address.within(start, end)
        )

    def _states(self, addresses: Sequence[int], length: int) -> dict[int, int]:
        """Return where the pages at each address are, if all in one place, looking neighbours up together."""
        known = sorted({address for address in addresses if 0 <= address < (1 << 63) - _LONGEST_READ})
        if self._mappings is None:
            return dict.fromkeys(known, _HERE)
        found: dict[int, int] = {}
        page, at = page_size(), 0
        while at < len(known):
            low = known[at]
            near = bisect_left(known, low + _NEAR, at + 1)
            group = known[at:near]
            entries = self._entries(low, group[-1] + length - low) or ()
            below = low // page
            for address in group if entries else ():
                first, last = address // page - below, (address + length - 1) // page - below
                state = self._state(entries[first])
                if first == last or all(self._state(entry) == state for entry in entries[first : last + 1]):
                    found[address] = state
            at = near
        return found

    def _state(self, entry: int) -> int:
        """Return where a page is by its pagemap entry, and whether others have it copy-on-write."""
        state = min(entry >> 62, _HERE)
        if state == _HERE and (not entry & _OWN or (self._merged and not entry & _OF_A_FILE)):
            return _SHARED
        return state

    @cached_property
    def _merged(self) -> bool:
        """Whether KSM has merged pages of this process; one that is mapped once looks like any other."""
        return any(mapping.values.get("ksm") for mapping in self._mappings or ())

    def _piece(self, low: int, high: int, state: int, asked: int) -> bytes | None:
        """Return a stretch of pages that are all in memory, all in swap or all in neither."""
        if state == _NOWHERE:
            return self._absent(low, high)
        if state != _HERE:
            self._swap_ins -= 1
            if asked > page_size() or self._swap_ins < 0:
                return None
        return self._peek(low, high - low)

    def _absent(self, low: int, high: int) -> bytes | None:
        """Return what pages that are nowhere would hold."""
        pieces: list[bytes] = []
        while low < high:
            mapping = self._by_address.at(low)
            if mapping is None:
                return None
            piece = self._backing(mapping, low, min(high, mapping.end) - low)
            if piece is None:
                return None
            pieces.append(piece)
            low += len(piece)
        return b"".join(pieces)

    @cached_property
    def _by_address(self) -> AddressIndex[PlacedMapping]:
        mappings = self._mappings or ()
        placed = map(isinstance, mappings, repeat(PlacedMapping))
        return AddressIndex(compress(mappings, placed))  # type: ignore[arg-type]

    def _backing(self, mapping: PlacedMapping, address: int, length: int) -> bytes | None:
        """Return what a page would hold if it were brought into memory."""
        if mapping.inode in {"0", None}:
            special = mapping.path is not None and mapping.kind is Kind.KERNEL
            return None if special else bytes(length)
        file = self.open_object(mapping)
        if file is None or mapping.offset is None:
            return None
        with file:
            try:
                found = os.pread(file.fileno(), length, mapping.offset + address - mapping.start)
            except (OSError, OverflowError):
                return None
        # Beyond the end of the file the last page is zeros.
        return found + bytes(length - len(found))

    def _registers(self, tid: int) -> int | None:
        """Return the stack pointer, None while the thread runs, 0 where there is none to be had."""
        try:
            fd = os.open(f"{self._home}/task/{tid}/syscall", os.O_RDONLY | os.O_CLOEXEC)
            try:
                words = os.read(fd, 256).split()
            finally:
                os.close(fd)
        except OSError as error:
            self._note(error, STACK_POINTERS)
            return 0
        if len(words) < 3:
            return None if words == [b"running"] else 0
        return int(words[-2], 16)

    def _scan(
        self, start: int, end: int, categories: int, *, also: int = 0
    ) -> list[tuple[int, int, int]] | None:
        """Return the ranges of pages in any of *categories*, or None where the kernel cannot tell.

        They tell pages apart that differ in *also*, too.
        """
        fd = self._file("pagemap", PAGES)
        if fd is None or not 0 <= start < end <= 1 << 64 or (start | end) % page_size():
            return None
        wanted = _PRESENT | _SWAPPED | _ZERO | (_GUARD if self._knows_guards else 0)
        if categories & ~wanted:
            return None
        return self._settled(
            lambda: _scanned(fd, start, end, categories, wanted | also), _seem_swapped, start, end
        )

    @cached_property
    def _knows_guards(self) -> bool:
        """Whether this kernel tells guard pages from swapped ones."""
        fd = self._file("pagemap", PAGES)
        if fd is None:
            return False
        try:
            fcntl.ioctl(fd, _PAGEMAP_SCAN, _page_scan(0, page_size(), 0, _GUARD, 0))
        except OSError:
            return False
        return True

    def _residency_by_entry(self, start: int, end: int) -> Residency | None:
        """Count page by page, on kernels before 6.7; zeros cannot be told from data there.

        So with pages that are present and neither exclusive nor of a file nothing is known.
        """
        tops = self._tops(start, end)
        if tops is None or _count(tops, _ZERO_OR_SHARED):
            return None
        page = page_size()
        return Residency(
            _count(tops, _IS_PRESENT) * page,
            _count(tops, _IS_SWAPPED) * page,
            _count(tops, _EXCLUSIVE) * page,
        )

    def _file(self, name: str, what: str) -> int | None:
        """Open a file of the process once; None where that is not possible."""
        if name not in self._open:
            try:
                self._open[name] = os.open(self._home / name, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                self._note(error, what)
                self._open[name] = None
        return self._open[name]

    def _note(self, error: OSError, what: str) -> None:
        if error.errno in _REFUSED:
            self._denied.add(what)


def _scanned(
    fd: int, start: int, end: int, categories: int, wanted: int
) -> list[tuple[int, int, int]] | None:
    """Return the ranges of pages in any of *categories*; pages that differ in *wanted* are told apart."""
    vector = array("Q", bytes(_PAGE_REGION.size * _REGIONS))
    found: list[tuple[int, int, int]] = []
    while start < end and len(found) < _MOST_REGIONS:
        where = vector.buffer_info()[0]
        scan = _page_scan(start, end, where, categories, wanted)
        try:
            count = fcntl.ioctl(fd, _PAGEMAP_SCAN, scan)
        except OSError:
            return None
        found += _PAGE_REGION.iter_unpack(memoryview(vector).cast("B")[: _PAGE_REGION.size * count])
        if scan.walk_end <= start:
            return None
        start = scan.walk_end
    return found if start >= end else None


def _seem_swapped(regions: Sequence[tuple[int, int, int]] | None) -> bool:
    return any(what & _SWAPPED and not what & (_PRESENT | _GUARD) for _, _, what in regions or ())


def _opened(folder: Path) -> int | None:
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None


def _contents(path: str) -> bytes:
    """Return what a small file of /proc says."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _runs(entries: "array[int]", address: int, length: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range where pages begin to be elsewhere: in memory, in swap, in neither."""
    page, end = page_size(), address + length
    low = address
    reach = address // page * page
    for state, run in groupby(entries, key=lambda entry: min(entry >> 62, _HERE)):
        reach += sum(1 for _ in run) * page
        yield low, min(reach, end), state
        low = reach


def _cut(
    regions: Iterable[tuple[int, int, int]], borders: Sequence[int]
) -> Iterator[tuple[int, int, int, int]]:
    """Cut regions of pages, which ascend, at borders: yield the stretch's number, bounds and categories."""
    at = 0
    for low, high, what in regions:
        start = low
        while start < high:
            while borders[at + 1] <= start:
                at += 1
            end = min(high, borders[at + 1])
            yield at, start, end, what
            start = end


def _count(tops: bytes, wanted: bytes) -> int:
    return len(tops) - len(tops.translate(None, wanted))


def _page_scan(start: int, end: int, vector: int, categories: int, wanted: int) -> "PageScan":
    """Ask for the ranges in any of *categories*, and which of *wanted* they are in."""
    import ctypes  # 2 ms, where owners are looked for

    from vmdiff.capture.kernel_structs import PageScan

    return PageScan(
        size=ctypes.sizeof(PageScan),
        start=start,
        end=end,
        vec=vector,
        vec_len=_REGIONS if vector else 0,
        category_anyof_mask=categories,
        return_mask=wanted,
    )


@cache
def page_size() -> int:
    """Return the page size of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE")


def _same(mapping: Mapping, found: os.stat_result) -> bool:
    return mapping.device == device_of(found) and mapping.inode == str(found.st_ino)


@cache
def _process_vm_readv() -> Callable[..., int] | None:
    import ctypes  # takes 2 ms that most snapshots need not pay

    try:
        function = ctypes.CDLL(None, use_errno=True).process_vm_readv
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_ssize_t
    word = ctypes.c_ulong
    function.argtypes = (ctypes.c_int, ctypes.c_void_p, word, ctypes.c_void_p, word, word)
    return function


def _readv(pid: int, addresses: Sequence[int], length: int) -> list[bytes | None]:
    """Read *length* bytes at each address, up to the first that cannot be read."""
    call = _process_vm_readv()
    if call is None or any(not 0 <= address < 1 << 63 for address in addresses):
        return []
    buffer = array("B", bytes(length * len(addresses)))
    local = array("L", buffer.buffer_info())
    remote = array("L", bytes(2 * array("L").itemsize * len(addresses)))
    remote[0::2] = array("L", addresses)
    remote[1::2] = array("L", [length]) * len(addresses)
    got = call(pid, local.buffer_info()[0], 1, remote.buffer_info()[0], len(addresses), 0)
    whole, raw = max(got, 0) // length, buffer.tobytes()
    return [raw[at : at + length] for at in range(0, whole * length, length)]
