"""Hold a process still while it is read, and resume it in every case.

Each thread is seized (PTRACE_SEIZE) and interrupted (PTRACE_INTERRUPT), which sends no signal: neither
the process nor its parent sees a stop. What the process does notice: some system calls that it was waiting
in return EINTR (``SECURITY.md`` lists them).

A thread of vmdiff does all of it, since requests must come from the thread that seized. While the process
is read it waits for the end of the reading or of the limit, so the limit holds whatever the reading is at.
When that thread ends, and vmdiff with it even by SIGKILL, the kernel detaches what is left
(kernel/ptrace.c, exit_ptrace): threads that died while they were held, or never stopped, need no care here.

Facts: ptrace(2); kernel/ptrace.c; kernel/exit.c.
"""

import ctypes
import errno
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vmdiff.capture.process_dir import ProcessFolder
from vmdiff.errors import ProcessError

# include/uapi/linux/ptrace.h, include/uapi/linux/wait.h
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_GETREGSET, _NT_PRSTATUS, _MOST_REGISTERS = 0x4204, 1, 1024
_EVENT_STOP = 128
_ALL_CHILDREN = 0x40000000  # __WALL: a thread is no child that waitid would wait for otherwise

_KCMP = {"x86_64": 312, "aarch64": 272}  # arch/*/entry/syscalls
_KCMP_VM = 1

STOP_WITHIN = 2.0  # seconds; a thread that waits for a disk stops only when it has what it waits for
_PAUSE = 0.0005
RUNS_WITHIN = 0.2  # seconds; a process that was let go and is given no processor for longer is not waited for
_ROUNDS = 100  # of looking for threads that appeared meanwhile


class _LimitReachedError(Exception):
    """The process is to run on, whatever has been read."""


class _Vector(ctypes.Structure):
    """``struct iovec``: where registers go, and how many bytes there are."""

    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Freeze:
    """A process that stands still until `let_go`, or until *limit* seconds have passed.

    *seconds* is how long it stood, *doubts* what that did not cover; both are complete after `let_go`.
    """

    def __init__(self, folder: ProcessFolder, limit: float | None, *, registers: bool = False) -> None:
        self.doubts: list[str] = []
        self.registers: dict[int, bytes] = {}  # of each thread, where they were asked for
        self._asks_registers = registers
        self.seconds = 0.0
        self.expired = False  # the limit ended it before the reading was done
        self._folder = folder
        self._limit = limit
        self._since = 0.0
        self._held: dict[int, int] = {}  # thread -> the signal that it was about to get
        self._failure: BaseException | None = None
        self._ready, self._enough = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="vmdiff-holds-still", daemon=True)
        # PyDLL keeps the interpreter's lock: to wait for it again after each of a thousand calls, while
        # another thread computes, would cost as many times sys.getswitchinterval().
        self._trace = ctypes.PyDLL(None, use_errno=True).ptrace
        self._trace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self._trace.restype = ctypes.c_long

    def hold(self) -> None:
        """Stop every thread there is.

        Raises:
            ProcessError: it may not be traced, somebody else traces it, or it does not stop in time.
        """
        self._since = time.perf_counter()
        try:
            self._thread.start()
        except RuntimeError as error:
            raise ProcessError(
                f"process {self._folder.pid} cannot be held still: vmdiff may start no thread here ({error})"
            ) from error
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        self.doubts += self._sharers()

    def let_go(self) -> None:
        """Resume the process if the limit has not; signals that threads were about to get are delivered."""
        self._enough.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        """Hold the process from its first to its last moment; runs in a thread of its own."""
        try:
            self._stop_all()
            if self._asks_registers:
                self._read_registers()
            self._ready.set()
            if not self._enough.wait(self._left()):
                raise _LimitReachedError  # noqa: TRY301  # as it may be raised while it is being stopped
        except _LimitReachedError:
            self.expired = True
            self._resume()
            self.doubts.append(f"let go after {self.seconds * 1000:.0f} ms, before the reading was done")
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that asked
            self._failure = error
        finally:
            self._resume()
            self._ready.set()

    def _left(self) -> float | None:
        """Return the seconds left of the limit."""
        return None if self._limit is None else max(0.0, self._limit - (time.perf_counter() - self._since))

    def _check_limit(self) -> None:
        if self._left() == 0 or self._enough.is_set():
            raise _LimitReachedError

    def _stop_all(self) -> None:
        for _ in range(_ROUNDS):
            fresh = [tid for tid in self._threads() if tid not in self._held]
            if not fresh:
                break
            for tid in fresh:
                self._check_limit()
                self._seize(tid)
            for tid in fresh:
                self._await_stop(tid)

    def _read_registers(self) -> None:
        """Read the general registers of each thread that stands still, as the kernel lays them out."""
        for tid in self._held:
            raw = ctypes.create_string_buffer(_MOST_REGISTERS)
            vector = _Vector(ctypes.addressof(raw), len(raw))
            if self._trace(_GETREGSET, tid, _NT_PRSTATUS, ctypes.addressof(vector)) == 0:
                self.registers[tid] = raw.raw[: vector.length]

    def _resume(self) -> None:
        if not self._held:
            return
        for tid, signal in self._held.items():
            self._trace(_DETACH, tid, None, signal)
        self._held.clear()
        self.seconds = time.perf_counter() - self._since

    def _threads(self) -> list[int]:
        return [int(name) for name in self._folder.names("task") if name.isdigit()]

    def _seize(self, tid: int) -> None:
        if self._trace(_SEIZE, tid, None, None) != 0:
            number = ctypes.get_errno()
            if number != errno.ESRCH and self._state(tid) not in {"Z", "X", None}:
                raise ProcessError(self._refusal(tid, number))
            return  # it ended, or is a leader that waits for its threads
        # The number may be another process's by now; that one is not interrupted, and let go by the kernel.
        if self._state(tid) is not None:
            self._held[tid] = 0
            self._trace(_INTERRUPT, tid, None, None)

    def _await_stop(self, tid: int) -> None:
        """Wait until a thread that was interrupted stands still.

        Only stops are waited for: to wait for an end would take the exit status of our own child, which is
        for the caller to see.
        """
        late = time.perf_counter() + STOP_WITHIN
        while tid in self._held:
            try:
                stopped = os.waitid(os.P_PID, tid, os.WSTOPPED | os.WNOHANG | _ALL_CHILDREN)
            except ChildProcessError:
                del self._held[tid]
                return
            if stopped is not None:
                # A stop for the interruption has an event; any other is for a signal on its way.
                event, signal = stopped.si_status >> 8, stopped.si_status & 0xFF
                self._held[tid] = 0 if event == _EVENT_STOP else signal
                return
            if self._state(tid) in {"Z", "X", None}:
                del self._held[tid]  # it ended
                return
            self._check_limit()
            if time.perf_counter() > late:
                raise ProcessError(
                    f"process {self._folder.pid} cannot be held still: its thread {tid}"
                    f" (state {self._state(tid)}) did not stop within {STOP_WITHIN:.0f} s"
                )
            time.sleep(_PAUSE)

    def _state(self, tid: int) -> str | None:
        return _state(self._folder, str(tid))

    def _refusal(self, tid: int, number: int) -> str:
        tracer = self._tracer(tid)
        if tracer:
            return f"process {self._folder.pid} cannot be held still: process {tracer} traces it already"
        return (
            f"process {self._folder.pid} may not be held still ({os.strerror(number)});"
            " --freeze needs what a debugger needs: try sudo, or grant CAP_SYS_PTRACE"
        )

    def _tracer(self, tid: int) -> int:
        """Return the process that traces a thread, 0 if none does; the kernel names the tracing thread."""
        thread = _number(self._folder.text(f"task/{tid}/status"), "TracerPid:")
        try:
            status = (self._folder.path.parent / str(thread) / "status").read_text(errors="replace")
        except OSError:
            return thread
        return _number(status, "Tgid:") or thread

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


def _number(status: str | None, key: str) -> int:
    """Return the number of a line of ``status``, 0 without one."""
    lines = (line.split() for line in (status or "").split("\n") if line.startswith(key))
    return next((int(words[1]) for words in lines), 0)


def _state(folder: ProcessFolder, tid: str) -> str | None:
    """Return the state letter of a thread, None where it is gone."""
    text = folder.text(f"task/{tid}/stat")
    return text.rpartition(")")[2].split()[0] if text else None


def let_run(folder: ProcessFolder) -> None:
    """Wait until each thread of a process that was let go has been on a processor, or waits for something.

    The first number of ``schedstat`` is the time that a thread was on one
    (Documentation/scheduler/sched-stats.rst).
    """
    late = time.perf_counter() + RUNS_WITHIN
    before = _waiting_for_processor(folder)
    while before and time.perf_counter() < late:
        time.sleep(_PAUSE)
        now = _waiting_for_processor(folder)
        before = {tid: spent for tid, spent in before.items() if now.get(tid) == spent}


def _waiting_for_processor(folder: ProcessFolder) -> dict[str, str]:
    """Return the threads that run or could, each with the time that it has been on a processor."""
    found = {}
    for tid in folder.names("task"):
        spent = folder.text(f"task/{tid}/schedstat")
        if spent and _state(folder, tid) == "R":
            found[tid] = spent.split()[0]
    return found


@contextmanager
def frozen(folder: ProcessFolder, limit: float | None = None, *, registers: bool = False) -> Iterator[Freeze]:
    """Hold a process still for the block, or for *limit* seconds of it; it is resumed in every case.

    With *registers* those of each thread are read.

    Raises:
        ProcessError: it may not be traced, somebody else traces it, or it does not stop in time.
    """
    freeze = Freeze(folder, limit, registers=registers)
    try:
        freeze.hold()
        yield freeze
    finally:
        freeze.let_go()
