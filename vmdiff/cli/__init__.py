"""The command line: words -> calls -> streams and exit codes."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import vmdiff

_BUG = 70  # EX_SOFTWARE of sysexits.h
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; leave with its exit status (see `vmdiff.errors`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:  # nothing needs to be imported for this
        print(f"vmdiff {vmdiff.__version__}")  # noqa: T201
        sys.exit(0)
    from vmdiff.errors import VmdiffError

    try:
        _run(words)
    except VmdiffError as error:
        print(f"vmdiff: {_harmless(str(error))}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except MemoryError:
        print("vmdiff: out of memory", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except Exception:  # noqa: BLE001  # a bug of ours must not look like a difference
        import traceback

        traceback.print_exc()
        sys.exit(_BUG)
    sys.exit(0)


def _run(words: list[str]) -> None:
    from vmdiff.cli.app import app

    try:
        app(args=words, prog_name="vmdiff")
    except SystemExit:
        sys.stdout.flush()  # here, where a broken pipe is still ours to see
        raise


def _harmless(text: str) -> str:
    """Escape what a file name in a message could do to a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _discard_output() -> None:
    """Keep Python from complaining about the broken pipe once more while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
