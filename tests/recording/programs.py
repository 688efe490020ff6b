"""A program that does as it is told, a line at a time, and a pace of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

OBEDIENT = """
import ctypes, mmap, os, sys
with open("/proc/self/comm", "w") as name:
    name.write(sys.argv[1])
held, ends, thread, libc = [], ctypes.create_string_buffer(64), ctypes.c_ulong(), ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free(ctypes.c_void_p(libc.malloc(100_000)))  # room for all that is asked for below: brk stays
print("ready", flush=True)
for line in sys.stdin:
    word, _, number = line.rstrip("\\n").partition(" ")
    if word == "grow":
        block = mmap.mmap(-1, int(number) << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, len(block), 4096):
            block[at] = 1
        held.append(block)
    if word == "malloc":
        held += [libc.malloc(24) for _ in range(int(number))]
    if word == "brk":
        libc.sbrk(ctypes.c_long(int(number) << 20))
    if word == "start":  # a thread that only waits for what "join" posts
        libc.sem_init(ends, 0, 0)
        libc.pthread_create(ctypes.byref(thread), None, libc.sem_wait, ends)
    if word == "join":
        libc.sem_post(ends)
        libc.pthread_join(thread, None)
    if word == "exec":
        os.execv(sys.executable, [sys.executable, "-c", number, sys.argv[1]])
    print("done", flush=True)
"""


class Obedient:
    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OBEDIENT, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def grow(self, mib: int) -> None:
        self.order(f"grow {mib}")

    def order(self, line: str, answer: str = "done") -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == f"{answer}\n"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def obedient(name: str = "vmdiff-obeys") -> Iterator[Obedient]:
    program = Obedient(name)
    try:
        yield program
    finally:
        program.end()


class Pace:
    """A clock that moves only when somebody waits; what is due while they wait is done then."""

    def __init__(self, **due: Callable[[], object]) -> None:
        self.time = 0.0
        self._due = {float(name.removeprefix("at_")): action for name, action in due.items()}

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds
        for moment in sorted(moment for moment in self._due if moment <= self.time):
            self._due.pop(moment)()
