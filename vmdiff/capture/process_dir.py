"""One process's folder under ``/proc``, held open: whatever the pid becomes, this stays the process.

Facts: proc(5), Documentation/filesystems/proc.rst. A read of ``smaps`` gives at most a page of
text whatever the buffer, so buffers are small: a large one costs its allocation at every read.
A vector of buffers is filled one by one in a single call (fs/read_write.c, do_loop_readv_writev), each
to the brim if the page that seq_file writes into holds what it takes and a record more (fs/seq_file.c).
"""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from vmdiff.errors import ProcessError
from vmdiff.importers.procfs.stat_line import Stat, stat_of

PROC = Path("/proc")

_READ = 16 << 10
_PIECE = 256 << 10  # what is handed on at once
# What the kernel writes as one record (fs/proc/base.c, proc_single_open and proc_pid_auxv_operations;
# fs/proc/task_mmu.c, smaps_rollup_open): a short read has all of it. Of other files a short read may end with
# a record, and more come (fs/seq_file.c).
_ONE_RECORD = frozenset({"stat", "status", "cgroup", "auxv", "smaps_rollup"})
# Of a vector. After each a thread that reads ahead waits for the interpreter, for up to 5 ms
# (sys.getswitchinterval), so there are enough of them that it stays ahead.
_BUFFER, _BUFFERS = 3 << 10, 128
KERNEL_THREAD = 0x00200000  # PF_KTHREAD, include/linux/sched.h
_EXITING = 0x00000004  # PF_EXITING, set before the memory is given back (do_exit, kernel/exit.c)


def check_system() -> None:
    """Check that this is a system whose processes can be read.

    Raises:
        ProcessError: it is not Linux.
    """
    if not sys.platform.startswith("linux"):
        raise ProcessError(
            "live processes are read on Linux only; elsewhere vmdiff reads snapshots and listings"
        )


class ProcessFolder:
    """``/proc/PID``, opened once; every file is opened relative to it.

    A number that is *listed* in ``/proc`` is of a process; another may be of one of its threads.

    Raises:
        ProcessError: there is no such process, or it is not ours to look at.
    """

    def __init__(self, pid: int, proc: Path = PROC, *, listed: bool = False) -> None:
        check_system()
        self.between_reads: Callable[[], None] | None = None
        self._descriptor = -1
        self._open(pid, proc)
        group = None if listed else self._number("Tgid")
        if group is not None and group != pid:  # the id of a thread: all threads share the memory
            os.close(self._descriptor)
            self._open(group, proc)

    def _open(self, pid: int, proc: Path) -> None:
        self.pid = pid
        self.path = proc / str(pid)
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self.explain(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def duplicate(self) -> int:
        """Return another descriptor of the folder; it is the caller's to close."""
        return os.dup(self._descriptor)

    def open(self, name: str, flags: int = 0) -> int:
        """Open one of its files for reading; the descriptor is the caller's to close."""
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=self._descriptor)

    def chunks(self, name: str, *, large: bool = False) -> Iterator[bytes]:
        """Yield a file's bytes as they come, in pieces of some hundred KiB.

        What is *large*, or turns out to be, is read by vectors: the interpreter is free meanwhile, and
        takes its turn some hundred times instead of ten thousand. `between_reads` is called after each
        page, so whoever sets it has the file read by pages.
        """
        descriptor = self.open(name)
        try:
            once = name in _ONE_RECORD
            by_vectors = _vector_reader() if large and not once and not self.between_reads else None
            while piece := by_vectors(descriptor) if by_vectors else self._by_pages(descriptor, once=once):
                yield piece
                if by_vectors is None and len(piece) < _PIECE:
                    return  # it ended: not to be asked again, for most files are small and there are many
                if by_vectors is None and not self.between_reads:
                    by_vectors = _vector_reader()
        finally:
            os.close(descriptor)

    def _by_pages(self, descriptor: int, *, once: bool) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while length < _PIECE and (piece := os.read(descriptor, _READ)):
            if self.between_reads:
                self.between_reads()
            pieces.append(piece)
            length += len(piece)
            if once and len(piece) < _READ:
                break
        return b"".join(pieces)

    def contents(self, name: str) -> bytes:
        """Return a file's bytes."""
        return b"".join(self.chunks(name))

    def text(self, name: str) -> str | None:
        """Return a file's text, or None where this kernel has no such file or does not show it."""
        try:
            return self.contents(name).decode(errors="backslashreplace")
        except OSError:
            return None

    def link(self, name: str) -> str | None:
        """Return what a symbolic link says, or None."""
        try:
            return os.fsencode(os.readlink(name, dir_fd=self._descriptor)).decode(errors="backslashreplace")
        except OSError:
            return None

    def raw_link(self, name: str) -> bytes | None:
        """Return the bytes of a symbolic link, or None."""
        try:
            return os.readlink(os.fsencode(name), dir_fd=self._descriptor)
        except OSError:
            return None

    def status_of(self, name: str) -> os.stat_result | None:
        """Return the status of the file that *name* leads to, or None."""
        try:
            return os.stat(name, dir_fd=self._descriptor)
        except (OSError, ValueError):
            return None

    def names(self, folder: str) -> list[str]:
        """List a folder, or nothing where it cannot be listed."""
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._descriptor)
            try:
                return os.listdir(descriptor)  # noqa: PTH208  # of the folder that is open
            finally:
                os.close(descriptor)
        return []

    def stat(self) -> Stat:
        """Read ``stat``.

        Raises:
            ProcessError: the process is gone.
        """
        try:
            text = self.contents("stat").decode(errors="backslashreplace")
        except OSError as error:
            raise self.explain(error) from error
        found = stat_of(text)
        if found is None:
            raise ProcessError(f"process {self.pid}: its stat cannot be read: {text[:60]!r}")
        return found

    def identity(self, stat: Stat | None = None) -> tuple[object, ...]:
        """Return what differs once the process is another one, or has become another program.

        The auxiliary vector holds addresses that each exec draws anew, also one of the same program. The
        file of the program is not looked at: it may be on a server that does not answer. *stat* is one that
        was just read.

        Raises:
            ProcessError: the process is gone.
        """
        return (stat or self.stat()).start_ticks, self.link("exe"), self.text("auxv")

    def was(self, identity: tuple[object, ...]) -> bool:
        """Return whether this is the program still that had that identity, as far as it lived."""
        try:
            ended = self.stat().state in {"Z", "X"}
            return ended or self.identity() == identity
        except ProcessError:
            return True

    def resident(self) -> int | None:
        """Return the resident bytes that ``statm`` states: good enough to guess what a walk will cost."""
        fields = (self.text("statm") or "").split()
        told = len(fields) > 1 and fields[1].isdigit()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if told else None

    def check_memory(self, stat: Stat) -> None:
        """Make sure that the process has memory to look at.

        Raises:
            ProcessError: it is a kernel thread, a zombie, or becomes one: to free its pages takes a while.
        """
        if stat.flags & KERNEL_THREAD:
            raise ProcessError(f"process {self.pid} is a kernel thread: it has no memory of its own")
        if stat.state in {"Z", "X"}:
            raise ProcessError(
                f"process {self.pid} is a zombie: it has exited, its memory is gone (parent: {stat.parent})"
            )
        if stat.flags & _EXITING:
            raise ProcessError(f"process {self.pid} is exiting: the kernel takes its memory back")

    def explain(self, error: OSError) -> ProcessError:
        """Return the error that states in one line why the process cannot be observed, and what to do."""
        if error.errno in {errno.ENOENT, errno.ESRCH}:
            return ProcessError(f"no process {self.pid} here (it may have ended, or be hidden by hidepid)")
        if error.errno in {errno.EACCES, errno.EPERM}:
            return ProcessError(self._whose())
        return ProcessError(f"process {self.pid}: {error.strerror}")

    def _whose(self) -> str:
        if self._number("Uid") == os.geteuid():
            return (
                f"process {self.pid} does not allow being looked at (it is not dumpable, or runs with more"
                " privileges); try sudo, or grant CAP_SYS_PTRACE"
            )
        return f"process {self.pid} belongs to another user; try sudo, or grant CAP_SYS_PTRACE"

    def _number(self, key: str) -> int | None:
        """Return the first number of a line of ``status``."""
        for line in (self.text("status") or "").split("\n"):
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
        return None


def _vector_reader() -> Callable[[int], bytes]:
    """Return a function that reads as much of a file as a vector of buffers holds."""
    room = memoryview(bytearray(_BUFFER * _BUFFERS))
    vector = [room[at : at + _BUFFER] for at in range(0, len(room), _BUFFER)]

    def read(descriptor: int) -> bytes:
        return bytes(room[: os.readv(descriptor, vector)])

    return read
