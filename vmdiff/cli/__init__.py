"""The command line: words -> calls -> streams and exit codes."""

import atexit
import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import vmdiff

# Late imports: --version and --help load neither the commands nor the models (tests/test_economy.py).

_COMPLETION = frozenset({"--install-completion", "--show-completion"})
_BUG = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130
_TURN = 0.0002  # seconds
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


def command() -> NoReturn:
    """Be the program: run the command line that the process was started with, and leave.

    What is left in memory is the kernel's to take back: freeing it object by object took 15 of 200 ms. mypy
    leaves in the same way (mypy/util.py, hard_exit).

    pydantic is kept from loading plugins: no other package shall see what is read, and to look for them reads
    the metadata of every installed one, 5 of 190 ms (pydantic/plugin/_loader.py).
    """
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    try:
        main()
    except SystemExit as stop:
        if isinstance(stop.code, str):  # Python writes it
            raise
        atexit._run_exitfuncs()  # those of a coverage measurement, for one
        _flush()
        os._exit(stop.code or 0)


def _flush() -> None:
    """Write what is left in buffers: nothing, unless a function that ran at the exit wrote it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.flush()


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; leave with its exit status (see `vmdiff.errors`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    # The thread that reads ahead needs the interpreter often, and only for a moment.
    sys.setswitchinterval(_TURN)
    gc.disable()  # a command is short and makes no cycles worth finding; looking takes a third of its time
    sys.exit(_run(words))


def _run(words: list[str]) -> int | str | None:
    """Run one command line; give its exit status."""
    from vmdiff.errors import VmdiffError

    try:
        status = _command(words)
        if sys.stdout is not None:
            sys.stdout.flush()  # what a full disk says is to be said here, not when Python ends
    except VmdiffError as error:
        _say(str(error))
        return error.exit_code
    except BrokenPipeError:
        _give_up()
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except MemoryError:
        _say("out of memory")
        return 2
    except Exception as error:  # noqa: BLE001  # a bug of ours must not look like a difference
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:  # Typer's help, or what was left
            _give_up()
            _say(f"standard output: {error.strerror}")
            return 2
        if str(error).endswith("KeyboardInterrupt"):  # as pydantic says that it was interrupted
            return _INTERRUPTED
        import traceback

        traceback.print_exc()
        return _BUG
    return status


def _command(words: list[str]) -> int | str | None:
    if words == ["--version"]:  # nothing needs to be imported for this
        print(f"vmdiff {vmdiff.__version__}")  # noqa: T201
        return 0
    from vmdiff.cli.app import app_for

    try:
        app_for(words)(args=words, prog_name="vmdiff")
    except SystemExit as stop:
        # Typer writes its help itself, and calls it a failure that nobody reads on.
        if isinstance(stop.__context__, BrokenPipeError):
            return 0
        # It says 1 of a shell that it does not know, which is a difference here.
        return 2 if stop.code == 1 and _COMPLETION & {*words} else stop.code
    except OSError as error:
        if not _COMPLETION & {*words}:
            raise
        from vmdiff.errors import OutputError

        raise OutputError(f"completion cannot be installed: {error}") from error
    return 0


def _say(message: str) -> None:
    from vmdiff.cli.output import say

    say(message)


def _give_up() -> None:
    from vmdiff.cli.output import give_up

    give_up()
