"""Hold a process still while it is read, and let it go in every case.

Each thread is seized (PTRACE_SEIZE) and interrupted (PTRACE_INTERRUPT), which sends no signal: neither
the process nor its parent sees a stop. When vmdiff dies, even by SIGKILL, the kernel detaches and the
threads run on. What the process does notice: some system calls that it was waiting in return EINTR
(``SECURITY.md`` lists them).

Facts: ptrace(2); kernel/ptrace.c. Requests must come from the thread that seized.
"""

import ctypes
import errno
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.errors import ProcessError

# include/uapi/linux/ptrace.h, include/uapi/linux/wait.h
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_EVENT_STOP = 128
_ALL_CHILDREN = 0x40000000  # __WALL: a thread is no child that waitpid would wait for otherwise

_KCMP = {"x86_64": 312, "aarch64": 272}  # arch/*/entry/syscalls
_KCMP_VM = 1

STOP_WITHIN = 2.0  # seconds; a thread that waits for a disk stops only when it has what it waits for
_PAUSE = 0.0005
_ROUNDS = 100  # of looking for threads that appeared meanwhile


class Freeze:
    """A process that stands still until `let_go`.

    *seconds* is how long it stood, *doubts* what that did not cover.
    """

    def __init__(self, folder: ProcessFolder, limit: float | None) -> None:
        self.doubts: list[str] = []
        self.seconds = 0.0
        self._folder = folder
        self._limit = limit
        self._since = time.perf_counter()
        self._held: dict[int, int] = {}  # thread -> the signal that it was about to get
        self._trace = ctypes.CDLL(None, use_errno=True).ptrace
        self._trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self._trace.restype = ctypes.c_long

    def hold(self) -> None:
        """Stop every thread there is.

        Raises:
            ProcessError: it may not be traced, somebody else traces it, or it does not stop in time.
        """
        for _ in range(_ROUNDS):
            fresh = [tid for tid in self._threads() if tid not in self._held]
            if not fresh:
                break
            for tid in fresh:
                self._seize(tid)
            for tid in fresh:
                self._await_stop(tid)
        self.doubts += self._sharers()

    def let_go(self) -> None:
        """Let every thread run on; a signal that one was about to get is delivered."""
        if not self._held:
            return
        dead = [tid for tid, signal in self._held.items() if self._trace(_DETACH, tid, None, signal) != 0]
        for tid in dead:
            self._bury(tid)
        self._held.clear()
        self.seconds = time.perf_counter() - self._since

    def let_go_if_late(self) -> None:
        """Let it go when the limit is over, and remember that the rest was read while it ran."""
        if self._limit is not None and self._held and time.perf_counter() - self._since > self._limit:
            self.let_go()
            self.doubts.append(f"let go after {self.seconds * 1000:.0f} ms, before the reading was done")

    def _threads(self) -> list[int]:
        return [int(name) for name in self._folder.names("task") if name.isdigit()]

    def _seize(self, tid: int) -> None:
        if self._trace(_SEIZE, tid, None, None) == 0:
            self._held[tid] = 0
            self._trace(_INTERRUPT, tid, None, None)
            return
        number = ctypes.get_errno()
        if number == errno.ESRCH or self._state(tid) in {"Z", "X", None}:
            return  # it ended, or is a leader that waits for its threads
        raise ProcessError(self._refusal(tid, number))

    def _await_stop(self, tid: int) -> None:
        """Wait until a thread that was interrupted stands still."""
        late = time.perf_counter() + STOP_WITHIN
        while tid in self._held:
            try:
                found, status = os.waitpid(tid, os.WNOHANG | _ALL_CHILDREN)
            except ChildProcessError:
                del self._held[tid]
                return
            if found and os.WIFSTOPPED(status):
                # A stop for the interruption has an event; any other is for a signal on its way.
                self._held[tid] = 0 if status >> 16 == _EVENT_STOP else os.WSTOPSIG(status)
                return
            if found:
                del self._held[tid]  # it ended
            elif time.perf_counter() > late:
                raise ProcessError(
                    f"process {self._folder.pid} cannot be held still: its thread {tid}"
                    f" (state {self._state(tid)}) did not stop within {STOP_WITHIN:.0f} s"
                )
            else:
                time.sleep(_PAUSE)

    def _bury(self, tid: int) -> None:
        """Collect a thread that died while we held it, or its process could not end.

        One that never stopped cannot be let go either: the kernel does that when vmdiff ends.
        """
        late = time.perf_counter() + STOP_WITHIN
        with suppress(ChildProcessError, ProcessError):
            if tid == self._folder.pid and self._folder.stat().parent == os.getpid():
                return  # our own child: its end is for whoever started it to see
            while os.waitpid(tid, os.WNOHANG | _ALL_CHILDREN)[0] == 0 and time.perf_counter() < late:
                time.sleep(_PAUSE)

    def _state(self, tid: int) -> str | None:
        text = self._folder.text(f"task/{tid}/stat")
        return text.rpartition(")")[2].split()[0] if text else None

    def _refusal(self, tid: int, number: int) -> str:
        tracer = self._tracer(tid)
        if tracer:
            return f"process {self._folder.pid} cannot be held still: process {tracer} traces it already"
        return (
            f"process {self._folder.pid} may not be held still ({os.strerror(number)});"
            " --freeze needs what a debugger needs: try sudo, or grant CAP_SYS_PTRACE"
        )

    def _tracer(self, tid: int) -> int:
        for line in (self._folder.text(f"task/{tid}/status") or "").split("\n"):
            if line.startswith("TracerPid:"):
                return int(line.split()[1])
        return 0

    def _sharers(self) -> list[str]:
        """Name the processes that share this memory without being its threads: they run on."""
        call = _KCMP.get(platform.machine())
        if call is None:
            return []
        syscall = ctypes.CDLL(None, use_errno=True).syscall
        own = self._folder.pid
        others = (int(entry.name) for entry in self._folder.path.parent.iterdir() if entry.name.isdigit())
        sharing = [
            other for other in others if other != own and syscall(call, own, other, _KCMP_VM, 0, 0) == 0
        ]
        return [f"process {other} shares this memory and was not held still" for other in sharing]


@contextmanager
def frozen(folder: ProcessFolder, limit: float | None = None) -> Iterator[Freeze]:
    """Hold a process still for the block, or for *limit* seconds of it; it is let go in every case.

    Raises:
        ProcessError: it may not be traced, somebody else traces it, or it does not stop in time.
    """
    freeze = Freeze(folder, limit)
    try:
        freeze.hold()
        if limit is not None:
            folder.between_reads = freeze.let_go_if_late
        yield freeze
    finally:
        folder.between_reads = None
        freeze.let_go()
