"""What does not fit on the terminal goes through a pager, as git does it.

``PAGER`` names it (a shell command), ``less`` where it is unset; empty or ``cat`` means none, and so does
any ``NO_PAGER``. ``less`` is told to quit where all fits on one screen, to pass colours on, and to leave
the text on the terminal (FRX), unless ``LESS`` says otherwise.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping

_LESS = "FRX"


def pager(environment: Mapping[str, str]) -> str | None:
    """Return the shell command of the pager, None where there is or shall be none."""
    if environment.get("NO_PAGER") or environment.get("TERM") == "dumb":
        return None
    command = environment.get("PAGER", "less").strip()
    if command in ("", "cat"):
        return None
    return command if "PAGER" in environment or shutil.which(command) else None


def show(text: bytes, command: str) -> bool:
    """Show a text in a pager until the reader leaves it; return False where it could not be started."""
    environment = {"LESS": _LESS, **os.environ}
    try:
        with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, env=environment) as process:
            process.communicate(text)  # a reader who leaves early is no failure
    except OSError:
        return False
    # 126 and 127 are the shell's own: the command could not be run.
    return process.returncode not in (126, 127)
