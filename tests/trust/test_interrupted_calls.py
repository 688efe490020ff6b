"""Which system calls return EINTR to a process that was held still: the list in SECURITY.md, measured."""

import contextlib
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.owners.living import compiled
from tests.waiting import state, until_asleep
from vmdiff.capture import ProcessFolder
from vmdiff.capture.freeze import frozen

ROOT = Path(__file__).parent.parent.parent
PROGRAM = ROOT / "fixtures" / "programs" / "waits.c"

RESTARTED = (
    "read of a pipe",
    "read of an eventfd",
    "read of a timerfd",
    "read of an inotify descriptor",
    "poll",
    "ppoll",
    "select",
    "nanosleep",
    "clock_nanosleep, absolute",
    "recv",
    "accept",
    "futex without a time",
    "futex with a time",
    "sem_wait",
    "pause",
    "sigsuspend",
    "waitpid",
    "fcntl F_SETLKW",
    "flock",
    "msgrcv",
)
INTERRUPTED = (
    "epoll_wait",
    "recv with SO_RCVTIMEO",
    "send with SO_SNDTIMEO",
    "sigtimedwait",
    "sigwaitinfo",
    "semop",
    "semtimedop",
)


def test_the_calls_that_return_eintr_are_those_that_security_md_lists() -> None:
    with contextlib.ExitStack() as stack:
        waiting = {call: stack.enter_context(waits(call)) for call in (*RESTARTED, *INTERRUPTED)}
        for process in waiting.values():
            with ProcessFolder(process.pid) as folder, frozen(folder):
                pass
        said = {call: answer(process) for call, process in waiting.items()}

    assert said == dict.fromkeys(RESTARTED) | dict.fromkeys(INTERRUPTED, "EINTR")
    page = re.sub(r"\s+", " ", (ROOT / "SECURITY.md").read_text())
    assert all(call in page for call in said)


@contextlib.contextmanager
def waits(call: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([compiled(PROGRAM), call], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "ready\n"
            until_asleep(process.pid)
            assert state(process.pid) == "S"
            yield process
        finally:
            process.kill()


def answer(process: "subprocess.Popen[str]") -> str | None:
    """Return the result of a call, None if it waits on.

    A thread is runnable from its detaching on, until it waits again or has said the result and ended.
    """
    until_asleep(process.pid)
    ready, _, _ = select.select([process.stdout], [], [], 0)
    return process.stdout.readline().strip() if ready and process.stdout else None
