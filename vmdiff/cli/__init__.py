"""The command line: words -> calls -> streams and exit codes."""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import vmdiff

_BUG = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130
_TURN = 0.0002  # seconds


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; leave with its exit status (see `vmdiff.errors`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:  # nothing needs to be imported for this
        print(f"vmdiff {vmdiff.__version__}")  # noqa: T201
        sys.exit(0)
    from vmdiff.errors import VmdiffError

    sys.setswitchinterval(
        _TURN
    )  # the thread that reads ahead needs the interpreter often, and only for a moment
    gc.disable()  # a command is short and makes no cycles worth finding; looking takes a third of its time
    atexit.register(gc.freeze)  # nor at its end, where looking took 15 of 150 ms
    try:
        from vmdiff.cli.app import app

        app(args=words, prog_name="vmdiff")
    except VmdiffError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except SystemExit as stop:
        # Typer writes its help itself, and calls it a failure that nobody reads on.
        sys.exit(0 if isinstance(stop.__context__, BrokenPipeError) else stop.code)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except MemoryError:
        _complain("out of memory")
        sys.exit(2)
    except Exception:  # noqa: BLE001  # a bug of ours must not look like a difference
        import traceback

        traceback.print_exc()
        sys.exit(_BUG)
    sys.exit(0)


def _complain(message: str) -> None:
    """Tell standard error, even one that fails: the exit status must not depend on it."""
    with suppress(OSError):
        os.write(2, f"vmdiff: {_harmless(message)}\n".encode(errors="backslashreplace"))


def _harmless(text: str) -> str:
    """Escape what a file name in a message could do to a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
