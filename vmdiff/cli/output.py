"""Where results go: standard output or a file, whole; everything else goes to standard error."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import typer

from vmdiff.errors import InputError, OutputError
from vmdiff.harmless_text import printable
from vmdiff.storage import atomic_file

PLAIN_WIDTH = 80
_STDOUT = Path("-")


def say(message: str) -> None:
    """Write a line to standard error: for the person, not for the pipe."""
    with suppress(OSError):  # the exit status must not depend on it
        lines = "\n".join(map(printable, message.split("\n")))
        os.write(2, f"vmdiff: {lines}\n".encode(errors="backslashreplace"))


def is_stdout(to: Path | None) -> bool:
    """Return whether a result goes to standard output."""
    return to is None or to == _STDOUT


def is_terminal() -> bool:
    """Return whether standard output is a terminal; a closed one, which Python has as None, is none."""
    return sys.stdout is not None and sys.stdout.isatty()


def look(to: Path | None) -> tuple[int, bool]:
    """Return the width and whether to use colour: a terminal has its own, everything else is plain."""
    if not is_stdout(to) or not is_terminal():
        return PLAIN_WIDTH, False
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return shutil.get_terminal_size().columns, not plain


def height(to: Path | None) -> int | None:
    """Return the lines of the terminal that a result goes to; None where it goes to none."""
    return shutil.get_terminal_size().lines if is_stdout(to) and is_terminal() else None


def show(result: str | bytes, to: Path | None, *, force: bool = False) -> None:
    """Write a result for a reader: through a pager where it is longer than the terminal.

    Raises:
        OutputError: as `write`; and bytes that no terminal shows.
    """
    lines = height(to)
    if lines is None:
        write(result, to, force=force)
    elif isinstance(result, bytes):
        raise OutputError("standard output is a terminal, and this is not text; -o FILE writes to a file")
    elif result.count("\n") < lines or not _paged(result):
        write(result)


def _paged(text: str) -> bool:
    from vmdiff.cli import pager  # for a terminal and a long result only

    command = pager.pager(os.environ)
    return command is not None and pager.show(text.encode(errors="backslashreplace"), command)


def check(to: Path | None, form: str, *, force: bool) -> None:
    """Find out before the work that its result could not be written, or would fill a terminal with markup.

    Raises:
        OutputError: as `check_free`; or it is HTML, and standard output is a terminal.
    """
    check_free(to, force=force)
    if form == "html" and is_stdout(to) and is_terminal():
        raise OutputError("an HTML report is for a browser; -o report.html writes it to a file")


def check_free(to: Path | None, *, force: bool) -> None:
    """Find out before the work that its result could not be written.

    Raises:
        OutputError: the file exists, and nobody said to overwrite it.
    """
    if to is not None and not is_stdout(to) and not force:
        atomic_file.check_free(to)


def say_what_holds(held: Sequence[str]) -> None:
    """Name the conditions that hold; leave with status 1 if one does."""
    for condition in held:
        say(f"condition holds: {condition}")
    if held:
        raise typer.Exit(1)


def write(result: str | bytes, to: Path | None = None, *, force: bool = False) -> None:
    """Write a result.

    Raises:
        OutputError: the file exists (without *force*), or cannot be written.
    """
    data = result.encode(errors="backslashreplace") if isinstance(result, str) else result
    if to is None or is_stdout(to):
        write_chunks([data])
    else:
        atomic_file.write(to, [data], force=force)


def read_text(path: Path) -> str:
    """Read a small text file that the user wrote.

    Raises:
        InputError: it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def write_chunks(chunks: Iterable[bytes]) -> None:
    """Write bytes to standard output.

    Raises:
        OutputError: they cannot be written (a full disk, or it is closed).
        SystemExit: nobody reads them any more, which is no failure of ours.
    """
    if sys.stdout is None:
        raise OutputError("standard output: closed; -o FILE writes to a file")
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        give_up()
        sys.exit(0)
    except OSError as error:
        give_up()
        raise OutputError(f"standard output: {error.strerror}") from error


def give_up() -> None:
    """Let what is left of standard output go nowhere, or Python would complain once more while it ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
