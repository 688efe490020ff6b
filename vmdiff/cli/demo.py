"""A walk in four acts: what allocating, mapping and reading look like from outside, on a real process."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from vmdiff import findings, sources
from vmdiff.capture.process_dir import check_system
from vmdiff.cli import actor
from vmdiff.comparison.compare import Comparison, compare
from vmdiff.errors import OutputError, ProcessError
from vmdiff.model import Kind, Snapshot
from vmdiff.report import By, ViewOptions
from vmdiff.report.terminal import screen
from vmdiff.units import signed, size

BLOCK = 16 << 20
FILE = 256 << 20

_ON_DISK = "/var/tmp"  # noqa: S108  # /tmp may be memory itself

Write = Callable[[str], None]


class Act(NamedTuple):
    """What the process did, how its snapshot is called, and what to say of the change; None of the first."""

    title: str
    name: str
    explain: Callable[[Comparison], str] | None


def run(write: Write, options: ViewOptions) -> None:
    """Play the four acts, and leave the snapshots in a folder of their own.

    Raises:
        ProcessError: processes cannot be observed here.
        OutputError: there is no room for the folder.
    """
    check_system()
    with _folder() as folder, _acting() as process:
        last: Snapshot | None = None
        for number, act in enumerate(ACTS, start=1):
            _next(process, first=last is None)
            snapshot = sources.snap(process.pid, label=act.name)
            sources.save(snapshot, folder / f"{number}-{act.name}.json")
            write(_scene(number, act, last, snapshot, options))
            last = snapshot
    first, final = (f"{at}-{ACTS[at - 1].name}.json" for at in (1, len(ACTS)))
    write(f"The snapshots stay in {folder}:\n\n    cd {folder}\n    {_command()} compare {first} {final}\n")


def _command() -> str:
    """Return what runs vmdiff again: its path where its name is not enough, as after ``make demo``."""
    script = Path(sys.argv[0])
    return "vmdiff" if shutil.which("vmdiff") or script.name != "vmdiff" else str(script.absolute())


def _scene(number: int, act: Act, last: Snapshot | None, snapshot: Snapshot, options: ViewOptions) -> str:
    head = f"Act {number} of {len(ACTS)}: {act.title}"
    if last is None or act.explain is None:
        by = ViewOptions(by=By.OWNER, width=options.width, colour=options.colour)
        shown, explained = screen.snapshot(snapshot, findings.find_in(snapshot), by), _about_pausing(snapshot)
    else:
        comparison = compare(last, snapshot)
        shown, explained = (
            screen.comparison(comparison, findings.find(comparison), options),
            act.explain(comparison),
        )
    rule = "─" * min(options.width, 80)
    return f"{rule}\n{head}\n{rule}\n\n{shown}\n{_wrapped(explained, options.width)}\n"


def _wrapped(text: str, width: int) -> str:
    import textwrap  # 2 ms, for the demo alone

    return textwrap.fill(text, min(width, 80), initial_indent="→ ", subsequent_indent="  ") + "\n"


# ---- what the reader is looking at


def _about_pausing(snapshot: Snapshot) -> str:
    virtual, resident = (_known(snapshot.total(name)) for name in ("size", "rss"))
    return (
        f"A small program that waits. Its address space is {virtual} (virtual); {resident} of it is in"
        " memory (resident), and of that a part is its own (private): the rest are pages of libraries,"
        " which every program that uses them shares."
    )


def _about_allocating(comparison: Comparison) -> str:
    where = "its heap" if any(c.kind is Kind.HEAP for c in comparison.changes) else "a new mapping"
    return (
        f"It asked malloc for {size(BLOCK)}, which came from {where}, and wrote to half of it. Virtual"
        f" grew by what was asked for ({_delta(comparison, 'size')}), resident by what was touched"
        f" ({_delta(comparison, 'rss')}): a page gets memory when it is first used."
    )


def _about_mapping(comparison: Comparison) -> str:
    return (
        f"It mapped a file of {size(FILE)}, shared and read-only, and read its first byte. Virtual jumped"
        f" ({_delta(comparison, 'size')}), resident moved by {_delta(comparison, 'rss')}: virtual"
        " says what could be touched, not what is used."
    )


def _about_reading(comparison: Comparison) -> str:
    return (
        "It read the whole file. Nothing was allocated and virtual stayed, yet resident caught up"
        f" ({_delta(comparison, 'rss')}). These are the file's pages, which the kernel can drop when it needs"
        " the memory; they count as private only while no other process has the file mapped."
    )


def _known(count: int | None) -> str:
    return "an unknown amount" if count is None else size(count)


def _delta(comparison: Comparison, counter: str) -> str:
    delta = comparison.totals[counter].delta
    return "by an unknown amount" if delta is None else signed(delta)


ACTS = (
    Act("paused", "paused", None),
    Act("a block on the heap", "block-allocated", _about_allocating),
    Act("a file mapped", "file-mapped", _about_mapping),
    Act("the file read", "file-read", _about_reading),
)


# ---- the process and what it needs


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make the folder for the snapshots; without all of them it goes away again."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="vmdiff-demo-"))
    except OSError as error:
        raise OutputError(f"no room for the demo's snapshots: {error}") from error
    try:
        yield folder
    except BaseException:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        raise


@contextlib.contextmanager
def _acting() -> Iterator[subprocess.Popen[str]]:
    """Start the process; it ends with the block, also when that is interrupted or terminated."""
    with _terminable(), _large_file() as path:
        command = [sys.executable, "-I", "-S", str(actor.__file__), str(path), str(BLOCK)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind as Ctrl-C does, so that what was made is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    watched = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in watched]
    try:
        yield
    finally:
        for number, handler in zip(watched, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _large_file() -> Iterator[Path]:
    """Make a file that is all hole: it takes no room on a disk, and no time to write."""
    path = _hole(_ON_DISK if "TMPDIR" not in os.environ and os.access(_ON_DISK, os.W_OK) else None)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _hole(folder: str | None) -> Path:
    try:
        descriptor, name = tempfile.mkstemp(prefix="vmdiff-", suffix=".data", dir=folder)
        os.close(descriptor)
        os.truncate(name, FILE)
    except OSError as error:
        raise OutputError(f"no room for the demo's file: {error}") from error
    return Path(name)


def _next(process: subprocess.Popen[str], *, first: bool) -> None:
    """Have the next act played, and wait until it was."""
    assert process.stdin is not None  # noqa: S101  # Popen was asked for both
    assert process.stdout is not None  # noqa: S101
    if not first:
        process.stdin.write("\n")
        process.stdin.flush()
    if not process.stdout.readline():
        raise ProcessError("the demo's own process ended early; is there memory for it?")
